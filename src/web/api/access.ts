import { z } from 'zod';
import { openings } from '../../domain/access/openings.js';
import { roles } from '../../domain/access/roles.js';
import type { Holder } from '../../host/access.js';
import { about } from '../audited.js';
import { jsonReader } from './json.js';
import { route, type ApiContext, type Route } from './route.js';
import { params } from './schemas.js';

const holderSchema = z
  .object({
    who: z.string().describe('An email address, or "group:" and the name of a group.'),
    name: z.string(),
    kind: z.enum(['person', 'group']),
    role: z.enum(roles),
  })
  .meta({ id: 'RoleHolder' });

const opens = z
  .enum(openings)
  .describe('Who may open the app: everyone, everyone who is logged in, or the people and groups with a role in it.');
const accessSchema = z.object({ opens, roles: z.array(holderSchema) }).meta({ id: 'Access' });

export type AccessAnswer = z.infer<typeof accessSchema>;
export type HolderAnswer = z.infer<typeof holderSchema>;

const withWho = params.app.extend({
  who: z.string().max(300).describe('An email address, or "group:" and the name of a group.'),
});
const body = z.strictObject({ role: z.enum(roles) });
const opensBody = z.strictObject({ opens });

/** The calls about who has which role in an app. */
export function accessRoutes(api: ApiContext): Route[] {
  const { access } = api;
  const presentAll = (id: string): AccessAnswer => {
    const { app } = api.host.apps.get(id);
    return { opens: api.rights.openingOf(app), roles: access.of(app.preview?.of ?? id).map(present) };
  };
  const readJson = jsonReader();
  return [
    route({
      method: 'get',
      path: '/apps/{id}/access',
      tag: 'people',
      can: 'access',
      summary: 'Get who may open an app, and who has a role in it',
      params: params.app,
      answers: {
        200: {
          description: 'People and groups, owners first. A preview has the roles of its app.',
          content: { 'application/json': accessSchema },
        },
      },
      async handle(ctx, input) {
        ctx.body = presentAll(input.params.id);
      },
    }),

    route({
      method: 'patch',
      path: '/apps/{id}/access',
      tag: 'people',
      can: 'access',
      summary: 'Change who may open an app',
      description: 'Counts at once: open pages of those who may no longer open it lose their connection.',
      params: params.app,
      body: { 'application/json': opensBody },
      codes: ['preview-roles'],
      answers: { 200: { description: 'Who may open it.', content: { 'application/json': accessSchema } } },
      async handle(ctx, input) {
        const { opens: wanted } = await readJson(ctx, opensBody);
        about(ctx, wanted);
        await access.open(input.params.id, wanted);
        ctx.body = presentAll(input.params.id);
      },
    }),

    route({
      method: 'put',
      path: '/apps/{id}/roles/{who}',
      tag: 'people',
      can: 'access',
      summary: 'Give a person or a group a role in an app',
      params: withWho,
      body: { 'application/json': body },
      codes: ['user-not-found', 'group-invalid', 'last-owner', 'preview-roles'],
      answers: { 200: { description: 'The role.', content: { 'application/json': holderSchema } } },
      async handle(ctx, input) {
        const { id, who } = input.params;
        const { role } = await readJson(ctx, body);
        about(ctx, `${who} ${role}`);
        ctx.body = present(await access.grant(id, who, role));
      },
    }),

    route({
      method: 'delete',
      path: '/apps/{id}/roles/{who}',
      tag: 'people',
      can: 'access',
      summary: "Take a person's or a group's role away",
      params: withWho,
      codes: ['user-not-found', 'group-invalid', 'last-owner', 'preview-roles'],
      answers: { 204: { description: 'They have no role in the app any more.' } },
      async handle(ctx, input) {
        await access.revoke(input.params.id, input.params.who);
        ctx.status = 204;
      },
    }),
  ];
}

function present({ who, title, kind, role }: Holder): HolderAnswer {
  return { who, name: title, kind, role };
}
