import type { Context, Middleware } from 'koa';
import { authenticate, isWhole, type CheckToken, type Principal } from '../domain/access/principal.js';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionOwner } from '../store/sessions.js';
import { Refusal } from '../errors.js';
import { readForm } from './body.js';
import { demandLoginForm, demandToken, tokenSent } from './csrf.js';
import { Drafts, keepDraft, restoreDraft } from './drafts.js';
import { late } from './late.js';
import { isApi } from './problem.js';
import { sessionOf, type Access, type SignedIn } from './session.js';
import { knownIn, setCookie, type Base } from './session-cookie.js';
import { parseUrl } from '../lib/parse-url.js';

/** Who asks, once a guard has let them in. @throws Error outside of a guard: that is a defect */
export function signedIn(ctx: Context): SignedIn {
  const found = (ctx.state as { signedIn?: SignedIn }).signedIn;
  if (found === undefined) throw new Error(`${ctx.method} ${ctx.path} is not behind a guard`);
  return found;
}

/**
 * The two forms with files. Their token is a field of a body that only their own routes read, which owe the proof
 * (`proveForm`): until then the request is nobody's.
 */
const FILE_FORMS = /^\/console\/(new|apps\/[^/]+\/config)\/?$/;

/**
 * Takes the proof of a form with files, whose token is one of its fields.
 * @throws Refusal `csrf-token-missing`, `csrf-token-wrong`
 */
export function proveForm(ctx: Context, field: unknown): void {
  const state = ctx.state as { signedIn?: SignedIn; unproven?: SignedIn };
  if (state.signedIn !== undefined) return;
  const csrf = state.unproven?.session?.csrf;
  if (csrf === undefined) throw new Error(`${ctx.method} ${ctx.path} is not behind a guard`);
  demandToken(typeof field === 'string' && field !== '' ? { form: field } : undefined, csrf, ctx.path);
  if (state.unproven !== undefined) state.signedIn = state.unproven;
}

/** With whose session a request came, also before its form has shown a token: enough to refuse it, and nothing more. */
export function claimedBy(ctx: Context): Principal {
  const { signedIn: proven, unproven } = ctx.state as { signedIn?: SignedIn; unproven?: SignedIn };
  return (proven ?? unproven ?? signedIn(ctx)).principal;
}

/**
 * Demands of a page the CSRF token for what only reads, but is written down in somebody's name: over plain http, a browser also
 * sends the session with what an app's page asks for.
 * @throws Refusal `csrf-token-missing`, `csrf-token-wrong`
 */
export function demandProof(ctx: Context): void {
  const { session } = signedIn(ctx);
  if (session !== undefined) demandToken(tokenSent(ctx), session.csrf, ctx.path);
}

/** True once the request has shown that it comes from a page of this session. */
export function isProven(ctx: Context): boolean {
  return (ctx.state as { signedIn?: SignedIn }).signedIn !== undefined;
}

/** Lets nobody into the API but the holder of a token, or a page of the console. */
export function guardApi(access: Access, base: () => Base): Middleware {
  return async (ctx, next) => {
    ctx.set('Cache-Control', 'no-store');
    const header = ctx.get('authorization');
    const found = header === '' ? sessionOf(ctx, access, base()) : await byToken(ctx, access, header);
    if (header === '') demandScript(ctx, found?.session?.csrf, notSignedIn);
    if (found === undefined) throw notSignedIn();
    if (found.session !== undefined) demandPage(ctx, found.session.csrf, base());
    (ctx.state as { signedIn?: SignedIn }).signedIn = found;
    await next();
  };
}

/** The pages of the console for who is not logged in yet: the logins, the second step of one, and those of invitations and reset links. */
const OPEN =
  /^\/console\/(login(\/[a-z0-9]+(\/(callback|logout))?)?|join|passkey|second(\/(set-up|passkey|new-passkey))?|open\/[a-z0-9-]+)\/?$/i;

