import type { Context } from 'koa';
import {
  BROWSER_COOKIE,
  FORM_COOKIE,
  HALF_COOKIE,
  LOGIN_COOKIE,
  PASSKEY_COOKIE,
  PASS_COOKIE,
  SESSION_COOKIE,
  SESSION_MS,
} from '../store/sessions.js';

/** What the public base says about cookies and origins. */
export interface Base {
  /** Its path: "" or "/tools". */
  path: string;
  host: string;
  https: boolean;
}

/** @param publicBase the one address that everything links to */
export function baseOf(publicBase: string): Base {
  const url = new URL(publicBase);
  return { path: url.pathname.replace(/\/+$/, ''), host: url.host, https: url.protocol === 'https:' };
}

/** Reads what `baseOf` says of an address that hardly ever changes: it is asked for with every request. */
export function baseReader(publicBase: () => string): () => Base {
  let known = '';
  let base: Base | undefined;
  return () => {
    const now = publicBase();
    if (base === undefined || now !== known) [known, base] = [now, baseOf(now)];
    return base;
  };
}

/** The ids of all sessions that a request carries. */
export function cookies(ctx: Context, base: Base): string[] {
  return sessionsIn(ctx.get('cookie'), base);
}

/**
 * The ids of all sessions in a Cookie header. An app can plant cookies of our name for longer paths, which come first,
 * so all are looked at: none hides the real one.
 */
export function sessionsIn(header: string, base: Base): string[] {
  const ids = valuesIn(header, cookieOf(base)).filter((id) => /^[\w-]{43}$/.test(id));
  return [...new Set(ids)];
}

function valuesIn(header: string, name: string): string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
}

/**
 * The name of a cookie of ours. A browser takes the prefixes only from a secure page; `__Host-` for no narrower path and no
 * wider domain; `__Host-Http-` also from no script, so that nobody but the server can plant one. A browser that does not know
 * the longer one takes it for the shorter (https://www.rfc-editor.org/rfc/rfc6265bis#name-cookie-name-prefixes).
 */
function cookieOf({ https, path }: Base, name: string = SESSION_COOKIE): string {
  const prefix = !https ? '' : path === '' ? '__Host-Http-' : '__Secure-';
  return prefix + name;
}

/** Gives a browser its session. Lax and not Strict: who follows a link from a chat or a mail to the console would seem to be logged out. */
export function setCookie(ctx: Context, id: string, base: Base, age = SESSION_MS / 1_000): void {
  ctx.append('Set-Cookie', sessionCookie(id, base, age));
}

/** The header that gives a browser its session. @param age in seconds */
export function sessionCookie(id: string, base: Base, age = SESSION_MS / 1_000): string {
  return headerOf(cookieOf(base), id, base, age);
}

/** Returns a Cookie header without a session. */
export function withoutSession(header: string, id: string, base: Base): string {
  const pairs = header.split(';').filter((pair) => pair.trim() !== `${cookieOf(base)}=${id}`);
  return pairs.join(';').trim();
}

/** The secrets on which the forms depend that a browser was shown before it is logged in. */
export function formSecretsIn(ctx: Context, base: Base): string[] {
  return valuesIn(ctx.get('cookie'), cookieOf(base, FORM_COOKIE)).filter((value) => /^[\w-]{43}$/.test(value));
}

/** Gives a browser such a secret, until it is closed. */
export function setFormSecret(ctx: Context, secret: string, base: Base): void {
  append(ctx, cookieOf(base, FORM_COOKIE), secret, base);
}

/** How long a login with a provider may take, in seconds: somebody may have to find their phone. */
const LEAVE_SECONDS = 900;

/** Gives a browser what it must bring back from a provider. */
export function setLeave(ctx: Context, text: string, base: Base): void {
  append(ctx, cookieOf(base, LOGIN_COOKIE), Buffer.from(text).toString('base64url'), base, LEAVE_SECONDS);
}

