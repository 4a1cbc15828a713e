import { LogTail } from '../logs/log-tail.js';
import { LineSplitter } from '../logs/lines.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';
import type { LogLine } from './buffer.js';

/** How much of a log is read at once, in bytes. */
const BLOCK = 256 * 1024;

export interface RunLogsOptions {
  apps: Pick<AppStore, 'list'>;
  paths: Pick<Paths, 'runLog'>;
  /** Hides an app's values. @throws Error where they cannot be read */
  mask: (app: string) => Promise<(text: string) => string>;
  now?: () => number;
}

interface Watched {
  tail: LogTail;
  splitter: LineSplitter;
}

/** Reads what apps print, from the files that they write to: an app never waits for it. */
export class RunLogs {
  readonly #options: RunLogsOptions;
  readonly #now: () => number;
  readonly #logs = new Map<string, Watched>();

  constructor(options: RunLogsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Begins where the logs of these apps end now, or where another server has left off. @param from by `<app>/<release>`, in bytes */
  begin(wants: (app: string) => boolean, from: Readonly<Record<string, number>>): void {
    for (const { id, live, processes } of this.#options.apps.list()) {
      if (!wants(id)) continue;
      for (const release of new Set([...processes.map((one) => one.release), ...(live === null ? [] : [live])])) {
        const tail = new LogTail(this.#options.paths.runLog(id, release));
        tail.offset = Math.min(tail.size, from[`${id}/${release}`] ?? tail.size);
        this.#logs.set(`${id}/${release}`, { tail, splitter: new LineSplitter() });
      }
    }
  }

  /** How far each log was read, in bytes. */
  get offsets(): Record<string, number> {
    return Object.fromEntries([...this.#logs].map(([key, { tail }]) => [key, tail.offset]));
  }

  /** Reads what was printed since the last look. @param wants the apps that are asked for @param found what an app has printed */
  async look(wants: (app: string) => boolean, found: (app: string, lines: LogLine[]) => void): Promise<void> {
    const seen = new Set<string>();
    for (const { id, live, processes } of this.#options.apps.list()) {
      if (!wants(id)) continue;
      for (const release of new Set([...processes.map((one) => one.release), ...(live === null ? [] : [live])])) {
        seen.add(`${id}/${release}`);
        await this.#lookAt(id, release, found);
      }
    }
    for (const key of this.#logs.keys()) if (!seen.has(key)) this.#logs.delete(key);
  }

  async #lookAt(app: string, release: number, found: (app: string, lines: LogLine[]) => void): Promise<void> {
    const key = `${app}/${release}`;
    const log = this.#logs.get(key) ?? {
      tail: new LogTail(this.#options.paths.runLog(app, release)),
      splitter: new LineSplitter(),
    };
    this.#logs.set(key, log);
    // An app that prints without a pause is gone on with in the next look.
    let left = log.tail.size;
    for (let bytes = await log.tail.next(BLOCK); bytes !== undefined; bytes = await log.tail.next(BLOCK)) {
      const texts = log.splitter.push(bytes);
      if (texts.length > 0) {
        // Where the values cannot be read, they cannot be hidden, and no line that may hold one is sent.
        const hide = await this.#options.mask(app).catch(() => () => '…');
        const at = this.#now();
        found(
          app,
          texts.map((text): LogLine => ({ app, release, at, text: hide(text) })),
        );
      }
      left -= bytes.length;
      if (left <= 0) return;
    }
  }
}
