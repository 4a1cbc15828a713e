import { z } from 'zod';
import { isInvited, type Account } from '../../domain/access/account.js';
import type { NewLink } from '../../store/users.js';
import { about, told } from '../audited.js';
import { signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { route, type ApiContext, type Route } from './route.js';

const email = z.string().max(300).describe('The email address, which is the login name.');
const name = z.string().max(200).describe("The person's name.");
const admin = z.boolean().describe('true allows everything.');
const groups = z.array(z.string().max(200)).max(200).describe('The groups that the person belongs to.');
const password = z.string().max(1_000);

/** An account, as the API shows it. */
export const userSchema = z
  .object({
    id: z.string().describe('Never changes, and is never given to another account.'),
    email,
    name,
    admin,
    groups,
    disabled: z.boolean(),
    invited: z.boolean().describe('Whether the person has not joined yet, with a password or another login.'),
    second_factor_required: z
      .boolean()
      .describe('Whether it is required of this account; the server may require it of all.'),
    created_at: z.string(),
    last_login_at: z.string().nullable(),
  })
  .meta({ id: 'User' });

const linkSchema = z
  .object({ url: z.string().describe('Works once.'), expires_at: z.string() })
  .meta({ id: 'PasswordLink' });

export type UserAnswer = z.infer<typeof userSchema>;
export type PasswordLinkAnswer = z.infer<typeof linkSchema>;
export type InvitedAnswer = { user: UserAnswer; invitation: PasswordLinkAnswer | null };

const params = z.object({ user: z.string().max(300).describe("The account's email address or id.") });
const bodies = {
  add: z.strictObject({
    email,
    name: name.optional(),
    admin: admin.optional(),
    groups: groups.optional(),
    password: password.optional().describe('Without it, the answer has an invitation link.'),
  }),
  change: z.strictObject({
    email: email.optional(),
    name: name.optional(),
    admin: admin.optional(),
    groups: groups.optional().describe('Replaces all groups.'),
    disabled: z.boolean().optional().describe('true ends all sessions of the account.'),
    second_factor_required: z
      .boolean()
      .optional()
      .describe('true: a login with the password needs a second factor, which is set up at the next one.'),
  }),
};
const INPUT = ['email-invalid', 'email-taken', 'group-invalid', 'groups-too-many', 'person-name-invalid'] as const;
const STORED = ['record-unreadable'] as const;

/** The calls about accounts, for admins. */
export function peopleRoutes(api: ApiContext): Route[] {
  const { people } = api;
  const readJson = jsonReader();
  const user = { 'application/json': userSchema };
  return [
    route({
      method: 'get',
      path: '/users',
      tag: 'people',
      can: 'people',
      summary: 'List accounts',
      answers: {
        200: {
          description: 'All accounts, by email address.',
          content: { 'application/json': z.object({ users: z.array(userSchema) }) },
        },
      },
      async handle(ctx) {
        ctx.body = { users: people.list().map(presentUser) };
      },
    }),

    route({
      method: 'post',
      path: '/users',
      tag: 'people',
      can: 'people',
      summary: 'Add an account',
      description: 'Send the invitation link to the person. It works once, within 72 hours.',
      body: { 'application/json': bodies.add },
      codes: [...INPUT, ...STORED, 'password-weak'],
      answers: {
        201: {
          description: 'The account and its invitation link.',
          content: { 'application/json': z.object({ user: userSchema, invitation: linkSchema.nullable() }) },
        },
      },
      async handle(ctx) {
        const input = present(await readJson(ctx, bodies.add));
        about(ctx, told(input));
        const { account, invitation } = await people.add(input, signedIn(ctx).principal);
        ctx.status = 201;
        ctx.body = {
          user: presentUser(account),
          invitation: invitation === undefined ? null : presentLink(api, invitation),
        };
      },
    }),

    route({
      method: 'get',
      path: '/users/{user}',
      tag: 'people',
      can: 'people',
      summary: 'Get an account',
      params,
      codes: ['user-not-found'],
      answers: { 200: { description: 'The account.', content: user } },
      async handle(ctx, input) {
        ctx.body = presentUser(people.get(input.params.user));
      },
    }),

    route({
      method: 'patch',
      path: '/users/{user}',
      tag: 'people',
      can: 'people',
      summary: 'Change, disable or enable an account',
      description:
        'All fields are optional. Sessions end if the account is disabled, or becomes or stops being an admin.',
      params,
      body: { 'application/json': bodies.change },
      codes: [...INPUT, ...STORED, 'user-not-found', 'last-admin'],
      answers: { 200: { description: 'The account.', content: user } },
      async handle(ctx, input) {
        people.get(input.params.user);
        const { second_factor_required: secondFactorRequired, ...rest } = await readJson(ctx, bodies.change);
        const change = present({ ...rest, secondFactorRequired });
        about(ctx, told({ email: input.params.user, ...change }));
        ctx.body = presentUser(await people.change(input.params.user, change));
      },
    }),

    ...(['invitation', 'reset'] as const).map((kind) =>
      route({
        method: 'post',
        path: `/users/{user}/${kind}`,
        tag: 'people',
        can: 'people',
        summary: kind === 'invitation' ? 'Create a new invitation link' : 'Create a link to reset a password',
        description: 'Earlier links of the account stop working.',
        params,
        codes: [
          'user-not-found',
          'user-disabled',
          ...(kind === 'invitation' ? (['already-joined'] as const) : []),
          ...STORED,
        ],
        answers: {
          201: {
            description: 'The link. It works once, within 72 hours.',
            content: { 'application/json': linkSchema },
          },
        },
        async handle(ctx, input: { params: z.infer<typeof params> }) {
          const by = signedIn(ctx).principal;
          const { user: who } = input.params;
          const link = kind === 'invitation' ? await people.invite(who, by) : await people.reset(who, by);
          ctx.status = 201;
          ctx.body = presentLink(api, link);
        },
      }),
    ),
  ];
}

/** An account as the API tells it; of its password, only whether there is one. */
export function presentUser(account: Account): UserAnswer {
  const { id, email: address, name: called, admin: all, groups: list, disabled, createdAt, lastLoginAt } = account;
  return {
    id,
    email: address,
    name: called,
    admin: all,
    groups: list,
    disabled,
    invited: isInvited(account),
    second_factor_required: account.secondFactorRequired === true,
    created_at: createdAt,
    last_login_at: lastLoginAt ?? null,
  };
}

function presentLink(api: Pick<ApiContext, 'publicBase'>, { code, expiresAt }: NewLink): PasswordLinkAnswer {
  return { url: `${api.publicBase()}/console/join?code=${code}`, expires_at: expiresAt.toISOString() };
}

/** Only the fields that were sent. */
function present<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
