import { parseFrames } from '../../domain/access/pass.js';
import { z } from 'zod';
import { openings } from '../../domain/access/openings.js';
import { SHARE, type Share } from '../../domain/access/pass.js';
import { roles } from '../../domain/access/roles.js';
import type { Holder } from '../../host/access.js';
import { Refusal } from '../../errors.js';
import { about } from '../audited.js';
import { signedIn } from '../auth.js';
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
  .describe(
    'Who may open the app: everyone, everyone who is logged in, the people and groups with a role in it, or also everyone who ' +
      'knows its password.',
  );
const frames = z
  .array(z.string().max(300))
  .max(100)
  .describe('The origins whose pages may frame the app, if a share link with "embed" opens it.');
const shareSchema = z
  .object({
    id: z.string(),
    name: z.string().describe('Who the link is for.'),
    embed: z.boolean().describe('Whether pages of the origins in "frames" may frame what it opens.'),
    by: z.string(),
    created_at: z.string(),
    expires_at: z.string(),
  })
  .meta({ id: 'ShareLink' });
const accessSchema = z
  .object({ opens, roles: z.array(holderSchema), shares: z.array(shareSchema), frames })
  .meta({ id: 'Access' });
const newShareSchema = z
  .object({ share: shareSchema, url: z.string().describe('The link. It is not shown again.') })
  .meta({ id: 'NewShareLink' });

export type ShareAnswer = z.infer<typeof shareSchema>;
export type NewShareAnswer = z.infer<typeof newShareSchema>;

export type AccessAnswer = z.infer<typeof accessSchema>;
export type HolderAnswer = z.infer<typeof holderSchema>;

const withWho = params.app.extend({
  who: z.string().max(300).describe('An email address, or "group:" and the name of a group.'),
});
const body = z.strictObject({ role: z.enum(roles) });
const opensBody = z.strictObject({
  opens: opens.optional(),
  password: z.string().max(1_000).optional().describe('With "opens": "password". Without it, the current one is kept.'),
  frames: frames.optional(),
});
const shareBody = z.strictObject({
  name: z.string().max(200),
  days: z.number().int().min(1).max(SHARE.mostDays).default(SHARE.usualDays),
  embed: z.boolean().default(false),
});
const withShare = params.app.extend({ share: z.string().max(100).describe('The id of the share link.') });

/** The calls about who has which role in an app. */
export function accessRoutes(api: ApiContext): Route[] {
  const { access } = api;
  const presentAll = (id: string): AccessAnswer => {
    const { app } = api.host.apps.get(id);
    const whole = app.preview?.of ?? id;
    return {
      opens: api.rights.openingOf(app),
      roles: access.of(whole).map(present),
      shares: access.shares(whole).map(presentShare),
      frames: [...access.framesOf(whole)],
    };
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
      codes: ['preview-roles', 'visit-password-missing', 'password-weak', 'origin-invalid', 'origins-too-many'],
      answers: { 200: { description: 'Who may open it.', content: { 'application/json': accessSchema } } },
      async handle(ctx, input) {
        const { id } = input.params;
        const { opens: wanted, password, frames: origins } = await readJson(ctx, opensBody);
        about(ctx, [wanted ?? [], origins === undefined ? [] : `frames: ${origins.join(' ')}`].flat().join(', '));
        if (password !== undefined && wanted !== 'password') {
          const sentence = '"password" needs "opens": "password".';
          throw new Refusal('invalid', 'field-invalid', sentence, { field: 'password' });
        }
        // The first may be refused; what is changed is all or nothing.
        const frames = origins === undefined ? undefined : parseFrames(origins);
        if (wanted !== undefined) await access.open(id, wanted, password);
        if (frames !== undefined) await access.frame(id, frames);
        ctx.body = presentAll(input.params.id);
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/shares',
      tag: 'people',
      can: 'access',
      summary: 'Create a share link',
      description: 'Who has the link opens the app without an account, until it expires or is revoked.',
      params: params.app,
      body: { 'application/json': shareBody },
      codes: ['preview-roles', 'share-name-invalid', 'shares-too-many'],
      answers: { 201: { description: 'The link.', content: { 'application/json': newShareSchema } } },
      async handle(ctx, input) {
        const { id } = input.params;
        const wanted = await readJson(ctx, shareBody);
        about(ctx, wanted.name);
        const { share, code } = await access.share(id, wanted, signedIn(ctx).principal);
        ctx.status = 201;
        ctx.body = { share: presentShare(share), url: shareUrl(api.links().app(id), code, share.embed) };
      },
    }),

    route({
      method: 'delete',
      path: '/apps/{id}/shares/{share}',
      tag: 'people',
      can: 'access',
      summary: 'Revoke a share link',
      description: 'Open pages that came by it lose their connection.',
      params: withShare,
      codes: ['share-not-found'],
      answers: { 204: { description: 'It no longer works.' } },
      async handle(ctx, input) {
        await access.unshare(input.params.id, input.params.share);
        ctx.status = 204;
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

/** The link of an app. @param app its address */
export function shareUrl(app: string, code: string, embed: boolean): string {
  return `${app}?${embed ? 'embed=true&' : ''}_share=${code}`;
}

function presentShare({ id, name, embed, by, createdAt, expiresAt }: Share): ShareAnswer {
  const dates = { created_at: new Date(createdAt).toISOString(), expires_at: new Date(expiresAt).toISOString() };
  return { id, name, embed, by, ...dates };
}

function present({ who, title, kind, role }: Holder): HolderAnswer {
  return { who, name: title, kind, role };
}
