import { mkdir } from 'node:fs/promises';
import type { Release } from '../domain/app/release.js';
import { LogFile } from '../logs/log-file.js';
import type { Paths } from '../store/paths.js';
import type { Masks } from '../app-config/masks.js';
import { DeployLog, type LineListener } from './log.js';

/** A deploy that was asked for. It goes on whether or not anybody follows it. */
export interface Deploy {
  app: string;
  release: number;
  /** Calls the listener with every line so far, then with every new one. @returns what ends the subscription */
  follow(listener: LineListener): () => void;
  /** The release as the deploy left it: live, failed, superseded or cancelled. Never rejects. */
  done: Promise<Release>;
}

/** A deploy that has not ended: what it says, and how it is called off. */
export interface OngoingDeploy extends Deploy {
  log: DeployLog;
  abort: AbortController;
  /** Says that it has begun: until then it waits for its turn, and tells so. */
  begin(): void;
}

interface Tracked extends OngoingDeploy {
  finish: (release: Release) => void;
}

/** A deploy that has not begun after so long (ms) says that it waits. */
const PATIENCE_MS = 2_000;

export interface OngoingDeploysOptions {
  paths: Paths;
  /** Hides secrets in what a deploy of an app says. */
  masks: Pick<Masks, 'forDeploy'>;
}

/** The deploys that have not ended, for those who run them, follow them and call them off. */
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

  /** The one of a release, which is begun where it is not there. */
  async open(app: string, number: number): Promise<OngoingDeploy> {
    const known = this.find(app, number);
    if (known !== undefined) return known;
    const { paths, masks } = this.#options;
    await mkdir(paths.release(app, number), { recursive: true });
    const hide = await masks.forDeploy(app);
    // Somebody else may have begun it meanwhile.
    const again = this.find(app, number);
    if (again !== undefined) return again;
    const log = new DeployLog(new LogFile(paths.buildLog(app, number)), hide);
    let finish: Tracked['finish'] = () => undefined;
    const done = new Promise<Release>((resolve) => {
      finish = resolve;
    });
    const waiting = setTimeout(() => log.step('Queued behind other deploys'), PATIENCE_MS);
    const entry: Tracked = {
      app,
      release: number,
      log,
      abort: new AbortController(),
      begin: () => clearTimeout(waiting),
      follow: (listener: LineListener) => log.follow(listener),
      done,
      finish,
    };
    this.#entries.set(key(app, number), entry);
    return entry;
  }

  /** Ends it, and tells those who wait how it ended. */
  close(app: string, release: Release): void {
    const entry = this.#entries.get(key(app, release.number));
    entry?.begin();
    this.#entries.delete(key(app, release.number));
    // From here on, the log on disk has its last line.
    void entry?.log.written.then(() => entry.finish(release));
  }
}

function key(app: string, number: number): string {
  return `${app}/${number}`;
}