/** The largest form of the console, which is the editor's: 5 MB of text, of which each byte may need three. */
const FORM_LIMIT = '16mb';

/** The largest form that is kept for somebody whose session is over, the largest with a file (bytes), and how many are read at once. */
const DRAFT_LIMIT = '4mb';
const DRAFT_FILE_LIMIT = 1024 * 1024;
const MOST_READ = 4;

/**
 * Lets nobody into the console but a browser that is signed in; a visitor is sent to the login page, which is open.
 * It also parses forms (not those with files), since a form carries its CSRF token in itself.
 */
export function guardConsole(access: Access, base: () => Base, drafts: Drafts): Middleware {
  const parser = (options: { enableTypes: ('form' | 'json')[]; formLimit: string; jsonLimit?: string }): Middleware =>
    late(async () => (await import('@koa/bodyparser')).bodyParser(options));
  const parse = parser({ enableTypes: ['form', 'json'], formLimit: FORM_LIMIT, jsonLimit: FORM_LIMIT });
  const parseLogin = parser({ enableTypes: ['form'], formLimit: '16kb' });
  const parseDraft = parser({ enableTypes: ['form'], formLimit: DRAFT_LIMIT });
  let reading = 0;
  /** Keeps what somebody typed whose session is over. A stranger's body is read for it, so only a few are at a time. */
  const draftOf = async (ctx: Context): Promise<string | undefined> => {
    if (!Drafts.takes(ctx.path) || reading >= MOST_READ) return undefined;
    reading += 1;
    try {
      const isMultipart = ctx.is('multipart') === 'multipart';
      if (isMultipart) (ctx.request as { body?: unknown }).body = await readForm(ctx, DRAFT_FILE_LIMIT);
      else await readFields(ctx, parseDraft);
    } finally {
      reading -= 1;
    }
    return keepDraft(ctx, access.sessions, drafts);
  };
  return async (ctx, next) => {
    ctx.set('Cache-Control', 'no-store');
    if (!isSafe(ctx) && !isSameOrigin(ctx, base())) throw foreign();
    if (OPEN.test(ctx.path)) {
      // An app's script would log its visitor in as somebody else: as its author, who has an account.
      if (isScript(ctx)) throw foreign();
      if (!isSafe(ctx)) {
        await readFields(ctx, parseLogin);
        demandLoginForm(ctx, base());
      }
      await next();
      return;
    }
    const found = sessionOf(ctx, access, base());
    demandScript(ctx, found?.session?.csrf, foreign);
    if (found?.session === undefined) {
      const draft = isSafe(ctx) ? undefined : await draftOf(ctx);
      if (!isSafe(ctx) && draft === undefined)
        throw new Refusal('unauthorised', 'not-signed-in', 'Your session has expired. Log in and try again.');
      const next = draft === undefined ? ctx.url : `${ctx.path}?draft=${draft}`;
      ctx.redirect(`${base().path}/console/login?next=${encodeURIComponent(next)}`);
      if (draft !== undefined) ctx.status = 303;
      return;
    }
    // Only now: a stranger's body is not read.
    if (!isSafe(ctx)) await readFields(ctx, parse);
    else restoreDraft(ctx, drafts, found.principal.account);
    const owes = !isSafe(ctx) && FILE_FORMS.test(ctx.path) && ctx.is('multipart') === 'multipart';
    if (owes && ctx.get('x-csrf-token') === '') {
      demandOpened(ctx, base());
      (ctx.state as { unproven?: SignedIn }).unproven = found;
      await next();
      return;
    }
    try {
      demandPage(ctx, found.session.csrf, base());
    } catch (error) {
      // The person has logged in again in another tab.
      const sent = error instanceof Refusal && error.code === 'csrf-token-wrong';
      const draft =
        sent && !isSafe(ctx) && Drafts.takes(ctx.path) ? keepDraft(ctx, access.sessions, drafts) : undefined;
      if (draft === undefined) throw error;
      ctx.redirect(`${base().path}${ctx.path}?draft=${draft}`);
      ctx.status = 303;
      return;
    }
    // The cookie lasts as long as the session, which every use extends.
    if (isSafe(ctx)) setCookie(ctx, found.session.id, base());
    (ctx.state as { signedIn?: SignedIn }).signedIn = found;
    await next();
  };
}

