import type { Door, Happening } from '../domain/access/audit.js';
import type { Verb } from '../domain/access/permissions.js';
import type { Principal } from '../domain/access/principal.js';
import type { Rights } from '../domain/access/rights.js';
import { networkOf } from '../domain/access/visitor.js';
import { Refusal } from '../errors.js';
import type { AuditLog } from '../store/audit-log.js';

/** What somebody asks for. */
export interface Asked {
  by: Principal;
  door: Door;
  /** The address that they come from. */
  from: string;
  verb: Verb;
  /** The app that it is done to. */
  app?: string | undefined;
  /** The route. */
  what: string;
  /** True for what only reads: that is not written down, unless it is refused or something is said about it. */
  reads: boolean;
}

/** What is known of it once it is done. */
export interface Done {
  /** The status of the answer, as HTTP has them. */
  status: number;
  /** Whom or what else it was about. */
  about?: string | undefined;
}

/** Who logs in. */
export type Known = Pick<Principal, 'name'> & { account?: string | undefined };

export interface AuditOptions {
  log: Pick<AuditLog, 'append'>;
  rights: Pick<Rights, 'demand'>;
  now?: () => number;
}

/** Entries of what changes nothing that one cause can have in a row, and how long it takes (ms) until one more is allowed. */
const BURST = 300;
const REFILL_MS = 500;

/** How long (ms) it takes at most until it is written how many were left out. */
const LEFT_OUT_MS = 60_000;

/** How many causes are told apart; the one heard of longest ago is forgotten first. */
const MAX_CAUSES = 10_000;

/** How long (ms) somebody may be away from an app before opening it is written down again. */
const AWAY_MS = 30 * 60_000;

/** What one cause may still write, and what of it was left out. */
interface Budget {
  left: number;
  /** When it was counted, ms. */
  at: number;
  more: number;
  /** The last one that was left out. */
  last?: Happening;
}

/** The one place where it is asked who may do what; it writes down who did, and who was refused. */
export class Audit {
  readonly #options: AuditOptions;
  readonly #now: () => number;
  /** How many entries each may still cause: nobody fills the log, and with it pushes older entries out. */
  readonly #budgets = new Map<string, Budget>();
  #leftOut: NodeJS.Timeout | undefined;
  /** When somebody was last seen in a private app. */
  readonly #seen = new Map<string, number>();

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Demands the right for something, does it, and writes down what came of it.
   * @param demand asks for the right, where that takes more than the verb and the app
   * @throws Refusal where it is not allowed, and whatever the work throws
   */
  async pass(asked: Asked, work: () => Promise<Done>, demand?: () => void): Promise<void> {
    try {
      (demand ?? (() => this.#options.rights.demand(asked.by, asked.verb, asked.app)))();
    } catch (error) {
      if (error instanceof Refusal) this.#tell(asked, { result: 'refused', code: error.code });
      throw error;
    }
    let done: Done;
    try {
      done = await work();
    } catch (error) {
      const came =
        error instanceof Refusal ? ({ result: 'refused', code: error.code } as const) : { result: 'failed' as const };
      if (!asked.reads) this.#tell(asked, came);
      throw error;
    }
    if (asked.reads && done.about === undefined) return;
    const result = done.status >= 500 ? 'failed' : done.status >= 400 ? 'refused' : 'ok';
    this.#tell(asked, { result, ...(done.about === undefined ? {} : { about: done.about }) });
  }

  /** Writes down a login, or one that failed. @param who undefined where that is not known */
  login(
    { who, door = 'console', from, what }: { who: Known | undefined; door?: Door; from: string; what: string },
    result: Happening['result'],
  ): void {
    const { name = 'nobody', account } = who ?? {};
    this.write({ who: name, ...(account === undefined ? {} : { account }), door, from, verb: 'login', what, result });
  }

  /** Writes down that somebody opens a private app, or may not; once for as long as they stay. */
  opened({ by, from, app }: { by: Principal; from: string; app: string }, may: boolean): void {
    const key = `${by.account ?? by.name} ${from} ${app} ${String(may)}`;
    const now = this.#now();
    const before = this.#seen.get(key);
    this.#seen.delete(key);
    this.#seen.set(key, now);
    oldestOf(this.#seen);
    if (before !== undefined && now - before < AWAY_MS) return;
    const asked: Asked = { by, door: 'app', from, verb: 'open', app, what: 'open', reads: false };
    this.#tell(asked, may ? { result: 'ok' } : { result: 'refused', code: 'app-not-found' });
  }

  /** Writes an entry. One of what changes nothing is left out where its cause has had too many. */
  write(happening: Happening): void {
    const { who, account = who, from, verb, result } = happening;
    if (result !== 'refused' && verb !== 'login' && verb !== 'open') return this.#options.log.append(happening);
    // With the result: wrong passwords for an account must not hide the one that was right.
    const cause = [account, networkOf(from), verb, result].join(' ');
    const now = this.#now();
    const { left, at, more } = this.#budgets.get(cause) ?? { left: BURST, at: now, more: 0 };
    const budget = Math.min(BURST, left + (now - at) / REFILL_MS);
    this.#budgets.delete(cause);
    if (budget < 1) {
      this.#budgets.set(cause, { left: budget, at: now, more: more + 1, last: happening });
      this.#leftOut ??= setTimeout(() => this.close(), LEFT_OUT_MS).unref();
    } else {
      this.#budgets.set(cause, { left: budget - 1, at: now, more: 0 });
      this.#options.log.append({ ...happening, ...(more === 0 ? {} : { more }) });
    }
    const forgotten = oldestOf(this.#budgets);
    if (forgotten !== undefined) this.#count(forgotten);
  }

  /** Writes how many entries were left out. */
  close(): void {
    clearTimeout(this.#leftOut);
    this.#leftOut = undefined;
    for (const budget of this.#budgets.values()) this.#count(budget);
  }

  /** The last one that was left out says how many others were. */
  #count(budget: Budget): void {
    const { more, last } = budget;
    if (more === 0 || last === undefined) return;
    budget.more = 0;
    this.#options.log.append({ ...last, ...(more === 1 ? {} : { more: more - 1 }) });
  }

  #tell({ by, door, from, verb, app, what }: Asked, came: Pick<Happening, 'result' | 'code' | 'about'>): void {
    this.write({
      who: by.name,
      ...(by.account === undefined ? {} : { account: by.account }),
      ...(by.kind === 'token' ? { token: true } : {}),
      ...{ door, from, verb, what },
      ...(app === undefined || app === '' ? {} : { app }),
      ...came,
    });
  }
}

/** Takes out the oldest where there are too many. */
function oldestOf<T>(map: Map<string, T>): T | undefined {
  if (map.size <= MAX_CAUSES) return undefined;
  for (const [key, value] of map) {
    map.delete(key);
    return value;
  }
  return undefined;
}
