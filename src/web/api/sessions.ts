import { z } from 'zod';
import type { ListedSession } from '../../store/sessions.js';
import { signedIn } from '../auth.js';
import { route, type ApiContext, type Route } from './route.js';

const sessionSchema = z
  .object({
    id: z.string().describe('Names the session; it logs nobody in.'),
    browser: z.string().nullable(),
    from: z.string().nullable().describe('The IP address of the login.'),
    provider: z
      .string()
      .nullable()
      .describe('The provider of OpenID Connect that it was begun with, or "trusted-proxy".'),
    created_at: z.string(),
    last_used_at: z.string().describe('To the hour.'),
    current: z.boolean().describe('Whether it is the one that asks.'),
  })
  .meta({ id: 'Session' });

const listSchema = z.object({ sessions: z.array(sessionSchema) });

export type SessionAnswer = z.infer<typeof sessionSchema>;

const session = z.string().max(100).describe('The id of the session.');
const user = z.string().max(300).describe("The account's email address or id.");

/** The calls about browsers that are logged in. */
export function sessionRoutes({ sessions, people }: Pick<ApiContext, 'sessions' | 'people'>): Route[] {
  const list = { description: 'The last used first.', content: { 'application/json': listSchema } };
  return [
    route({
      method: 'get',
      path: '/me/sessions',
      tag: 'people',
      can: 'account',
      summary: 'List your sessions',
      description: 'Those of the admin token, if you use it.',
      answers: { 200: list },
      async handle(ctx) {
        const { principal, session: mine } = signedIn(ctx);
        const current = mine === undefined ? undefined : sessions.listedAs(mine.id);
        ctx.body = { sessions: sessions.list(principal.account).map((one) => present(one, current)) };
      },
    }),

    route({
      method: 'delete',
      path: '/me/sessions/{session}',
      tag: 'people',
      can: 'account',
      summary: 'End one of your sessions',
      description: 'Its open pages lose their connection.',
      params: z.object({ session }),
      codes: ['session-not-found'],
      answers: { 204: { description: 'It has ended.' } },
      async handle(ctx, input) {
        await sessions.endListed(signedIn(ctx).principal.account, input.params.session);
        ctx.status = 204;
      },
    }),

    route({
      method: 'get',
      path: '/users/{user}/sessions',
      tag: 'people',
      can: 'people',
      summary: 'List the sessions of an account',
      params: z.object({ user }),
      codes: ['user-not-found'],
      answers: { 200: list },
      async handle(ctx, input) {
        ctx.body = { sessions: sessions.list(people.get(input.params.user).id).map((one) => present(one, undefined)) };
      },
    }),

    route({
      method: 'delete',
      path: '/users/{user}/sessions',
      tag: 'people',
      can: 'people',
      summary: 'End all sessions of an account',
      description: 'Its open pages lose their connection. Its tokens go on.',
      params: z.object({ user }),
      codes: ['user-not-found'],
      answers: { 204: { description: 'They have ended.' } },
      async handle(ctx, input) {
        await sessions.endOf(people.get(input.params.user).id);
        ctx.status = 204;
      },
    }),
  ];
}

function present(
  { id, browser, from, provider, createdAt, usedAt }: ListedSession,
  current: string | undefined,
): SessionAnswer {
  return {
    ...{ id, browser: browser ?? null, from: from ?? null, provider: provider ?? null },
    created_at: new Date(createdAt).toISOString(),
    last_used_at: new Date(usedAt).toISOString(),
    current: id === current,
  };
}