/** What a browser brings back from a provider. As of the next ones, scripts may have planted others beside ours: none keeps it out. */
export function leavesIn(ctx: Context, base: Base): string[] {
  return ours(ctx, LOGIN_COOKIE, base).map((value) => Buffer.from(value, 'base64url').toString());
}

function ours(ctx: Context, name: string, base: Base): string[] {
  return [...new Set(valuesIn(ctx.get('cookie'), cookieOf(base, name)))];
}

/** Gives a browser its login that lacks the second factor. @param age in seconds */
export function setHalf(ctx: Context, id: string, base: Base, age: number): void {
  append(ctx, cookieOf(base, HALF_COOKIE), id, base, age);
}

/** The ids of logins that lack the second factor. */
export function halvesIn(ctx: Context, base: Base): string[] {
  return ours(ctx, HALF_COOKIE, base);
}

/** Gives a browser what it must bring with the answer of a passkey. @param age in seconds */
export function setTicket(ctx: Context, ticket: string, base: Base, age: number): void {
  append(ctx, cookieOf(base, PASSKEY_COOKIE), ticket, base, age);
}

/** What a browser brings with the answer of a passkey. */
export function ticketsIn(ctx: Context, base: Base): string[] {
  return ours(ctx, PASSKEY_COOKIE, base);
}

/** How long a browser is known after a login, in seconds. */
const KNOWN_SECONDS = 180 * 24 * 3_600;

/** Lets a browser show that an account has logged in with it. */
export function setKnown(ctx: Context, value: string, base: Base): void {
  append(ctx, cookieOf(base, BROWSER_COOKIE), value, base, KNOWN_SECONDS);
}

/** What a browser shows of that. */
export function knownIn(ctx: Context, base: Base): string[] {
  return ours(ctx, BROWSER_COOKIE, base).slice(0, MAX_PASSES);
}

/** Takes that away: it is used once. */
export function forgetHalf(ctx: Context, base: Base): void {
  append(ctx, cookieOf(base, HALF_COOKIE), '', base, 0);
}

/**
 * The header that lets a browser open one app: for the app's path alone, so that others never get it. For a frame of another
 * site it must be sent there, too, and belongs to that site alone
 * (https://developer.mozilla.org/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies).
 * @param options.until ms since 1970
 */
export function passCookie(app: string, value: string, base: Base, options: { until: number; embed: boolean }): string {
  const age = Math.max(0, Math.floor((options.until - Date.now()) / 1_000));
  const site = options.embed && base.https ? 'SameSite=None; Partitioned' : 'SameSite=Lax';
  const secure = base.https ? '; Secure' : '';
  return `${passName(base)}=${value}; Path=${base.path}/apps/${app}/; HttpOnly; ${site}; Max-Age=${age}${secure}`;
}

/** What a browser keeps that opens an app without an account. */
export function passesIn(header: string, base: Base): string[] {
  return header.includes(PASS_COOKIE) ? valuesIn(header, passName(base)).slice(0, MAX_PASSES) : [];
}

/** Several have one name: of a share link and of the password, and what scripts of other apps have planted. */
const MAX_PASSES = 10;

/** Its path is not "/", so it cannot have the longer prefixes. */
function passName({ https }: Base): string {
  return `${https ? '__Secure-' : ''}${PASS_COOKIE}`;
}

/** Takes that away: it is used once. */
export function forgetLeave(ctx: Context, base: Base): void {
  append(ctx, cookieOf(base, LOGIN_COOKIE), '', base, 0);
}

function append(ctx: Context, name: string, value: string, base: Base, age?: number): void {
  ctx.append('Set-Cookie', headerOf(name, value, base, age));
}

function headerOf(name: string, value: string, base: Base, age?: number): string {
  const secure = base.https ? '; Secure' : '';
  const until = age === undefined ? '' : `; Max-Age=${age}`;
  return `${name}=${value}; Path=${base.path}/; HttpOnly; SameSite=Lax${until}${secure}`;
}
