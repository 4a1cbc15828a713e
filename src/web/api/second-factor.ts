import { z } from 'zod';
import { hasFactor } from '../../domain/access/second-factor.js';
import { totpUri } from '../../domain/access/totp.js';
import { about } from '../audited.js';
import { signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { demandAccount } from './me.js';
import { route, type ApiContext, type Route } from './route.js';

const factorSchema = z
  .object({
    required: z.boolean().describe('Whether a login with the password needs one.'),
    app_since: z.string().nullable().describe('Since when there is an app for codes; null for none.'),
    passkeys: z
      .array(
        z.object({ id: z.string(), name: z.string(), created_at: z.string(), last_used_at: z.string().nullable() }),
      )
      .describe('Passkeys are added in the console, since only a browser makes them.'),
    recovery_codes: z.number().describe('How many are left.'),
  })
  .meta({ id: 'SecondFactor' });

export type SecondFactorAnswer = z.infer<typeof factorSchema>;

const codesSchema = z.object({
  recovery_codes: z.array(z.string()).describe('Each works once, and is shown only now.'),
});
const password = z.string().max(1_000).describe('Your password.');
const bodies = {
  password: z.strictObject({ password }),
  code: z.strictObject({ code: z.string().max(100).describe('The code that the app shows.') }),
};
const CHANGE = ['account-only', 'password-missing', 'password-wrong', 'vault-key-missing'] as const;
const VAULT = ['vault-key-missing'] as const;

/** The calls about second factors: one's own, and those of others, for admins. */
export function secondFactorRoutes(api: ApiContext): Route[] {
  const { factors, people } = api;
  const readJson = jsonReader();
  const codes = { description: 'New recovery codes.', content: { 'application/json': codesSchema } };
  const body = { 'application/json': bodies.password };
  // A key is confirmed by the token or the session that asked for it.
  const placeOf = (account: string, session: { id: string } | undefined): string =>
    session === undefined ? `token of ${account}` : `session ${session.id}`;
  const present = async (user: string): Promise<SecondFactorAnswer> => {
    const account = people.get(user);
    const { totp, passkeys, recovery } = await factors.of(account.id);
    return {
      required: factors.isRequired(account),
      app_since: totp === undefined ? null : iso(totp.since),
      passkeys: passkeys.map(({ id, name, createdAt, lastUsedAt }) => ({
        ...{ id, name, created_at: iso(createdAt) },
        last_used_at: lastUsedAt === undefined ? null : iso(lastUsedAt),
      })),
      recovery_codes: hasFactor({ totp, passkeys }) ? recovery.length : 0,
    };
  };
  const found = { 200: { description: 'What there is.', content: { 'application/json': factorSchema } } };
  const user = z.object({ user: z.string().max(300).describe("The account's email address or id.") });
  return [
    route({
      method: 'get',
      path: '/me/second-factor',
      tag: 'people',
      can: 'account',
      summary: 'Get your second factor',
      codes: ['account-only', ...VAULT],
      answers: found,
      async handle(ctx) {
        ctx.body = await present(demandAccount(signedIn(ctx).principal));
      },
    }),

    route({
      method: 'post',
      path: '/me/second-factor/app',
      tag: 'people',
      can: 'account',
      summary: 'Set up an app for codes',
      description: 'It counts once a code of it has confirmed it, within 15 minutes; until then an earlier one does.',
      body,
      codes: CHANGE,
      answers: {
        201: {
          description: 'The key for the app.',
          content: {
            'application/json': z.object({
              key: z.string().describe('In base32.'),
              uri: z.string().describe('What a QR code shows.'),
            }),
          },
        },
      },
      async handle(ctx) {
        const { principal, session } = signedIn(ctx);
        const id = demandAccount(principal);
        const key = await factors.setUp(id, placeOf(id, session), (await readJson(ctx, bodies.password)).password);
        ctx.status = 201;
        ctx.body = { key, uri: totpUri(key, new URL(api.publicBase()).host, people.get(id).email) };
      },
    }),

    route({
      method: 'post',
      path: '/me/second-factor/app/confirm',
      tag: 'people',
      can: 'account',
      summary: 'Confirm an app for codes',
      description: 'Your other sessions end.',
      body: { 'application/json': bodies.code },
      codes: ['account-only', 'set-up-expired', 'second-factor-wrong', ...VAULT],
      answers: { 200: codes },
      async handle(ctx) {
        const { principal, session } = signedIn(ctx);
        const id = demandAccount(principal);
        const { code } = await readJson(ctx, bodies.code);
        const made = await factors.confirm(id, placeOf(id, session), code, { session: session?.id });
        ctx.body = { recovery_codes: made };
      },
    }),

    route({
      method: 'post',
      path: '/me/second-factor/app/remove',
      tag: 'people',
      can: 'account',
      summary: 'Remove your app for codes',
      body,
      codes: [...CHANGE, 'second-factor-required'],
      answers: { 204: { description: 'It was removed.' } },
      async handle(ctx) {
        const id = demandAccount(signedIn(ctx).principal);
        await factors.removeTotp(id, (await readJson(ctx, bodies.password)).password);
        ctx.status = 204;
      },
    }),

    route({
      method: 'post',
      path: '/me/second-factor/passkeys/{passkey}/remove',
      tag: 'people',
      can: 'account',
      summary: 'Remove one of your passkeys',
      params: z.object({ passkey: z.string().max(100).describe('The id of the passkey.') }),
      body,
      codes: [...CHANGE, 'passkey-not-found', 'second-factor-required'],
      answers: { 204: { description: 'It was removed.' } },
      async handle(ctx, input) {
        const id = demandAccount(signedIn(ctx).principal);
        await factors.removePasskey(id, input.params.passkey, (await readJson(ctx, bodies.password)).password);
        ctx.status = 204;
      },
    }),

    route({
      method: 'post',
      path: '/me/second-factor/recovery-codes',
      tag: 'people',
      can: 'account',
      summary: 'Create new recovery codes',
      description: 'The earlier ones no longer work.',
      body,
      codes: [...CHANGE, 'second-factor-missing'],
      answers: { 200: codes },
      async handle(ctx) {
        const id = demandAccount(signedIn(ctx).principal);
        const made = await factors.renewCodes(id, (await readJson(ctx, bodies.password)).password);
        ctx.body = { recovery_codes: made };
      },
    }),

    route({
      method: 'get',
      path: '/users/{user}/second-factor',
      tag: 'people',
      can: 'people',
      summary: 'Get the second factor of an account',
      params: user,
      codes: ['user-not-found', ...VAULT],
      answers: found,
      async handle(ctx, input) {
        ctx.body = await present(input.params.user);
      },
    }),

    route({
      method: 'delete',
      path: '/users/{user}/second-factor',
      tag: 'people',
      can: 'people',
      summary: 'Reset the second factor of an account',
      description: 'Removes its app for codes, passkeys and recovery codes, and ends its sessions.',
      params: user,
      codes: ['user-not-found', ...VAULT],
      answers: { 204: { description: 'It was reset.' } },
      async handle(ctx, input) {
        const { email } = await factors.reset(input.params.user);
        about(ctx, `${email}, second factor reset`);
        ctx.status = 204;
      },
    }),
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
