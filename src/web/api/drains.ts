import { z } from 'zod';
import { shownAddress, type DrainEntry } from '../../drains/drains.js';
import { signedIn } from '../auth.js';
import { codes } from './codes.js';
import { jsonReader } from './json.js';
import { ownedRoutes, type Owned } from './owned.js';
import { route, type ApiContext, type Route } from './route.js';

const drainSchema = z
  .object({
    id: z.string(),
    address: z.string().describe('The scheme and host of the URL; the rest of it is not shown again.'),
    created_at: z.string(),
    created_by: z.string(),
  })
  .meta({ id: 'Drain' });

const drainsSchema = z
  .object({
    drains: z.array(
      drainSchema.extend({
        sent: z.number().int().describe('Lines since the start of the server.'),
        dropped: z.number().int().describe('Lines that were lost, since the drain was not reached or too slow.'),
        problem: z.string().nullable().describe('Why the last try failed; null if it did not.'),
      }),
    ),
  })
  .meta({ id: 'Drains' });

export type DrainAnswer = z.infer<typeof drainSchema>;
export type DrainsAnswer = z.infer<typeof drainsSchema>;

const body = z.strictObject({
  address: z.string().max(2_000).describe('https:// for JSON lines, or syslog+tls:// for RFC 5424.'),
  token: z.string().max(500).optional().describe('Sent as a bearer token to an https:// address.'),
});
const drain = z.string().max(100).describe("The drain's id.");

/** The calls about log drains: of an app, and of the machine. */
export function drainRoutes(api: ApiContext): Route[] {
  return ownedRoutes(api, { name: 'drains', see: 'logs', all: 'all apps' }, (owned) => routesOf(api, owned));
}

type Params = { id?: string | undefined; drain?: string | undefined };

function routesOf({ drains, rights }: ApiContext, { path, can, what, own, ownerOf }: Owned): Route[] {
  const readJson = jsonReader();
  const common = { tag: 'logs' } as const;
  return [
    route({
      ...common,
      method: 'get',
      path,
      can: can.see,
      summary: `List the log drains of ${what}`,
      params: own,
      codes: codes.vault,
      answers: { 200: { description: 'The drains.', content: { 'application/json': drainsSchema } } },
      async handle(ctx, input) {
        const found = await drains.of(ownerOf(input.params));
        ctx.body = {
          drains: found.map(({ state, ...entry }) => ({
            ...present(entry),
            ...{ sent: state.sent, dropped: state.dropped, problem: state.problem ?? null },
          })),
        } satisfies DrainsAnswer;
      },
    }),
    route({
      ...common,
      method: 'post',
      path,
      can: can.change,
      summary: `Add a log drain for ${what}`,
      description: 'It gets what is printed from now on. Its address must be public, unless an admin adds it.',
      params: own,
      body: { 'application/json': body },
      codes: [...codes.vault, 'drain-address-invalid', 'drain-token-invalid', 'drains-too-many'],
      answers: { 201: { description: 'The drain.', content: { 'application/json': drainSchema } } },
      async handle(ctx, input) {
        const by = signedIn(ctx).principal;
        const given = await readJson(ctx, body);
        ctx.body = present(await drains.add(ownerOf(input.params), given, by, rights.may(by, 'server')));
        ctx.status = 201;
      },
    }),
    route({
      ...common,
      method: 'delete',
      path: `${path}/{drain}`,
      can: can.change,
      summary: 'Remove a log drain',
      params: own.extend({ drain }),
      codes: [...codes.vault, 'drain-not-found'],
      answers: { 204: { description: 'It gets no more lines.' } },
      async handle(ctx, input) {
        const given: Params = input.params;
        await drains.remove(ownerOf(given), given.drain ?? '');
        ctx.status = 204;
      },
    }),
  ];
}

function present(one: DrainEntry): DrainAnswer {
  return { id: one.id, address: shownAddress(one), created_at: one.createdAt, created_by: one.createdBy };
}
