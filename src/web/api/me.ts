import { z } from 'zod';
import { serverVerbs } from '../../domain/access/permissions.js';
import type { Principal } from '../../domain/access/principal.js';
import { Refusal } from '../../errors.js';
import { signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { presentUser, userSchema } from './people.js';
import { route, type ApiContext, type Route } from './route.js';

const meSchema = z
  .object({
    kind: z.enum(['person', 'token']),
    name: z.string().describe('As deploys show it.'),
    admin: z.boolean(),
    user: userSchema.nullable().describe('The account; null for the admin token.'),
    may: z.array(z.string()).describe('What you may do on the server, such as create apps or manage people.'),
  })
  .meta({ id: 'Me' });

export type MeAnswer = z.infer<typeof meSchema>;

const bodies = {
  change: z.strictObject({ name: z.string().max(200).describe('Your name.') }),
  password: z.strictObject({
    current: z.string().max(1_000).describe('Your current password.'),
    password: z.string().max(1_000).describe('The new one.'),
  }),
};

/** The calls about the caller's own account. */
export function meRoutes(api: ApiContext): Route[] {
  const { people, rights } = api;
  const readJson = jsonReader();
  const present = (by: Principal): MeAnswer => ({
    kind: by.kind === 'person' ? 'person' : 'token',
    name: by.name,
    admin: by.admin === true,
    user: by.account === undefined ? null : presentUser(people.get(by.account)),
    may: serverVerbs.filter((verb) => rights.may(by, verb)),
  });
  return [
    route({
      method: 'get',
      path: '/me',
      tag: 'people',
      can: 'me',
      summary: 'Get your own account',
      answers: { 200: { description: 'Who you are.', content: { 'application/json': meSchema } } },
      async handle(ctx) {
        ctx.body = present(signedIn(ctx).principal);
      },
    }),

    route({
      method: 'patch',
      path: '/me',
      tag: 'people',
      can: 'account',
      summary: 'Change your name',
      body: { 'application/json': bodies.change },
      codes: ['account-only', 'person-name-invalid', 'record-unreadable'],
      answers: { 200: { description: 'Who you are.', content: { 'application/json': meSchema } } },
      async handle(ctx) {
        const by = signedIn(ctx).principal;
        const id = demandAccount(by);
        await people.rename(id, (await readJson(ctx, bodies.change)).name);
        ctx.body = present(by);
      },
    }),

    route({
      method: 'post',
      path: '/me/password',
      tag: 'people',
      can: 'account',
      summary: 'Change your password',
      description: 'Your other sessions end.',
      body: { 'application/json': bodies.password },
      codes: ['account-only', 'password-wrong', 'password-weak', 'record-unreadable'],
      answers: { 204: { description: 'The password was changed.' } },
      async handle(ctx) {
        const { principal, session } = signedIn(ctx);
        const id = demandAccount(principal);
        const { current, password } = await readJson(ctx, bodies.password);
        await people.changePassword(id, current, password, session?.id);
        ctx.status = 204;
      },
    }),
  ];
}

/** The account that acts. @throws Refusal `account-only` for the admin token */
export function demandAccount({ account }: Principal): string {
  if (account !== undefined) return account;
  const sentence = 'The admin token has no account. Log in with an email address and a password.';
  throw new Refusal('conflict', 'account-only', sentence);
}
