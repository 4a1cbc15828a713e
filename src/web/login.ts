import { Router } from '@koa/router';
import type { Context } from 'koa';
import { CHALLENGE_MS } from '../domain/access/challenges.js';
import type { Passkeys } from '../host/passkeys.js';
import type { People } from '../host/people.js';
import { Refusal } from '../errors.js';
import { prove, slowDown, type Proof } from './auth.js';
import { beginSession, demandNobodyElse, sessionFrom, signOut, type Access } from './session.js';
import type { SecondStep } from './second-step.js';
import { TRUSTED_PROXY } from '../domain/access/proxy-login.js';
import type { ProxyLogins } from './proxy-login.js';
import type { Provider } from '../domain/access/provider.js';
import { wordsIn } from './language.js';
import type { SessionOwner } from '../store/sessions.js';
import { setTicket, ticketsIn, type Base } from './session-cookie.js';
import { loginToken } from './csrf.js';
import { parseUrl } from '../lib/parse-url.js';

export interface LoginOptions {
  access: Access;
  people: People;
  passkeys: Passkeys;
  /** Goes on after a password. */
  enter: SecondStep['enter'];
  /** The providers that people can log in with. */
  providers: readonly Provider[];
  /** Whom a proxy in front names; undefined where none does. */
  proxyLogins: Pick<ProxyLogins, 'offer' | 'refusalOf'> | undefined;
  base: () => Base;
  /** The login page. */
  page(ctx: Context, model: LoginModel): string;
  /** Whether an app is opened after a login: to no other is a person led from here. */
  needsLogin: (app: string) => boolean;
  /** The page on which a person chooses a password. */
  joinPage(ctx: Context, model: JoinModel): string;
}

/** What the login page shows. */
export interface LoginModel {
  /** The CSRF token of its forms. */
  proof: string;
  /** Where to go afterwards. */
  next: string;
  /** True where there are accounts: then it asks for an email address and a password first. */
  accounts: boolean;
  /** True where there is another way to log in than the admin token. */
  others: boolean;
  /** A login link that waits for a click, and whose it is. */
  link: { code: string; name: string } | undefined;
  /** The email address that was typed. */
  email: string;
  /** What a passkey is asked for, as JSON; undefined where nobody has one, or none works here. */
  passkey: string | undefined;
  /** The CSRF token of its form. */
  passkeyProof: string;
  /** Other ways to log in, each a link. */
  providers: { name: string; href: string }[];
  /** The provider that a person who has just logged out is still logged in with, and where they log out there. */
  elsewhere: { name: string; href: string } | undefined;
  /** Why the last try failed, and of which of its ways. */
  error: string | undefined;
  failed: 'token' | 'password' | 'provider' | 'passkey' | undefined;
}

/** What the page of an invitation or a reset link shows. */
export interface JoinModel {
  /** The CSRF token of its form. */
  proof: string;
  code: string;
  /** Whose link it is; undefined where it does not work. */
  account: { email: string; name: string; kind: 'invitation' | 'reset' } | undefined;
  /** Who made a link that no longer works. */
  by: string | undefined;
  error: string | undefined;
  field: string | undefined;
  /** True where the browser is logged in as somebody else, who has to log out first. */
  elsewhere: boolean;
}

/** The routes of the login page, and what those of providers share with them. */
export interface Login {
  router: Router;
  /** Where a login leads to, from what a request says. */
  nextOf: (value: unknown) => string;
  /** Shows the login page with why a login with a provider failed. */
  refuse: (ctx: Context, next: string, refusal: Refusal) => Promise<void>;
}

/** Why a token that is one of ours logs nobody in. */
const TOKEN_CODES: readonly string[] = ['token-not-login', 'token-ended'];

