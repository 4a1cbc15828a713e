import { signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, bodies } from './schemas.js';

/** The calls about the server itself. */
export function serverRoutes(api: ApiContext): Route[] {
  const readJson = jsonReader();
  return [
    route({
      method: 'get',
      path: '/server/checks',
      tag: 'server',
      can: 'server',
      summary: 'Check the server',
      description: 'Tries whether cages, permissions, origins and Redis are as they must be. This takes a moment.',
      answers: {
        200: {
          description: 'What was found, also if something is wrong.',
          content: { 'application/json': answers.checks },
        },
      },
      async handle(ctx) {
        ctx.body = { checks: await api.check() };
      },
    }),

    route({
      method: 'post',
      path: '/server/stop',
      tag: 'server',
      can: 'server',
      summary: 'Stop the server',
      description:
        'Stops the apps too, unless keep_apps is true. Then they keep serving, and the server adopts them at its next start.',
      body: { 'application/json': bodies.stop },
      answers: { 202: { description: 'The server is stopping.', content: { 'application/json': answers.stopping } } },
      async handle(ctx) {
        const { keep_apps: keepApps } = await readJson(ctx, bodies.stop);
        // Not before the answer is on its way, and also when nobody waits for it any more.
        ctx.res.once('close', () => api.stopServer({ keepApps }));
        ctx.set('Connection', 'close');
        ctx.status = 202;
        ctx.body = { stopping: true, keep_apps: keepApps };
      },
    }),

    route({
      method: 'post',
      path: '/login-links',
      tag: 'server',
      can: 'account',
      summary: 'Create a login link for the console',
      answers: {
        201: {
          description: 'The link. It works once, within 15 minutes.',
          content: { 'application/json': answers.loginLink },
        },
      },
      async handle(ctx) {
        const { code, expiresAt } = api.sessions.makeCode(signedIn(ctx).principal);
        ctx.status = 201;
        ctx.body = { url: `${api.publicBase()}/console/login?code=${code}`, expires_at: expiresAt.toISOString() };
      },
    }),
  ];
}
