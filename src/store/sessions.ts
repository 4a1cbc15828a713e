import { createHash, hash as digest, randomBytes, timingSafeEqual } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { replaceFile } from '../lib/replace-file.js';
import { z } from 'zod';
import { hasCode, messageOf, Refusal } from '../errors.js';

/** The cookie of a console session. No app ever sees it or may set it. */
export const SESSION_COOKIE = 'streamlit_host_session';

/** The cookie of a login with a provider that has begun. No app ever sees it or may set it either. */
export const LOGIN_COOKIE = 'streamlit_host_login';

/** The cookie of a browser that was shown a form before it is logged in. */
export const FORM_COOKIE = 'streamlit_host_form';

/** The cookie of a login that lacks the second factor. No app ever sees it or may set it either. */
export const HALF_COOKIE = 'streamlit_host_second';

/** The cookie with which a browser brings the answer of a passkey. No app ever sees it or may set it either. */
export const PASSKEY_COOKIE = 'streamlit_host_passkey';

/** The cookie of a browser that opens an app without an account. The app does not see it. */
export const PASS_COOKIE = 'streamlit_host_pass';

/** The cookie of a browser that an account has logged in with. No app ever sees it or may set it either. */
export const BROWSER_COOKIE = 'streamlit_host_browser';

/** All under every name that they have, which depends on the public base. */
export const OUR_COOKIES: readonly string[] = ['', '__Host-Http-', '__Host-', '__Secure-'].flatMap((prefix) =>
  [SESSION_COOKIE, LOGIN_COOKIE, FORM_COOKIE, HALF_COOKIE, PASSKEY_COOKIE, PASS_COOKIE, BROWSER_COOKIE].map(
    (name) => prefix + name,
  ),
);

/** How long a session lasts (ms) after it was last used. */
export const SESSION_MS = 14 * 24 * 3_600_000;

/** How long a session lasts at most (ms), however much it is used. */
export const SESSION_LIFE_MS = 30 * 24 * 3_600_000;

/** How long a login code can be used (ms). */
export const CODE_MS = 15 * 60_000;

/** How old (ms) the time of last use on disk may be: not every click is worth a write. */
const SLIDE_MS = 3_600_000;

/** The most sessions and login codes of one account, or of the admin token: nobody ends those of others by making many. */
const MAX_SESSIONS = 200;
const MAX_CODES = 100;

/** Of how many sessions, the last used ones, it is known what their pages prove themselves by, also after they have ended. */
const MAX_KNOWN = 1_000;

const sessionSchema = z.object({
  /** sha256 of the id; the id itself is in the browser and nowhere else. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  /** The account that logged in; not there = the admin token did. */
  account: z.string().optional(),
  /** The provider that they logged in with. */
  provider: z.string().optional(),
  /** Where and with which browser they logged in. */
  from: z.string().optional(),
  browser: z.string().optional(),
  createdAt: z.number(),
  usedAt: z.number(),
});

/** Those of accounts stand apart: a server of an earlier version would take each session for the admin token's. */
const fileSchema = z.object({
  fingerprint: z.string(),
  sessions: z.array(sessionSchema),
  people: z.array(sessionSchema).default([]),
});

/** A browser that is signed in. */
export interface Session {
  /** Whose it is. */
  name: string;
  /** Their account; undefined for the admin token. */
  account?: string;
  /** The provider that they logged in with. */
  provider?: string;
  /** What a page must send back with every change, to prove that it was given this page and not only the cookie. */
  csrf: string;
}

/** Whose a session is: an account's, or the admin token's. */
export interface SessionOwner {
  name: string;
  account?: string;
  provider?: string;
}

/** Where somebody logs in. */
export interface LoggedInAt {
  /** The address. */
  from: string;
  /** What the browser calls itself, in short. */
  browser: string;
}

/** A session as its owner sees it in a list. */
export interface ListedSession extends Partial<LoggedInAt> {
  /** Names it in the list; it logs nobody in. */
  id: string;
  provider: string | undefined;
  /** ms since 1970. */
  createdAt: number;
  usedAt: number;
}

/** A code that logs in once. */
export interface LoginCode {
  code: string;
  expiresAt: Date;
}

type StoredSession = z.infer<typeof sessionSchema>;

export interface SessionsOptions {
  /** Names the token that the sessions depend on: when it changes, they are over. */
  fingerprint: string;
  /** Called with what could not be read or written. */
  warn: (sentence: string) => void;
  /** Whether a session that was stored may go on; all may if it is left out. */
  keeps?: (session: { provider?: string | undefined }) => boolean;
  now?: () => number;
}

/**
 * The console's sessions, which outlive a restart, and the one-use login codes, which do not. Neither a session's id
 * nor a login code can be read from what is kept.
 */
