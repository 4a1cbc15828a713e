import { Router } from '@koa/router';
import type { Context } from 'koa';
import { totpUri } from '../domain/access/totp.js';
import { Refusal, type RefusalCode } from '../errors.js';
import { browserOf } from '../domain/access/browser.js';
import { CHALLENGE_MS } from '../domain/access/challenges.js';
import { HALF_MS, type HalfLogins } from '../host/half-logins.js';
import type { Passkeys } from '../host/passkeys.js';
import { wrongCode, type SecondFactors } from '../host/second-factors.js';
import type { SessionOwner } from '../store/sessions.js';
import { beginSession, demandNobodyElse, sessionFrom, type Access } from './session.js';
import { loginToken } from './csrf.js';
import { wordsIn } from './language.js';
import { forgetHalf, halvesIn, setHalf, setTicket, ticketsIn, type Base } from './session-cookie.js';

export interface SecondStepOptions {
  access: Access;
  factors: SecondFactors;
  halves: HalfLogins;
  passkeys: Passkeys;
  base: () => Base;
  page: (ctx: Context, model: SecondModel) => string;
}

/** What the page between the password and the session shows. */
export interface SecondModel {
  kind: 'code' | 'set-up' | 'codes' | 'ended';
  email: string;
  /** True where a code of an app is asked for, and not only a recovery code. */
  app: boolean;
  /** The key of an app that is set up, and its URI. */
  key: string;
  uri: string;
  /** Recovery codes, which are shown once. */
  codes: readonly string[];
  /** What a passkey is asked for, or made with, as JSON; undefined where none works here. */
  passkey: string | undefined;
  /** Where it goes on. */
  next: string;
  error: string | undefined;
  /** The token of the page's forms. */
  proof: string;
  /** The token of the form of a passkey. */
  passkeyProof: string;
}

/** The step between a password and a session. */
export interface SecondStep {
  router: Router;
  /** Goes on for somebody whose password was right: to where they wanted, or first to their second factor. @throws Refusal `logged-in-already`, those of the vault */
  enter: (ctx: Context, owner: SessionOwner, next: string) => Promise<void>;
}

