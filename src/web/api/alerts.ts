import type { Context } from 'koa';
import { z } from 'zod';
import { shownAddress, type Destination } from '../../alerts/destinations.js';
import { kinds } from '../../alerts/formats.js';
import { ruleNames } from '../../alerts/rules.js';
import { MACHINE } from '../../store/vault.js';
import { signedIn } from '../auth.js';
import { codes } from './codes.js';
import { jsonReader } from './json.js';
import { ownedRoutes, type Owned } from './owned.js';
import { route, type ApiContext, type Route } from './route.js';

const destinationSchema = z
  .object({
    id: z.string(),
    kind: z.enum(kinds),
    name: z.string(),
    address: z.string().describe('The email address, or the host of the URL; the rest of it is not shown again.'),
    rules: z.array(z.enum(ruleNames)).nullable().describe('The rules it is told of; null = all.'),
    created_at: z.string(),
    created_by: z.string(),
  })
  .meta({ id: 'Destination' });

const newDestinationSchema = destinationSchema
  .extend({
    secret: z.string().nullable().describe('Of a webhook: what its messages are signed with, shown only now.'),
  })
  .meta({ id: 'NewDestination' });

const alertsSchema = z
  .object({
    alerts: z
      .array(
        z.object({
          rule: z.enum(ruleNames),
          app: z.string().nullable().describe('null = the machine.'),
          text: z.string(),
          since: z.string(),
        }),
      )
      .describe('What is wrong now.'),
    destinations: z.array(destinationSchema),
    deliveries: z
      .array(
        z.object({
          id: z.string(),
          destination: z.string(),
          title: z.string(),
          lines: z.array(z.string()),
          state: z.enum(['waiting', 'delivered', 'failed']).describe('failed = given up.'),
          tries: z.number().int(),
          problem: z.string().nullable().describe('Why the last try failed.'),
          created_at: z.string(),
          tried_at: z.string().nullable(),
        }),
      )
      .describe('The latest messages, newest first.'),
  })
  .meta({ id: 'Alerts' });

const testedSchema = z.object({ delivered: z.literal(true) });

export type AlertsAnswer = z.infer<typeof alertsSchema>;
export type NewDestinationAnswer = z.infer<typeof newDestinationSchema>;

const body = z.strictObject({
  kind: z.enum(kinds),
  address: z.string().max(2_000).describe('An email address, or the URL that the service shows.'),
  name: z.string().max(100).optional().describe('What you call it.'),
  secret: z
    .string()
    .max(500)
    .optional()
    .describe("feishu, dingtalk: the bot's signing secret. ntfy: an access token. A webhook gets one from the server."),
  rules: z.array(z.enum(ruleNames)).min(1).optional().describe('The rules it is told of; default: all.'),
});

const destination = z.string().max(100).describe("The destination's id.");

/** The calls about alerts: of an app, and of the machine. */
export function alertRoutes(api: ApiContext): Route[] {
  return ownedRoutes(api, { name: 'alerts', see: 'see', all: 'the machine and all apps' }, (owned) =>
    routesOf(api, owned),
  );
}

type Params = { id?: string | undefined; destination?: string | undefined };

function routesOf({ alerts, rights }: ApiContext, { path, can, what, own, ownerOf }: Owned): Route[] {
  const readJson = jsonReader();
  const one = own.extend({ destination });
  const common = { tag: 'metrics' } as const;
  return [
    route({
      ...common,
      method: 'get',
      path,
      can: can.see,
      summary: `Get the alerts of ${what}`,
      description: 'What is wrong now, where alerts are sent, and whether the latest ones were delivered.',
      params: own,
      codes: codes.vault,
      answers: { 200: { description: 'The alerts.', content: { 'application/json': alertsSchema } } },
      async handle(ctx, input) {
        const { problems, destinations, deliveries } = await alerts.of(ownerOf(input.params));
        ctx.body = {
          alerts: problems.map(({ rule, of, text, since }) => ({
            ...{ rule, app: of === MACHINE ? null : of, text, since: iso(since) },
          })),
          destinations: destinations.map(presentDestination),
          deliveries: deliveries.map((each) => ({
            ...{ id: each.id, destination: each.destination, title: each.message.title, lines: each.message.lines },
            ...{ state: each.state, tries: each.tries, problem: each.problem ?? null },
            ...{ created_at: iso(each.at), tried_at: each.triedAt === undefined ? null : iso(each.triedAt) },
          })),
        } satisfies AlertsAnswer;
      },
    }),
    route({
      ...common,
      method: 'post',
      path: `${path}/destinations`,
      can: can.change,
      summary: `Add a destination for the alerts of ${what}`,
      description: 'A URL must begin with https:// and have a public address, unless an admin adds it.',
      params: own,
      body: { 'application/json': body },
      codes: [
        ...codes.vault,
        ...(['preview-alerts', 'mail-not-set', 'destination-address-invalid', 'destination-secret-invalid'] as const),
        'destinations-too-many',
      ],
      answers: { 201: { description: 'The destination.', content: { 'application/json': newDestinationSchema } } },
      async handle(ctx, input) {
        const by = signedIn(ctx).principal;
        const added = await alerts.add(ownerOf(input.params), await readJson(ctx, body), by, rights.may(by, 'server'));
        ctx.status = 201;
        ctx.body = {
          ...presentDestination(added),
          secret: added.kind === 'webhook' ? (added.secret ?? null) : null,
        } satisfies NewDestinationAnswer;
      },
    }),
    route({
      ...common,
      method: 'delete',
      path: `${path}/destinations/{destination}`,
      can: can.change,
      summary: 'Remove a destination',
      params: one,
      codes: [...codes.vault, 'destination-not-found'],
      answers: { 204: { description: 'It gets no more alerts.' } },
      async handle(ctx, input) {
        const given = input.params as Params;
        await alerts.remove(ownerOf(given), given.destination ?? '');
        ctx.status = 204;
      },
    }),
    route({
      ...common,
      method: 'post',
      path: `${path}/destinations/{destination}/test`,
      can: can.change,
      summary: 'Send a test to a destination',
      params: one,
      codes: [...codes.vault, 'destination-not-found', 'mail-not-set', 'not-delivered'],
      answers: { 200: { description: 'The destination took it.', content: { 'application/json': testedSchema } } },
      async handle(ctx: Context, input) {
        const given = input.params as Params;
        await alerts.test(ownerOf(given), given.destination ?? '');
        ctx.body = { delivered: true } satisfies z.infer<typeof testedSchema>;
      },
    }),
  ];
}

function presentDestination(one: Destination): AlertsAnswer['destinations'][number] {
  return {
    ...{ id: one.id, kind: one.kind, name: one.name, address: shownAddress(one), rules: one.rules ?? null },
    ...{ created_at: one.createdAt, created_by: one.createdBy },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