/** What somebody logs in with. */
export type Proof = { token: string } | { code: string } | { email: string; password: string };

/**
 * Who a proof belongs to; undefined where it is wrong.
 * @throws TooManyAttempts, Refusal `token-not-login`
 */
export async function prove(ctx: Context, access: Access, by: Proof, base: Base): Promise<SessionOwner | undefined> {
  return 'password' in by ? logIn(ctx, access, by, base) : ownerOf(ctx, access, by);
}

/** Who a token or a code speaks for; a wrong one is counted. @throws TooManyAttempts, Refusal `token-not-login` */
async function ownerOf(
  ctx: Context,
  access: Access,
  by: Exclude<Proof, { password: string }>,
): Promise<SessionOwner | undefined> {
  const owner = 'token' in by ? access.check(by.token) : access.sessions.useCode(by.code);
  if (owner === undefined) await slowDown(ctx, access);
  // A session may do all that its person may, and would outlive the token.
  if (owner !== undefined && 'kind' in owner && !isWhole(owner)) throw notForLogin();
  return owner;
}

/** What is said to the holder of a token that is for scripts alone. */
export function notForLogin(): Refusal {
  const sentence = 'This token is for scripts and git. Log in with your email address and password.';
  return new Refusal('forbidden', 'token-not-login', sentence);
}

/**
 * Who an address and a password belong to. Unlike a token, a password can be guessed, so a try is counted before it is looked at:
 * of many that come at once, no more pass than of those that come one by one.
 * @throws TooManyAttempts
 */
async function logIn(
  ctx: Context,
  { passwords, known, people }: Access,
  { email, password }: { email: string; password: string },
  base: Base,
): Promise<SessionOwner | undefined> {
  const browser = known.nameOf(knownIn(ctx, base), people.idOf(email) ?? '');
  const right = passwords.begin({ address: ctx.ip, email, browser });
  const person = await people.logIn(email, password);
  if (person !== undefined) right();
  return person;
}

/** Parses a form. @throws HttpError 400 where it is none: what a parser says about that has no status of its own */
async function readFields(ctx: Context, parse: Middleware): Promise<void> {
  try {
    await parse(ctx, async () => undefined);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) ctx.throw(400, 'The form cannot be read.');
    throw error;
  }
}

const SLOW_MS = 2_000;

/**
 * Counts a wrong token. It is looked at before this, and the right one always passes: behind a proxy everybody has the
 * guesser's address.
 * @throws TooManyAttempts after a while
 */
export async function slowDown(
  ctx: Context,
  { attempts, slowMs = SLOW_MS }: Pick<Access, 'attempts' | 'slowMs'>,
): Promise<void> {
  try {
    attempts.demand(ctx.ip);
  } catch (error) {
    await sleep(slowMs, undefined, { ref: false });
    throw error;
  }
  attempts.failed(ctx.ip);
}

async function byToken(ctx: Context, access: Access, header: string): Promise<SignedIn> {
  const principal = authenticate(header, access.check);
  if (principal === undefined) {
    access.audit.login({ who: undefined, door: 'api', from: ctx.ip, what: 'token' }, 'refused');
    await slowDown(ctx, access);
    throw new Refusal(
      'unauthorised',
      'token-wrong',
      'Invalid token. Run "streamlit-host token" on the server to print it.',
    );
  }
  return { principal, session: undefined, now: () => stillBy(header, access.check) };
}

