import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { z } from 'zod';
import { isWhole } from '../../domain/access/principal.js';
import { notForLogin, signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers } from './answers.js';
import { bodies } from './schemas.js';

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
      method: 'get',
      path: '/server/nodes',
      tag: 'server',
      can: 'server',
      summary: 'List the machines that apps run on',
      description: 'The nodes of the Swarm with their states, and which apps run where.',
      codes: ['docker-unavailable'],
      answers: { 200: { description: 'The nodes.', content: { 'application/json': answers.nodes } } },
      async handle(ctx) {
        const nodes = await api.nodes();
        ctx.body = { clustered: nodes !== undefined, nodes: nodes ?? [] };
      },
    }),

    route({
      method: 'post',
      path: '/server/repairs',
      tag: 'server',
      can: 'server',
      summary: 'Repair the data folder',
      description:
        'Deletes what interrupted work has left for a day, and interrupted git commands for an hour, and makes files private that ' +
        'only the server may read. Nothing that is in use, and nothing of an app, is changed.',
      answers: {
        200: { description: 'What was done.', content: { 'application/json': answers.repairs } },
      },
      async handle(ctx) {
        ctx.body = { repairs: await api.repair() };
      },
    }),

    route({
      method: 'get',
      path: '/server/backup',
      tag: 'server',
      can: 'server',
      summary: 'Download a backup',
      description:
        'A compressed tar archive of accounts, records, repositories, config and storage, made while the server runs. ' +
        'An archive that ends early is not complete: the server log says why.',
      query: z.object({
        key: z
          .enum(['true', 'false'])
          .default('false')
          .describe('true: the key for config and secrets, and the admin token, are in it.'),
      }),
      codes: ['backup-running'],
      answers: {
        200: { description: 'The archive.', content: { 'application/gzip': { type: 'string', format: 'binary' } } },
      },
      async handle(ctx, { query }) {
        const stream = new PassThrough();
        const made = api.backups.stream(stream, query.key === 'true').catch((error: unknown) => {
          stream.destroy(error as Error);
          throw error;
        });
        // What is refused is answered; what fails later cuts the answer off.
        await Promise.race([made, once(stream, 'readable')]);
        made.catch((error: unknown) => api.logger.error({ err: error }, 'a backup failed'));
        ctx.type = 'application/gzip';
        ctx.body = stream;
      },
    }),

    route({
      method: 'post',
      path: '/server/backups',
      tag: 'server',
      can: 'server',
      summary: 'Back up to S3',
      description: 'The server uploads the backup itself, and answers when it is complete.',
      body: { 'application/json': bodies.backup },
      codes: ['backup-running', 's3-failed', 's3-not-set'],
      answers: { 201: { description: 'Where it is.', content: { 'application/json': answers.backup } } },
      async handle(ctx) {
        const { to, key, keep } = await readJson(ctx, bodies.backup);
        ctx.body = await api.backups.make(to, key, keep);
        ctx.status = 201;
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
      path: '/server/reload',
      tag: 'server',
      can: 'server',
      summary: 'Replace the server by a new one, without an interruption',
      description:
        'Starts the program that is installed now, with the same settings. The new server takes over the port, the apps and the ' +
        'records; open pages and pushes continue. If it cannot start, this server keeps serving. Answers once the new server serves.',
      body: { 'application/json': bodies.reload },
      codes: ['reload-failed', 'reload-in-progress'],
      answers: {
        200: { description: 'The new server serves.', content: { 'application/json': answers.reloaded } },
      },
      async handle(ctx) {
        const { wait_seconds: seconds } = await readJson(ctx, bodies.reload);
        const { pid } = await api.reload({ waitMs: seconds * 1_000 });
        ctx.set('Connection', 'close');
        ctx.body = { reloaded: true, pid };
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
        const { principal } = signedIn(ctx);
        if (!isWhole(principal)) throw notForLogin();
        const { code, expiresAt } = api.sessions.makeCode(principal);
        ctx.status = 201;
        ctx.body = { url: `${api.publicBase()}/console/login?code=${code}`, expires_at: expiresAt.toISOString() };
      },
    }),
  ];
}
