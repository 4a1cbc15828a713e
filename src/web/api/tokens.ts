import { z } from 'zod';
import { scopes } from '../../domain/access/scopes.js';
import { DAYS, type Token } from '../../domain/access/tokens.js';
import type { NewToken } from '../../host/tokens.js';
import { signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { demandAccount } from './me.js';
import { route, type ApiContext, type Route } from './route.js';
import { params } from './schemas.js';

const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    hint: z.string().describe('Its first characters.'),
    scope: z.enum(scopes),
    apps: z.array(z.string()).nullable().describe('The apps that it is for; null = all.'),
    active: z.boolean().describe('false if it has expired or was revoked.'),
    created_at: z.string(),
    expires_at: z.string(),
    last_used_at: z.string().nullable().describe('To the hour.'),
  })
  .meta({ id: 'Token' });

const newSchema = tokenSchema
  .extend({ token: z.string().describe('The token itself, shown only now.') })
  .meta({ id: 'NewToken' });
const listSchema = z.object({ tokens: z.array(tokenSchema) });

export type TokenAnswer = z.infer<typeof tokenSchema>;
export type NewTokenAnswer = z.infer<typeof newSchema>;

const name = z.string().max(200).describe('What it is for, such as "laptop".');
const days = z.number().int().min(1).max(DAYS.most).default(DAYS.usual).describe('How many days it works.');
const bodies = {
  own: z.strictObject({
    name,
    scope: z.enum(scopes).describe('read, deploy (also push and deploy) or manage (everything you may do).'),
    apps: z
      .array(z.string().max(100))
      .min(1)
      .max(100)
      .optional()
      .describe('The apps it is for, with their previews; default: all.'),
    days,
  }),
  app: z.strictObject({ name, days }),
};
const token = z.string().max(100).describe("The token's id.");
const withToken = { own: z.object({ token }), app: params.app.extend({ token }) };
const MADE = ['token-name-invalid', 'tokens-too-many', 'record-unreadable'] as const;

/** The calls about tokens: one's own, and those with which programs deploy an app. */
export function tokenRoutes(api: ApiContext): Route[] {
  const { tokens } = api;
  const readJson = jsonReader();
  const present = (one: Token): TokenAnswer => presentToken(one, tokens.isActive(one));
  const presentNew = ({ token: made, secret }: NewToken): NewTokenAnswer => ({ ...present(made), token: secret });
  const common = { tag: 'people' } as const;
  return [
    route({
      ...common,
      method: 'get',
      path: '/me/tokens',
      can: 'account',
      summary: 'List your tokens',
      codes: ['account-only'],
      answers: { 200: { description: 'The newest first.', content: { 'application/json': listSchema } } },
      async handle(ctx) {
        ctx.body = { tokens: tokens.list({ account: demandAccount(signedIn(ctx).principal) }).map(present) };
      },
    }),

    route({
      ...common,
      method: 'post',
      path: '/me/tokens',
      can: 'account',
      summary: 'Create a token',
      description: 'Scripts send it as "Authorization: Bearer <token>"; git takes it as the password.',
      body: { 'application/json': bodies.own },
      codes: ['account-only', ...MADE],
      answers: { 201: { description: 'The token.', content: { 'application/json': newSchema } } },
      async handle(ctx) {
        const account = demandAccount(signedIn(ctx).principal);
        const made = await tokens.make(account, await readJson(ctx, bodies.own));
        ctx.status = 201;
        ctx.body = presentNew(made);
      },
    }),

    route({
      ...common,
      method: 'delete',
      path: '/me/tokens/{token}',
      can: 'account',
      summary: 'Revoke a token',
      params: withToken.own,
      codes: ['account-only', 'token-not-found', 'record-unreadable'],
      answers: { 204: { description: 'The token no longer works.' } },
      async handle(ctx, input) {
        await tokens.revoke({ account: demandAccount(signedIn(ctx).principal) }, input.params.token);
        ctx.status = 204;
      },
    }),

    route({
      ...common,
      method: 'get',
      path: '/apps/{id}/deploy-tokens',
      can: 'access',
      summary: "List an app's deploy tokens",
      params: params.app,
      answers: { 200: { description: 'The newest first.', content: { 'application/json': listSchema } } },
      async handle(ctx, input) {
        ctx.body = { tokens: tokens.list({ app: input.params.id }).map(present) };
      },
    }),

    route({
      ...common,
      method: 'post',
      path: '/apps/{id}/deploy-tokens',
      can: 'access',
      summary: 'Create a deploy token',
      description: 'For CI: it belongs to the app, and may do what a developer of it may with the scope deploy.',
      params: params.app,
      body: { 'application/json': bodies.app },
      codes: [...MADE],
      answers: { 201: { description: 'The token.', content: { 'application/json': newSchema } } },
      async handle(ctx, input) {
        const made = await tokens.makeForApp(input.params.id, await readJson(ctx, bodies.app));
        ctx.status = 201;
        ctx.body = presentNew(made);
      },
    }),

    route({
      ...common,
      method: 'delete',
      path: '/apps/{id}/deploy-tokens/{token}',
      can: 'access',
      summary: 'Revoke a deploy token',
      params: withToken.app,
      codes: ['token-not-found', 'record-unreadable'],
      answers: { 204: { description: 'The token no longer works.' } },
      async handle(ctx, input) {
        await tokens.revoke({ app: input.params.id }, input.params.token);
        ctx.status = 204;
      },
    }),
  ];
}

function presentToken(one: Token, active: boolean): TokenAnswer {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    id: one.id,
    name: one.name,
    hint: one.hint,
    scope: one.scope,
    apps: one.apps ?? null,
    active,
    created_at: iso(one.createdAt),
    expires_at: iso(one.expiresAt),
    last_used_at: one.lastUsedAt === undefined ? null : iso(one.lastUsedAt),
  };
}
