import { isDeepStrictEqual } from 'node:util';
import { findRelease, pendingRelease } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import { canGoOnWith } from '../domain/streamlit/streamlit.js';
import { Background } from '../lib/background.js';
import { endForSure } from '../runtime/end-for-sure.js';
import type { Instance } from '../runtime/runtime.js';
import type { ExpectedRelease } from '../serving/processes.js';
import type { AppStore } from '../store/apps.js';

/** How long a head start waits for its deploy, in ms: a push may take long to arrive. */
const LIMIT_MS = 60_000;
/** How long a head start may take to end by itself, in ms: it has nothing to clean up. */
const GRACE_MS = 500;

export interface HeadStartsOptions {
  store: Pick<AppStore, 'find'>;
  /** Wakes what reads a push, which may be at rest; a first push needs it too. */
  wake: () => void;
  /** Starts the interpreter of a release that does not exist yet. @returns undefined if it cannot be started before that */
  start: (app: string, expected: ExpectedRelease) => Promise<Instance | undefined>;
  /** The maximum number at once. */
  limit: number;
}

interface HeadStart {
  expected: ExpectedRelease;
  /** Undefined if it was not started. */
  begun: Promise<Instance | undefined>;
  timer: NodeJS.Timeout;
}

/**
 * Most of a start is Python importing Streamlit, which can begin before it is known what to run. So when a push begins, the
 * interpreter is started at once, on the guess that environment, config and cage will be those that the app has now. If the guess
 * was right, the deploy continues with it. If not, it is ended, and only its work is lost.
 */
export class HeadStarts {
  readonly #options: HeadStartsOptions;
  readonly #waiting = new Map<string, HeadStart>();
  /** Head starts that are being ended. If ending one fails, nothing else fails with it. */
  readonly #ending = new Background(() => undefined);
  #closed = false;

  constructor(options: HeadStartsOptions) {
    this.#options = options;
  }

  /** Starts one for the next release of an app, if there is a release to guess from. @param back the release to roll back to */
  begin(id: string, back?: Release): void {
    this.#options.wake();
    const app = this.#options.store.find(id);
    const like = app === undefined ? undefined : (back ?? findRelease(app, app.live));
    if (this.#closed || app === undefined || like?.environment === undefined || like.folder !== undefined) return;
    const expected = {
      number: app.lastRelease + 1,
      environment: like.environment,
      config: back?.config ?? app.config,
      cage: like.cage,
    };
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined && isSame(waiting.expected, expected)) return;
    this.#end(id);
    if (this.#waiting.size >= this.#options.limit) return;
    this.#waiting.set(id, {
      expected,
      // The deploy will start its own process and report what is wrong.
      begun: this.#options.start(id, expected).catch(() => undefined),
      timer: setTimeout(() => this.#end(id), LIMIT_MS).unref(),
    });
  }

  /**
   * Hands over the head start for a release; it belongs to the caller from then on.
   * @param variables the environment variables of the release's process
   * @returns undefined if there is none that can become that process
   */
  async take(id: string, release: Release, variables: Readonly<Record<string, string>>): Promise<Instance | undefined> {
    const headStart = this.#waiting.get(id);
    if (headStart === undefined || headStart.expected.number > release.number) return undefined;
    this.#forget(id, headStart);
    const { number, environment, cage } = headStart.expected;
    const begun = await headStart.begun;
    if (begun === undefined) return undefined;
    const fits =
      number === release.number &&
      environment === release.environment &&
      isDeepStrictEqual(cage, release.cage) &&
      canGoOnWith(begun.environment, variables);
    if (fits && isRunning(begun)) return begun;
    this.#ending.own(this.#finish(begun));
    return undefined;
  }

  /** Ends the head start of an app, unless its deploy is still to come. */
  settle(id: string): void {
    const app = this.#options.store.find(id);
    const pending = app === undefined ? undefined : pendingRelease(app);
    if (pending === undefined || pending.number !== this.#waiting.get(id)?.expected.number) this.#end(id);
  }

  /** Ends all head starts, and allows no others. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const id of [...this.#waiting.keys()]) this.#end(id);
    await this.#ending.settled();
  }

  #end(id: string): void {
    const headStart = this.#waiting.get(id);
    if (headStart === undefined) return;
    this.#forget(id, headStart);
    this.#ending.own(headStart.begun.then((begun) => begun && this.#finish(begun)));
  }

  /** Ends one. What fails for now, such as where no more files can be opened, is tried again, until the next server does it. */
  #finish(begun: Instance): Promise<void> {
    return endForSure(begun, GRACE_MS, () => this.#closed);
  }

  #forget(id: string, headStart: HeadStart): void {
    clearTimeout(headStart.timer);
    this.#waiting.delete(id);
  }
}

/** Returns whether a head start runs. Where that cannot be known now, it is ended like one that does not. */
function isRunning(begun: Instance): boolean {
  try {
    return begun.running;
  } catch {
    return false;
  }
}

function isSame(one: ExpectedRelease, other: ExpectedRelease): boolean {
  return isDeepStrictEqual(one, other);
}
