import type { Context } from 'koa';
import type { Audit } from '../host/audit.js';
import type { People } from '../host/people.js';
import type { Attempts } from '../domain/access/attempts.js';
import type { KnownBrowsers, PasswordAttempts } from '../domain/access/password-attempts.js';
import { browserOf } from '../domain/access/browser.js';
import { adminToken, type CheckToken, type Principal } from '../domain/access/principal.js';
import { Refusal } from '../errors.js';
import type { LoggedInAt, SessionOwner, Sessions } from '../store/sessions.js';
import { cookies, sessionsIn, setCookie, setKnown, type Base } from './session-cookie.js';

/** What is needed to know who asks. */
export interface Access {
  check: CheckToken;
  sessions: Sessions;
  people: Pick<People, 'principal' | 'idOf' | 'logIn' | 'loggedIn'>;
  attempts: Attempts;
  /** The same for passwords, and the browsers that are known. */
  passwords: PasswordAttempts;
  known: KnownBrowsers;
  /** Writes down who logs in. */
  audit: Pick<Audit, 'login'>;
  /** How much later (ms) an address that has used up its budget learns that a token is wrong; 2 s by default. */
  slowMs?: number;
}

/** Who asks, and how they proved it. */
export interface SignedIn {
  principal: Principal;
  /** The session of a browser; undefined for a token in a header. */
  session: { id: string; csrf: string } | undefined;
  /** Who it is by now, for what lasts; undefined once the session or the token has ended. */
  now: () => Principal | undefined;
}

/**
 * Lets nobody take the place of who is logged in: the form may be one of an app, whose author wants the visitor to go on as the
 * author.
 * @param account who wants to log in; undefined for the admin token
 * @throws Refusal `logged-in-already`
 */
export function demandNobodyElse(
  ctx: Context,
  access: Pick<Access, 'sessions' | 'people'>,
  base: Base,
  account: string | undefined,
): void {
  const current = sessionOf(ctx, access, base)?.principal;
  if (current === undefined || current.account === account) return;
  throw new Refusal(
    'conflict',
    'logged-in-already',
    `You are already logged in as ${current.name}. Log out first to use another account.`,
  );
}

/**
 * Begins a session of somebody who has proven who they are; it gets a new id.
 * @param how what the audit log says
 * @throws Refusal `logged-in-already`
 */
export async function beginSession(
  ctx: Context,
  { sessions, people, audit, known }: Pick<Access, 'sessions' | 'people' | 'audit' | 'known'>,
  base: Base,
  owner: SessionOwner,
  how?: string,
): Promise<void> {
  demandNobodyElse(ctx, { sessions, people }, base, owner.account);
  const at = { from: ctx.ip, browser: browserOf(ctx.get('user-agent')) };
  // A provider's login has noted it with what the provider said.
  if (owner.account !== undefined && owner.provider === undefined) await people.loggedIn(owner.account);
  setCookie(ctx, await takeSession({ sessions, audit }, owner, cookies(ctx, base), at, how), base);
  if (owner.account !== undefined) setKnown(ctx, known.make(owner.account), base);
}

/**
 * Begins a session in the place of the earlier ones of the same browser, which somebody else may have planted.
 * @param earlier their ids
 * @returns its id
 */
export async function takeSession(
  { sessions, audit }: Pick<Access, 'sessions' | 'audit'>,
  owner: SessionOwner,
  earlier: readonly string[],
  at: LoggedInAt,
  how = owner.provider === undefined ? 'log in' : `log in with ${owner.provider}`,
): Promise<string> {
  for (const id of earlier) await sessions.end(id);
  const id = await sessions.begin(owner, at);
  audit.login({ who: owner, from: at.from, what: how }, 'ok');
  return id;
}

/** Ends this browser's session. @returns the provider that it was begun with */
export async function signOut(ctx: Context, access: Access, base: Base): Promise<string | undefined> {
  const ids = cookies(ctx, base);
  const found = ids.flatMap((id) => access.sessions.find(id) ?? []);
  for (const id of ids) await access.sessions.end(id);
  setCookie(ctx, '', base, 0);
  for (const who of found) access.audit.login({ who, from: ctx.ip, what: 'log out' }, 'ok');
  return found.find(({ provider }) => provider !== undefined)?.provider;
}

/** Who the browser of a request is logged in as. */
export function sessionOf(ctx: Context, access: Pick<Access, 'sessions' | 'people'>, base: Base): SignedIn | undefined {
  return sessionFrom(ctx.get('cookie'), access, base);
}

/** Who a browser is logged in as; undefined where it is not, or the account was disabled. @param cookie the header */
export function sessionFrom(
  cookie: string | undefined,
  { sessions, people }: Pick<Access, 'sessions'> & { people: Pick<People, 'principal'> },
  base: Base,
): SignedIn | undefined {
  for (const id of sessionsIn(cookie ?? '', base)) {
    const session = sessions.find(id);
    if (session === undefined) continue;
    const who = (): Principal | undefined =>
      session.account === undefined ? adminToken('person') : people.principal(session.account);
    const principal = who();
    const now = (): Principal | undefined => (sessions.isOpen(id) ? who() : undefined);
    if (principal === undefined) continue;
    // The token is made from the id, and most requests need none.
    const shown = {
      id,
      get csrf() {
        return session.csrf;
      },
    };
    return { principal, session: shown, now };
  }
  return undefined;
}
