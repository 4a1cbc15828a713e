import { z } from 'zod';
import { roles } from '../../domain/access/roles.js';
import type { Holder } from '../../host/access.js';
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

export type HolderAnswer = z.infer<typeof holderSchema>;

const withWho = params.app.extend({
  who: z.string().max(300).describe('An email address, or "group:" and the name of a group.'),
});
const body = z.strictObject({ role: z.enum(roles) });

/** The calls about who has which role in an app. */
export function accessRoutes(api: ApiContext): Route[] {
  const { access } = api;
  const readJson = jsonReader();
  return [
    route({
      method: 'get',
      path: '/apps/{id}/roles',
      tag: 'people',
      can: 'access',
      summary: 'List who has a role in an app',
      params: params.app,
      answers: {
        200: {
          description: 'People and groups, owners first. A preview has the roles of its app.',
          content: { 'application/json': z.object({ roles: z.array(holderSchema) }) },
        },
      },
      async handle(ctx, input) {
        ctx.body = { roles: access.of(input.params.id).map(present) };
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
        ctx.body = present(await access.grant(id, who, (await readJson(ctx, body)).role));
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