/** The second factor, asked for in the browser in which the password was typed. */
export function secondStepRoutes({ access, factors, halves, passkeys, base, page }: SecondStepOptions): SecondStep {
  const router = new Router({ sensitive: true });

  router.get('/console/second', async (ctx) => {
    const half = halfOf(ctx);
    if (half === undefined) return gone(ctx);
    await show(ctx, half);
  });

  router.post('/console/second', async (ctx) => {
    const half = halfOf(ctx);
    if (half === undefined) return gone(ctx);
    const { account } = half;
    // Counted before it is looked at, as passwords are.
    access.attempts.demand(ctx.ip);
    access.attempts.failed(ctx.ip);
    if ((await factors.neededBy(account.id)) !== 'factor') return show(ctx, half);
    const proven = await factors.check(account.id, codeIn(ctx));
    if (proven === undefined) return wrong(ctx, half, wrongCode());
    access.attempts.right(ctx.ip);
    if (await finish(ctx, half, `log in with a ${proven}`)) leave(ctx, half.next);
  });

  router.post('/console/second/passkey', async (ctx) => {
    const half = halfOf(ctx);
    if (half === undefined) return gone(ctx);
    access.attempts.demand(ctx.ip);
    access.attempts.failed(ctx.ip);
    try {
      await passkeys.verify(ticketsIn(ctx, base()), fieldIn(ctx, 'response'), half.account.id);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return wrong(ctx, half, error);
    }
    access.attempts.right(ctx.ip);
    if (await finish(ctx, half, 'log in with a password and a passkey')) leave(ctx, half.next);
  });

  router.post('/console/second/set-up', (ctx) =>
    setUp(ctx, 'second-factor-wrong', ({ account, id }) =>
      factors.confirm(account.id, id, codeIn(ctx), { first: true }),
    ),
  );

  // Instead of an app for codes.
  router.post('/console/second/new-passkey', (ctx) =>
    setUp(ctx, 'passkey-wrong', async ({ account, id }) => {
      const name = browserOf(ctx.get('user-agent'));
      const made = { tickets: ticketsIn(ctx, base()), place: id, name, answer: fieldIn(ctx, 'response') };
      return (await passkeys.register(account.id, made, { first: true })) ?? [];
    }),
  );

  return {
    router,
    async enter(ctx, owner, next) {
      demandNobodyElse(ctx, access, base(), owner.account);
      const { account } = owner;
      if (account === undefined || (await factors.neededBy(account)) === 'nothing') {
        await beginSession(ctx, access, base(), owner);
        return leave(ctx, next);
      }
      setHalf(ctx, halves.begin(account, next), base(), HALF_MS / 1_000);
      leave(ctx, '/console/second');
    },
  };

  function halfOf(ctx: Context): Half | undefined {
    const found = halvesIn(ctx, base()).flatMap((id) => {
      const half = halves.find(id);
      return half === undefined ? [] : { ...half, id };
    });
    // Which of several is ours cannot be told, so then it is none.
    return found.length === 1 ? found[0] : undefined;
  }

  /**
   * Sets up the first factor of somebody who must have one, and logs them in.
   * @param guessed the code of the refusal that counts as a wrong guess
   * @param make takes the factor, and returns its recovery codes
   */
  async function setUp(ctx: Context, guessed: RefusalCode, make: (half: Half) => Promise<string[]>): Promise<void> {
    const half = halfOf(ctx);
    if (half === undefined) return gone(ctx);
    access.attempts.demand(ctx.ip);
    access.attempts.failed(ctx.ip);
    try {
      const codes = await make(half);
      access.attempts.right(ctx.ip);
      if (await finish(ctx, half, 'log in with a new second factor')) render(ctx, half, { kind: 'codes', codes });
    } catch (error) {
      if (!(error instanceof Refusal) || error.code === 'logged-in-already') throw error;
      if (error.code === guessed) return wrong(ctx, half, error);
      await show(ctx, half, error);
    }
  }

  /** Begins the session. @returns false where the half login was used up in the meantime, which is answered here */
  async function finish(ctx: Context, { id, account }: Half, how: string): Promise<boolean> {
    demandNobodyElse(ctx, access, base(), account.id);
    if (!halves.use(id)) {
      gone(ctx);
      return false;
    }
    forgetHalf(ctx, base());
    await beginSession(ctx, access, base(), { name: account.email, account: account.id }, how);
    return true;
  }

  async function wrong(ctx: Context, half: Half, refusal: Refusal): Promise<void> {
    const { account, id } = half;
    halves.failed(id);
    access.audit.login(
      { who: { name: account.email, account: account.id }, from: ctx.ip, what: 'second factor' },
      'refused',
    );
    if (halves.find(id) === undefined) return gone(ctx);
    await show(ctx, half, refusal);
  }

  async function show(ctx: Context, half: Half, refusal?: Refusal): Promise<void> {
    const { account, id, next } = half;
    const needed = await factors.neededBy(account.id);
    if (needed === 'nothing') {
      if (await finish(ctx, half, 'log in')) leave(ctx, next);
      return;
    }
    const told = { error: refusal && wordsIn(ctx).sentence(refusal.message), status: refusal?.status };
    if (needed === 'factor') {
      const found = await factors.of(account.id);
      const asks = found.passkeys.length > 0 && passkeys.usable();
      const passkey = asks ? await passkeys.request(ticketFor(ctx), account.id) : undefined;
      return render(ctx, half, { kind: 'code', app: found.totp !== undefined, passkey, ...told });
    }
    const key = await factors.setUpAtLogin(account.id, id);
    const passkey = passkeys.usable() ? await passkeys.registrationAtLogin(account.id, ticketFor(ctx), id) : undefined;
    render(ctx, half, { kind: 'set-up', passkey, key, uri: totpUri(key, base().host, account.email), ...told });
  }

  function ticketFor(ctx: Context): string {
    const ticket = passkeys.ticket(ticketsIn(ctx, base()));
    setTicket(ctx, ticket, base(), CHALLENGE_MS / 1_000);
    return ticket;
  }

  function render(
    ctx: Context,
    { account, next }: Pick<Half, 'account' | 'next'>,
    { status = 200, ...model }: Partial<SecondModel> & Pick<SecondModel, 'kind'> & { status?: number | undefined },
  ): void {
    ctx.status = status;
    ctx.type = 'html';
    const setsUp = model.kind === 'set-up';
    const proof = loginToken(ctx, base(), `/console/second${setsUp ? '/set-up' : ''}`);
    const passkeyProof = loginToken(ctx, base(), `/console/second/${setsUp ? 'new-passkey' : 'passkey'}`);
    const about = { email: account.email, next: base().path + next };
    ctx.body = page(ctx, { ...NOTHING, proof, passkeyProof, ...about, ...model });
  }

  function gone(ctx: Context): void {
    if (sessionFrom(ctx.headers.cookie, access, base()) !== undefined) return leave(ctx, '/console/');
    ctx.status = 410;
    ctx.type = 'html';
    ctx.body = page(ctx, { ...NOTHING, kind: 'ended' });
  }

  function leave(ctx: Context, next: string): void {
    ctx.status = 303;
    ctx.redirect(base().path + next);
  }
}

/** What a page shows that shows nothing of its own. */
const NOTHING = {
  ...{ proof: '', passkeyProof: '', email: '', next: '', app: false, key: '', uri: '', codes: [] },
  ...{ passkey: undefined, error: undefined },
};

/** A login that lacks the second factor, in the browser that it belongs to. */
type Half = NonNullable<ReturnType<HalfLogins['find']>> & { id: string };

function codeIn(ctx: Context): string {
  return fieldIn(ctx, 'code');
}

function fieldIn(ctx: Context, name: string): string {
  const value = (ctx.request as { body?: Record<string, unknown> }).body?.[name];
  return typeof value === 'string' ? value : '';
}
