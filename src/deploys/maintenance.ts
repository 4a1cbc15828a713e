import { Background } from '../lib/background.js';
import { runCommand } from '../environments/run.js';
import { messageOf } from '../errors.js';
import { MARK } from '../runtime/process/marked.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { oldLeftoversIn, removeLeftover } from '../store/leftovers.js';
import { Repository } from '../store/repository.js';
import { LfsCleanUp } from './lfs-clean-up.js';

/** How often repositories are looked at, in ms. */
const LOOK_MS = 10 * 60_000;
/** After how long (ms) what git has left belongs to one that was killed: it works for minutes at most. */
const LEFT_MS = 60 * 60_000;
/** How long git may take for one of them, in ms. */
const LIMIT_MS = 15 * 60_000;
/** What may have come since the last time, before git packs it: bytes of loose objects, their number, and packs. */
const LOOSE_BYTES = 20 * 1024 * 1024;
const LOOSE = 2_000;
const PACKS = 20;
/** How long objects are kept that nothing names any more, such as those of a failed push: it may be pushed again. */
const EXPIRY = '2.days.ago';
/** What is kept is looked at again after this time, in ms: it may have expired. */
const AGAIN_MS = 24 * 3_600_000;

/** What git counts in a repository. */
interface Counted {
  loose: number;
  bytes: number;
  packs: number;
}

/** The last time that a repository was looked at. */
interface Looked {
  /** Its app's last release: without a new one, nothing has come. */
  release: number;
  /** What was left afterwards. */
  left: Counted;
  /** When it was packed, in ms of the clock that never jumps. */
  at: number;
}

export interface MaintenanceOptions {
  store: Pick<AppStore, 'list' | 'find'>;
  paths: Pick<Paths, 'repository' | 'lfs'>;
  git: Git;
  /** What git's process is marked with, so that it is found after the server was killed. */
  mark: string;
  logger: { info(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/**
 * Packs what pushes and uploads have left in repositories, one after the other and at low priority, and deletes what nothing
 * names any more. It never runs while an app is being pushed to.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #work: Background;
  readonly #lfs: LfsCleanUp;
  readonly #looked = new Map<string, Looked>();
  readonly #held = new Map<string, number>();
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #current: { app: string; abort: AbortController } | undefined;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#lfs = new LfsCleanUp(options);
    this.#work = new Background((error) => options.logger.warn({ err: error }, 'repositories could not be tidied'));
  }

  /** Begins to look at repositories from time to time. */
  begin(): void {
    this.#timer = setInterval(() => this.#work.own(this.look()), LOOK_MS);
    this.#timer.unref();
  }

  /** Interrupts what is being done, which loses nothing. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#work.settled();
  }

  /** Keeps git's hands off an app's repository while it is pushed to. @returns a function that ends it, once */
  hold(app: string): () => void {
    this.#held.set(app, (this.#held.get(app) ?? 0) + 1);
    if (this.#current?.app === app) this.#current.abort.abort();
    return () => {
      const left = (this.#held.get(app) ?? 1) - 1;
      if (left > 0) this.#held.set(app, left);
      else this.#held.delete(app);
    };
  }

  /** What git has left where it was killed, in repositories that are not pushed to. */
  async leftovers(): Promise<string[]> {
    const { store, paths } = this.#options;
    const apps = store.list().filter(({ id, place }) => place === undefined && !this.#held.has(id));
    return (await Promise.all(apps.map(({ id }) => oldLeftoversIn(paths.repository(id), LEFT_MS)))).flat();
  }

  /** Looks at all repositories once; joins a look that is going on. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { store, paths, logger } = this.#options;
    const apps = store.list();
    for (const id of this.#looked.keys()) if (store.find(id) === undefined) this.#looked.delete(id);
    for (const { id, lastRelease, place } of apps) {
      if (this.#closing.signal.aborted) return;
      if (place !== undefined || this.#held.has(id) || store.find(id) === undefined) continue;
      try {
        for (const path of await oldLeftoversIn(paths.repository(id), LEFT_MS)) await removeLeftover(path);
        await this.#tidy(id, lastRelease);
        await this.#lfs.tidy(id, this.#closing.signal);
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        logger.warn({ app: id, error: messageOf(error) }, 'a repository could not be tidied');
      }
    }
  }

  async #tidy(id: string, release: number): Promise<void> {
    const { store, paths, git, logger } = this.#options;
    const before = this.#looked.get(id);
    const old = before !== undefined && performance.now() - before.at > AGAIN_MS && before.left.loose > 0;
    if (before?.release === release && !old) return;
    const repository = new Repository(paths.repository(id), git);
    const counted = await count(repository);
    const at = before?.at ?? performance.now();
    if (!old && !isDue(counted, before?.left)) {
      this.#looked.set(id, { release, left: before?.left ?? { loose: 0, bytes: 0, packs: 0 }, at });
      return;
    }
    // A preview finds objects here that only its own repository names.
    const lends = store.list().some(({ preview }) => preview?.of === id);
    const abort = new AbortController();
    this.#current = { app: id, abort };
    const started = performance.now();
    try {
      await runCommand({
        argv: ['git', ...SETTINGS, 'gc', '--quiet', `--prune=${lends ? 'never' : EXPIRY}`],
        cwd: repository.path,
        env: { ...git.env, [MARK]: this.#options.mark },
        timeoutMs: LIMIT_MS,
        signal: AbortSignal.any([abort.signal, this.#closing.signal]),
      });
    } catch (error) {
      // It is tidied after the push.
      if (abort.signal.aborted) return;
      throw error;
    } finally {
      this.#current = undefined;
    }
    const left = await count(repository);
    this.#looked.set(id, { release, left, at: performance.now() });
    const ms = Math.round(performance.now() - started);
    logger.info({ app: id, ms, loose: counted.loose, left: left.loose }, 'tidied a repository');
  }
}

/** So that it takes neither all cores nor all memory. */
const SETTINGS = ['pack.threads=1', 'pack.windowMemory=100m', 'gc.autoDetach=false'].flatMap((one) => ['-c', one]);

/** True where more has come since the last time than may lie around. */
function isDue(now: Counted, left: Counted = { loose: 0, bytes: 0, packs: 0 }): boolean {
  return now.bytes - left.bytes > LOOSE_BYTES || now.loose - left.loose > LOOSE || now.packs - left.packs > PACKS;
}

/** https://git-scm.com/docs/git-count-objects */
async function count(repository: Repository): Promise<Counted> {
  const text = await repository.ask(['count-objects', '-v']);
  const read = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { loose: read('count'), bytes: read('size') * 1024, packs: read('packs') };
}