/** Who a token in a header speaks for by now. */
function stillBy(header: string, check: CheckToken): Principal | undefined {
  try {
    return authenticate(header, check);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/**
 * Tells a page of the console from an app. The apps are on the same origin, so the browser sends the session's cookie
 * with what their scripts ask for, too, and every usual proof of "same origin" holds for them (see
 * docs/decisions/0003-one-origin.md). What they lack is the session's CSRF token, and they must not come by it:
 * - what a script fetches is given only with the token, so that no script can read a page of the console to find one;
 * - a page is given only to a navigation (Sec-Fetch-Mode and -Dest, where the browser sends them), not into a frame;
 * - a change needs the token and the same origin.
 * @throws Refusal
 */
function demandPage(ctx: Context, csrf: string, base: Base): void {
  const sent = tokenSent(ctx);
  if (sent !== undefined) demandToken(sent, csrf, ctx.path);
  demandOpened(ctx, base);
  if (!isSafe(ctx)) demandToken(sent, csrf, ctx.path);
}

/**
 * Demands the session's CSRF token, in a header, of what a script fetches or a frame shows. Without it, the answer is the same
 * whether somebody is logged in or not: an app must not learn which of its visitors are operators.
 * @param csrf of the session; undefined where there is none
 * @param refusal of what has no token
 * @throws Refusal
 */
function demandScript(ctx: Context, csrf: string | undefined, refusal: () => Refusal): void {
  if (!isScript(ctx)) return;
  const header = ctx.get('x-csrf-token');
  if (header === '') throw refusal();
  demandToken({ header }, csrf, ctx.path);
}

/** True for what a script fetches or a frame shows, as far as the browser says so. */
export function isScript(ctx: Context): boolean {
  return ctx.get('sec-fetch-mode') !== '' && !isNavigation(ctx);
}

/** True where the browser itself opens a page, or downloads. */
function isNavigation(ctx: Context): boolean {
  const dest = ctx.get('sec-fetch-dest');
  // A download is a navigation to "empty", and only the API has some: a page that is saved would keep its tokens. Frames
  // have names of their own.
  return ctx.get('sec-fetch-mode') === 'navigate' && (dest === 'document' || (dest === 'empty' && isApi(ctx.path)));
}

/**
 * What can be told without the token: whether the browser itself opens the page, and that a change is of our origin.
 * @throws Refusal
 */
function demandOpened(ctx: Context, base: Base): void {
  const navigates = isNavigation(ctx);
  // Not a proof, since a script can leave the referrer out: it only stops what makes no secret of itself.
  if (!navigates && ctx.get('upgrade-insecure-requests') !== '1' && isFromApp(ctx.get('referer'), base.path))
    throw foreign();
  if (!isSafe(ctx) && !isSameOrigin(ctx, base)) throw foreign();
}

/** @see https://www.w3.org/TR/fetch-metadata/ and, for browsers and origins without it, the Origin header */
function isSameOrigin(ctx: Context, base: Base): boolean {
  const site = ctx.get('sec-fetch-site');
  if (site !== '') return site === 'same-origin';
  const host = parseUrl(ctx.get('origin'))?.host ?? '';
  return host !== '' && (host === base.host || host === ctx.get('host'));
}

function isFromApp(referrer: string, path: string): boolean {
  return parseUrl(referrer)?.pathname.startsWith(`${path}/apps/`) === true;
}

function isSafe(ctx: Context): boolean {
  return ctx.method === 'GET' || ctx.method === 'HEAD' || ctx.method === 'OPTIONS';
}

function notSignedIn(): Refusal {
  return new Refusal('unauthorised', 'not-signed-in', 'Send your token as "Authorization: Bearer <token>".');
}

function foreign(): Refusal {
  return new Refusal(
    'forbidden',
    'not-from-the-console',
    'Only console pages can make this request without a token. Send your token as "Authorization: Bearer <token>".',
  );
}
