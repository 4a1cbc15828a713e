import { messageOf } from '../errors.js';
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
  /** Says which log cannot be read, once until it can be again. */
  warn: (facts: object, text: string) => void;
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
  /** The logs that could not be read the last time, by `<app>/<release>`. */
  readonly #unreadable = new Set<string>();

  constructor(options: RunLogsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Begins where the logs of these apps end now, or where another server has left off. @param from by `<app>/<release>`, in bytes */
  begin(wants: (app: string) => boolean, from: Readonly<Record<string, number>>): void {
    for (const { id, live, processes } of this.#options.apps.list()) {
      if (!wants(id)) continue;
      for (const release of new Set([...processes.map((one) => one.release), ...(live === null ? [] : [live])])) {
        const key = `${id}/${release}`;
        const tail = new LogTail(this.#options.paths.runLog(id, release));
        try {
          tail.offset = Math.min(tail.size, from[key] ?? tail.size);
        } catch (error) {
          this.#tell(key, error);
          tail.offset = from[key] ?? 0;
        }
        this.#logs.set(key, { tail, splitter: new LineSplitter() });
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
        const key = `${id}/${release}`;
        seen.add(key);
        try {
          await this.#lookAt(id, release, found);
          this.#unreadable.delete(key);
        } catch (error) {
          // The logs of other apps are read all the same.
          this.#tell(key, error);
        }
      }
    }
    for (const key of this.#logs.keys()) if (!seen.has(key)) this.#logs.delete(key);
    for (const key of this.#unreadable) if (!seen.has(key)) this.#unreadable.delete(key);
  }

  #tell(log: string, error: unknown): void {
    if (this.#unreadable.has(log)) return;
    this.#unreadable.add(log);
    this.#options.warn({ log, error: messageOf(error) }, 'The log of an app cannot be read for its drains.');
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