/** The ways into the console and out of it: the login page, the one-use links, and the button "Log out". */
export function loginRoutes(options: LoginOptions): Login {
  const { access, base, people } = options;
  const nextOf = (value: unknown): string => placeOf(value, options.needsLogin);
  const router = new Router({ sensitive: true });

  router.get('/console/login', async (ctx) => {
    const next = nextOf(ctx.query.next);
    const { code } = ctx.query;
    // The link stands in a terminal, and is clicked again by who is in already: it must not say that they are not.
    if (ctx.method !== 'HEAD' && sessionFrom(ctx.headers.cookie, access, base()) !== undefined) return leave(ctx, next);
    // Who asks for the head alone looks where a link leads, as mail and chat programs do: that must not use it up.
    if (typeof code !== 'string' || ctx.method === 'HEAD') {
      const refusal = options.proxyLogins?.refusalOf(ctx.req);
      if (refusal !== undefined) {
        access.audit.login({ who: undefined, from: ctx.ip, what: `log in with ${TRUSTED_PROXY}` }, 'refused');
        return refuse(ctx, next, refusal);
      }
      return show(ctx, { next, elsewhere: leftBehind(ctx) });
    }
    // Any page can lead here, also one whose author wants its visitors to go on as the author: they are asked. What was opened
    // from outside of the browser, such as from a terminal, needs no question.
    const owner = ctx.get('sec-fetch-site') === 'none' ? undefined : access.sessions.ownerOfCode(code);
    if (owner !== undefined) return show(ctx, { next, link: { code, name: owner.name } });
    const found = await prove(ctx, access, { code }, base());
    if (found !== undefined) return goIn(ctx, found, { code }, next);
    await show(ctx, { next, error: wordsIn(ctx).t('login.linkUsed'), failed: 'token' });
  });

  router.post('/console/login', async (ctx) => {
    const { token, code, email, password, next: to } = fieldsOf(ctx);
    const next = nextOf(to);
    const typed = typeof email === 'string' ? email : '';
    const proof = proofIn({ token, code, email: typed, password });
    try {
      const owner = proof === undefined ? undefined : await prove(ctx, access, proof, base());
      if (owner !== undefined && proof !== undefined) return await goIn(ctx, owner, proof, next);
    } catch (error) {
      if (!(error instanceof Refusal) || !TOKEN_CODES.includes(error.code)) throw error;
      access.audit.login({ who: undefined, from: ctx.ip, what: 'log in' }, 'refused');
      return show(ctx, { next, error: wordsIn(ctx).sentence(error.message), failed: 'token' });
    }
    const who = people.list().find((one) => 'password' in (proof ?? {}) && one.email === typed.trim().toLowerCase());
    const known = who && { name: who.email, account: who.id };
    access.audit.login({ who: known, from: ctx.ip, what: 'log in' }, 'refused');
    if (proof !== undefined && 'password' in proof)
      await show(ctx, { next, email: typed, error: wordsIn(ctx).t('login.wrongPassword'), failed: 'password' });
    else {
      const error = wordsIn(ctx).t(typeof code === 'string' ? 'login.linkUsed' : 'login.wrongToken');
      await show(ctx, { next, error, failed: 'token' });
    }
  });

  // Instead of the password: the passkey says whose it is, and its device has checked its person.
  router.post('/console/passkey', async (ctx) => {
    const { response, next: to } = fieldsOf(ctx);
    const next = nextOf(to);
    access.attempts.demand(ctx.ip);
    access.attempts.failed(ctx.ip);
    try {
      const { id, email } = await options.passkeys.verify(ticketsIn(ctx, base()), textOf(response));
      access.attempts.right(ctx.ip);
      await beginSession(ctx, access, base(), { name: email, account: id }, 'log in with a passkey');
      leave(ctx, next);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code === 'logged-in-already') throw error;
      access.audit.login({ who: undefined, from: ctx.ip, what: 'log in with a passkey' }, 'refused');
      await show(ctx, { next, error: wordsIn(ctx).sentence(error.message), failed: 'passkey' }, error.status);
    }
  });

  // Opening the link uses nothing up: mail and chat programs look where a link leads.
  router.get('/console/join', async (ctx) => {
    const code = textOf(ctx.query.code);
    await countGuess(ctx, code);
    try {
      // Before anybody thinks of a password in vain.
      demandNobodyElse(ctx, access, base(), people.link(code).open?.id);
      showJoin(ctx, code);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      showJoin(ctx, code, error);
    }
  });

  router.post('/console/join', async (ctx) => {
    const { code, password, name } = fieldsOf(ctx);
    await countGuess(ctx, textOf(code));
    try {
      demandNobodyElse(ctx, access, base(), people.link(textOf(code)).open?.id);
      const input = { password: textOf(password), ...(typeof name === 'string' ? { name } : {}) };
      const joined = await people.join(textOf(code), input);
      // A link has come by mail or chat, which is not a second factor.
      await goIn(ctx, joined, { email: joined.name, password: input.password }, '/console/');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      showJoin(ctx, textOf(code), error);
    }
  });

  router.post('/console/logout', async (ctx) => {
    const provider = await signOut(ctx, access, base());
    ctx.status = 303;
    ctx.redirect(`${base().path}/console/login${provider === undefined ? '' : `?left=${provider}`}`);
  });

  return { router, nextOf, refuse };

  function refuse(ctx: Context, next: string, { message, status }: Refusal): Promise<void> {
    return show(ctx, { next, error: wordsIn(ctx).sentence(message), failed: 'provider' }, status);
  }

  /** Where somebody who has just logged out is still logged in. */
  function leftBehind(ctx: Context): LoginModel['elsewhere'] {
    const left = options.providers.find(({ id }) => id === ctx.query.left);
    if (left !== undefined) return { name: left.name, href: `${base().path}/console/login/${left.id}/logout` };
    const { name = '', logoutUrl } = options.proxyLogins?.offer(ctx.req) ?? {};
    return ctx.query.left === TRUSTED_PROXY && logoutUrl !== undefined ? { name, href: logoutUrl } : undefined;
  }

  /** Counts the code of a link that never was one. @throws TooManyAttempts */
  async function countGuess(ctx: Context, code: string): Promise<void> {
    const link = people.link(code);
    if (link.open === undefined && link.by === undefined) await slowDown(ctx, access);
  }

  /** Begins the session. After a password, the second factor comes first. */
  async function goIn(ctx: Context, owner: SessionOwner, by: Proof, next: string): Promise<void> {
    if ('password' in by) return options.enter(ctx, owner, next);
    await beginSession(ctx, access, base(), owner);
    leave(ctx, next);
  }

  /** What a passkey is asked for on the page; the other ways in also work where that cannot be read. */
  async function askedOfPasskeys(ctx: Context): Promise<string | undefined> {
    const { passkeys } = options;
    try {
      if (!(await passkeys.offered())) return undefined;
      const ticket = passkeys.ticket(ticketsIn(ctx, base()));
      setTicket(ctx, ticket, base(), CHALLENGE_MS / 1_000);
      return await passkeys.request(ticket);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  async function show(
    ctx: Context,
    model: { next: string } & Partial<LoginModel>,
    status = model.error === undefined ? 200 : 401,
  ): Promise<void> {
    ctx.status = status;
    ctx.type = 'html';
    const all = people.list();
    const proxy = options.proxyLogins?.offer(ctx.req);
    const query = `?next=${encodeURIComponent(model.next)}`;
    const providers = [
      // The page itself logs in whom the proxy names.
      ...(proxy === undefined ? [] : [{ name: proxy.name, href: `${base().path}/console/login${query}` }]),
      ...options.providers.map(({ id, name }) => ({ name, href: `${base().path}/console/login/${id}${query}` })),
    ];
    // Where everybody comes by a provider, nobody is asked for a password that they do not have.
    const accounts = providers.length === 0 ? all.length > 0 : all.some(({ password }) => password !== undefined);
    ctx.body = options.page(ctx, {
      passkey: await askedOfPasskeys(ctx),
      accounts,
      others: accounts || providers.length > 0,
      providers,
      proof: loginToken(ctx, base(), '/console/login'),
      passkeyProof: loginToken(ctx, base(), '/console/passkey'),
      ...{ email: '', link: undefined, elsewhere: undefined, error: undefined, failed: undefined },
      ...model,
    });
  }

  function showJoin(ctx: Context, code: string, refusal?: Refusal): void {
    const link = people.link(code);
    ctx.type = 'html';
    ctx.status = link.open === undefined ? 410 : (refusal?.status ?? 200);
    const told = {
      proof: loginToken(ctx, base(), '/console/join'),
      ...{ code, error: refusal && wordsIn(ctx).sentence(refusal.message), field: refusal?.field },
      elsewhere: refusal?.code === 'logged-in-already',
    };
    if (link.open === undefined) ctx.body = options.joinPage(ctx, { ...told, account: undefined, by: link.by });
    else {
      const { email, name } = link.open;
      ctx.body = options.joinPage(ctx, { ...told, account: { email, name, kind: link.kind }, by: undefined });
    }
  }

  function leave(ctx: Context, next: string): void {
    ctx.status = 303;
    ctx.redirect(base().path + next);
  }
}

/** What a form proves who is there with. */
function proofIn({ token, code, email, password }: Record<string, unknown> & { email: string }): Proof | undefined {
  if (typeof token === 'string') return { token: token.trim() };
  if (typeof code === 'string') return { code };
  return typeof password === 'string' ? { email, password } : undefined;
}

function fieldsOf(ctx: Context): Record<string, unknown> {
  return (ctx.request as { body?: Record<string, unknown> }).body ?? {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Where to go after the login: a place of our own, an app that asked for the login, or the console's first page. */
export function placeOf(value: unknown, needsLogin: (app: string) => boolean): string {
  // As a browser would read it: what leads elsewhere by "//", "\\" or ".." is seen to.
  const url = typeof value === 'string' ? parseUrl(value, HERE) : undefined;
  const path = url?.origin === HERE && !url.pathname.includes('//') ? url.pathname : '';
  const [, app] = /^\/apps\/([^/]+)\//.exec(path) ?? [];
  const ours = /^\/(console|api\/docs)(\/|$)/.test(path) || (app !== undefined && needsLogin(app));
  return ours ? path + (url?.search ?? '') : '/console/';
}

/** Stands for our own origin. */
const HERE = 'http://here.invalid';
