import { z } from 'zod';
import { route, type ApiContext, type Route } from './route.js';
import { params } from './schemas.js';

const errorsSchema = z
  .object({
    errors: z
      .array(
        z.object({
          type: z.string().describe('Such as "ValueError".'),
          message: z.string().describe('Of the newest one.'),
          file: z.string().describe('Where it was raised; empty if that is not known.'),
          line: z.number().int(),
          function: z.string(),
          count: z.number().int(),
          first_seen: z.string(),
          last_seen: z.string(),
          first_release: z.number().int(),
          last_release: z.number().int(),
          traceback: z.array(z.string()).describe('Of the newest one, a line each.'),
        }),
      )
      .describe('Exceptions by type and place, those that were seen last first.'),
  })
  .meta({ id: 'Errors' });

export type ErrorsAnswer = z.infer<typeof errorsSchema>;

/** The calls about the exceptions that apps print. */
export function errorRoutes(api: ApiContext): Route[] {
  return [
    route({
      method: 'get',
      path: '/apps/{id}/errors',
      tag: 'metrics',
      can: 'logs',
      summary: 'List the exceptions of an app',
      description: 'What the app printed, grouped by type and place. Config vars and secrets are masked.',
      params: params.app,
      answers: { 200: { description: 'The exceptions.', content: { 'application/json': errorsSchema } } },
      async handle(ctx, { params: { id } }) {
        const { app } = api.host.apps.get(id);
        const kinds = await api.errors.of(app.id, app.createdAt);
        ctx.body = {
          errors: kinds.map((one) => ({
            type: one.type,
            message: one.message,
            file: one.file,
            line: one.line,
            function: one.function,
            count: one.count,
            first_seen: one.firstSeen,
            last_seen: one.lastSeen,
            first_release: one.firstRelease,
            last_release: one.lastRelease,
            traceback: one.traceback,
          })),
        } satisfies ErrorsAnswer;
      },
    }),
    route({
      method: 'delete',
      path: '/apps/{id}/errors',
      tag: 'metrics',
      can: 'run',
      summary: 'Clear the exceptions of an app',
      params: params.app,
      answers: { 204: { description: 'The list is empty.' } },
      async handle(ctx, { params: { id } }) {
        await api.errors.clear(api.host.apps.get(id).app.id);
        ctx.status = 204;
      },
    }),
  ];
}
