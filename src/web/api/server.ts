import { jsonReader } from './json.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, bodies } from './schemas.js';

/** The calls about the server itself. */
export function serverRoutes(api: ApiContext): Route[] {
  const readJson = jsonReader();
  return [
    route({
      method: 'post',
      path: '/server/stop',
      tag: 'server',
      summary: 'End the server',
      description:
        'With its apps, unless keep_apps is true: they go on serving, and are adopted when the server starts again.',
      body: { 'application/json': bodies.stop },
      answers: { 202: { description: 'It ends now.', content: { 'application/json': answers.stopping } } },
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
      summary: 'Make a link that logs a browser into the console, once, within 15 minutes',
      answers: { 201: { description: 'The link.', content: { 'application/json': answers.loginLink } } },
      async handle(ctx) {
        const { code, expiresAt } = api.sessions.makeCode();
        ctx.status = 201;
        ctx.body = { url: `${api.publicBase()}/console/login?code=${code}`, expires_at: expiresAt.toISOString() };
      },
    }),
  ];
}