export class Sessions {
  readonly #file: string;
  readonly #fingerprint: string;
  readonly #warn: (sentence: string) => void;
  readonly #now: () => number;
  readonly #keeps: (session: { provider?: string | undefined }) => boolean;
  readonly #sessions = new Map<string, StoredSession>();
  /** When each code ends and whose session it begins, by its hash. */
  readonly #codes = new Map<string, { end: number; owner: SessionOwner }>();
  /** What the pages of sessions prove themselves by, and whose they are, by the hash. */
  readonly #known = new Map<string, { csrf: string; account: string | undefined }>();
  /** Tells that a session has ended, under its hash. */
  readonly #ends = new EventEmitter().setMaxListeners(0);
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, options: SessionsOptions) {
    this.#file = file;
    this.#fingerprint = options.fingerprint;
    this.#warn = options.warn;
    this.#now = options.now ?? Date.now;
    this.#keeps = options.keeps ?? (() => true);
  }

  /** The sessions that a file holds. One that cannot be read only means that everybody signs in again. */
  static async open(file: string, options: SessionsOptions): Promise<Sessions> {
    const sessions = new Sessions(file, options);
    await sessions.#load();
    return sessions;
  }

  /**
   * Begins a session, and has it on disk; where that cannot be written, such as to a full one, which somebody may log in to
   * make room on, it lasts until the server ends.
   * @returns its id, for a cookie
   */
  async begin({ name, account, provider }: SessionOwner, at?: LoggedInAt): Promise<string> {
    // Without an account it is the admin token's, which may do everything.
    if (account === undefined && name !== 'admin') throw new Error(`${name} has no account to log in to`);
    const id = randomBytes(32).toString('base64url');
    const now = this.#now();
    const hash = hashOf(id);
    const owner = {
      name,
      ...(account === undefined ? {} : { account }),
      ...(provider === undefined ? {} : { provider }),
      ...at,
    };
    this.#sessions.set(hash, { hash, ...owner, createdAt: now, usedAt: now });
    this.#forgetOld();
    await this.#save().catch((error: unknown) => this.#cannotWrite(error));
    return id;
  }

  /** The session of an id, whose lifetime starts again; undefined where there is none, or it has expired. */
  find(id: string): Session | undefined {
    const hash = hashOf(id);
    const session = this.#sessions.get(hash);
    if (session === undefined) return undefined;
    const now = this.#now();
    if (isOver(session, now)) {
      this.#sessions.delete(hash);
      return undefined;
    }
    if (now - session.usedAt > SLIDE_MS) {
      this.#sessions.set(hash, { ...session, usedAt: now });
      this.#save().catch((error: unknown) => this.#cannotWrite(error));
    }
    const { name, account, provider } = session;
    this.#know(hash, id, account);
    return {
      name,
      ...(account === undefined ? {} : { account }),
      ...(provider === undefined ? {} : { provider }),
      get csrf() {
        return csrfOf(id);
      },
    };
  }

  /**
   * Returns whose session it was, of one that was used since the server started and has ended.
   * @param proves whether a page was one of the session with this CSRF token
   */
  ownerOfEnded(proves: (csrf: string) => boolean): { account: string | undefined } | undefined {
    for (const [hash, { csrf, account }] of this.#known) {
      const session = this.#sessions.get(hash);
      const isOpen = session !== undefined && !isOver(session, this.#now());
      if (!isOpen && proves(csrf)) return { account };
    }
    return undefined;
  }

  /** Returns whose session it is; undefined where it has ended. This does not count as a use of it. */
  ownerOf(id: string): Pick<StoredSession, 'account' | 'provider'> | undefined {
    const session = this.#sessions.get(hashOf(id));
    return session === undefined || isOver(session, this.#now()) ? undefined : session;
  }

  /** Returns whether a session has not ended; this does not count as a use of it. */
  isOpen(id: string): boolean {
    return this.ownerOf(id) !== undefined;
  }

  /** Ends a session; fine when there is none. */
  async end(id: string): Promise<void> {
    const hash = hashOf(id);
    if (!this.#sessions.delete(hash)) return;
    this.#ends.emit(hash);
    // On a full disk somebody may log in to make room, and a browser's earlier session ends with that.
    await this.#save().catch((error: unknown) => this.#cannotWrite(error));
  }

  /** The open sessions of an account, or of the admin token, the last used first. */
  list(account: string | undefined): ListedSession[] {
    const now = this.#now();
    return [...this.#sessions.values()]
      .filter((one) => one.account === account && !isOver(one, now))
      .sort((a, b) => b.usedAt - a.usedAt)
      .map(({ hash, provider, createdAt, usedAt, from, browser }) => ({
        ...{ id: shortOf(hash), provider, createdAt, usedAt },
        ...(from === undefined ? {} : { from }),
        ...(browser === undefined ? {} : { browser }),
      }));
  }

  /** How a session is called in the list. @param id as in the cookie */
  listedAs(id: string): string {
    return shortOf(hashOf(id));
  }

  /** Ends one session of an account, or of the admin token. @param listed its id in the list @throws Refusal `session-not-found` */
  async endListed(account: string | undefined, listed: string): Promise<void> {
    const found = [...this.#sessions.values()].find((one) => one.account === account && shortOf(one.hash) === listed);
    if (found === undefined) throw new Refusal('not-found', 'session-not-found', `There is no session "${listed}".`);
    this.#sessions.delete(found.hash);
    this.#ends.emit(found.hash);
    await this.#save();
  }

  /** Ends all sessions of an account, and the login codes that would begin one. @param except the id of one that stays */
  async endOf(account: string, except?: string): Promise<void> {
    for (const [hash, { owner }] of this.#codes) if (owner.account === account) this.#codes.delete(hash);
    const kept = except === undefined ? undefined : hashOf(except);
    const ended = [...this.#sessions.values()].filter((one) => one.account === account && one.hash !== kept);
    for (const { hash } of ended) {
      this.#sessions.delete(hash);
      this.#ends.emit(hash);
    }
    if (ended.length > 0) await this.#save();
  }

  /** Calls when somebody ends this session. @returns what stops that */
  onEnd(id: string, listener: () => void): () => void {
    const hash = hashOf(id);
    this.#ends.once(hash, listener);
    return () => this.#ends.off(hash, listener);
  }

  /** A code that begins one session, once, for a quarter of an hour. */
  makeCode(owner: SessionOwner): LoginCode {
    const code = randomBytes(24).toString('base64url');
    const end = this.#now() + CODE_MS;
    this.#codes.set(hashOf(code), { end, owner });
    let left = [...this.#codes.values()].filter((other) => other.owner.account === owner.account).length;
    for (const [hash, other] of this.#codes) {
      const spare = other.owner.account === owner.account && left > MAX_CODES;
      if (other.end > this.#now() && !spare) continue;
      this.#codes.delete(hash);
      left -= 1;
    }
    return { code, expiresAt: new Date(end) };
  }

  /** Whose session the code begins; undefined where it is not good. */
  ownerOfCode(code: string): SessionOwner | undefined {
    const found = this.#codes.get(hashOf(code));
    return found !== undefined && found.end > this.#now() ? found.owner : undefined;
  }

  /** The same, and the code is used up by this. */
  useCode(code: string): SessionOwner | undefined {
    const owner = this.ownerOfCode(code);
    this.#codes.delete(hashOf(code));
    return owner;
  }

  /** Resolves when all that happened is on disk. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async #load(): Promise<void> {
    try {
      const parsed = fileSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
      if (parsed.fingerprint !== this.#fingerprint) return;
      // A deploy token could begin one once, which was then taken for the admin token's.
      const whole = parsed.sessions.filter(({ name }) => name === 'admin');
      for (const session of [...whole, ...parsed.people])
        if (this.#keeps(session)) this.#sessions.set(session.hash, session);
      this.#forgetOld();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      this.#warn(`cannot read ${this.#file}, so everyone must log in again: ${messageOf(error)}`);
    }
  }

  #know(hash: string, id: string, account: string | undefined): void {
    if (this.#known.has(hash)) return;
    this.#known.set(hash, { csrf: csrfOf(id), account });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }

  #forgetOld(): void {
    const now = this.#now();
    const newestFirst = [...this.#sessions.values()].sort((a, b) => b.usedAt - a.usedAt || b.createdAt - a.createdAt);
    const count = new Map<string | undefined, number>();
    for (const { hash, account, ...times } of newestFirst) {
      const place = (count.get(account) ?? 0) + 1;
      count.set(account, place);
      if (place > MAX_SESSIONS || isOver(times, now)) this.#sessions.delete(hash);
    }
  }

  #cannotWrite(error: unknown): void {
    this.#warn(`cannot write ${this.#file}: ${messageOf(error)}`);
  }

  /** One write after the other, each of what is true when its turn comes. */
  #save(): Promise<void> {
    const write = async (): Promise<void> => {
      const all = [...this.#sessions.values()];
      const content = {
        fingerprint: this.#fingerprint,
        sessions: all.filter((one) => one.account === undefined),
        people: all.filter((one) => one.account !== undefined),
      };
      await ensureFolder(dirname(this.#file));
      await replaceFile(this.#file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    };
    const mine = this.#writing.then(write);
    this.#writing = mine.catch(() => undefined);
    return mine;
  }
}

function isOver({ createdAt, usedAt }: Pick<StoredSession, 'createdAt' | 'usedAt'>, now: number): boolean {
  return now - usedAt > SESSION_MS || now - createdAt > SESSION_LIFE_MS;
}

/** True where two texts are the same; takes the same time wherever they differ. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

function shortOf(hash: string): string {
  return hash.slice(0, 16);
}

function hashOf(secret: string): string {
  return digest('sha256', secret);
}

/** Made from the id, which the page's scripts cannot read, so that there is nothing more to keep. */
function csrfOf(id: string): string {
  return digest('sha256', `streamlit-host csrf of ${id}`, 'base64url');
}
