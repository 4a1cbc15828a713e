import { ensureFolder } from '../lib/ensure-folder.js';
import type { Release } from '../domain/app/release.js';
import type { Readiness } from '../lib/readiness.js';
import { LogFile } from '../logs/log-file.js';
import type { Paths } from '../store/paths.js';
import type { Masks } from '../app-config/masks.js';
import { DeployLog, type LineListener } from './log.js';

/** A requested deploy. It runs whether or not anybody follows it. */
export interface Deploy {
  app: string;
  release: number;
  /** Calls the listener with every line so far, then with every new one. @returns a function that unsubscribes */
  follow(listener: LineListener): () => void;
  /** The release as the deploy left it: live, failed, superseded or cancelled. Never rejects. */
  done: Promise<Release>;
}

/** A deploy that has not ended, with its log and the signal that cancels it. */
export interface OngoingDeploy extends Deploy {
  log: DeployLog;
  abort: AbortController;
  /** Marks it as begun: until then it is queued, and says so. */
  begin(): void;
}

interface Tracked extends OngoingDeploy {
  finish: (release: Release) => void;
}

/** How long (ms) a deploy may be queued before its log says why, and how often it is asked whether that still holds. */
const PATIENCE_MS = 2_000;

export interface OngoingDeploysOptions {
  paths: Paths;
  /** Hides an app's secrets in the logs of its deploys. */
  masks: Pick<Masks, 'forDeploy'>;
  /** Says in full sentences what keeps all deploys from running; undefined where nothing does. */
  readiness: Pick<Readiness, 'why'>;
}

/** Keeps the deploys that have not ended, to run, follow and cancel them. */
export class OngoingDeploys {
  readonly #options: OngoingDeploysOptions;
  readonly #entries = new Map<string, Tracked>();

  constructor(options: OngoingDeploysOptions) {
    this.#options = options;
  }

  find(app: string, number: number): OngoingDeploy | undefined {
    return this.#entries.get(key(app, number));
  }

  list(): OngoingDeploy[] {
    return [...this.#entries.values()];
  }

  /** Returns the ongoing deploy of a release, and creates it if needed. */
  async open(app: string, number: number): Promise<OngoingDeploy> {
    const known = this.find(app, number);
    if (known !== undefined) return known;
    const { paths, masks } = this.#options;
    await ensureFolder(paths.release(app, number));
    const hide = await masks.forDeploy(app);
    // Another call may have created it in the meantime.
    const again = this.find(app, number);
    if (again !== undefined) return again;
    const log = new DeployLog(new LogFile(paths.buildLog(app, number)), hide);
    let finish: Tracked['finish'] = () => undefined;
    const done = new Promise<Release>((resolve) => {
      finish = resolve;
    });
    const waiting = new Waiting(() => this.#options.readiness.why(), log);
    const entry: Tracked = {
      app,
      release: number,
      log,
      abort: new AbortController(),
      begin: () => waiting.end(),
      follow: (listener: LineListener) => log.follow(listener),
      done,
      finish,
    };
    this.#entries.set(key(app, number), entry);
    return entry;
  }

  /** Ends a deploy, and tells everyone who waits for it how it ended. */
  close(app: string, release: Release): void {
    const entry = this.#entries.get(key(app, release.number));
    entry?.begin();
    this.#entries.delete(key(app, release.number));
    // From here on, the log on disk has its last line.
    void entry?.log.written.then(() => entry.finish(release));
  }
}

/** Tells those who wait for a queued deploy what it waits for, whenever that changes. */
class Waiting {
  #timer: NodeJS.Timeout | undefined;
  #told = '';
  #over = false;

  constructor(why: () => Promise<string | undefined>, log: Pick<DeployLog, 'step'>) {
    const look = async (): Promise<void> => {
      const trouble = await why();
      const text = trouble === undefined ? 'Queued behind other deploys' : `Waiting. ${trouble}`;
      if (this.#over) return;
      if (text !== this.#told) log.step(text);
      this.#told = text;
      this.#timer = setTimeout(() => void look(), PATIENCE_MS);
    };
    // It never rejects.
    this.#timer = setTimeout(() => void look(), PATIENCE_MS);
  }

  end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}

function key(app: string, number: number): string {
  return `${app}/${number}`;
}
