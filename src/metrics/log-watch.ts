import { realpath } from 'node:fs/promises';
import { findRelease } from '../domain/app/app.js';
import { ExceptionReader, type PrintedException } from '../domain/streamlit/exceptions.js';
import { shortenTracebacks } from '../domain/streamlit/traceback.js';
import { LineSplitter } from '../logs/lines.js';
import { LogTail } from '../logs/log-tail.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';
import type { Errors } from './errors.js';

/** How much of a log is read in a look, in bytes; of an app that prints more, the newest part. */
const MAX_READ = 256 * 1024;

/** How many exceptions of an app are noted in a look; the others are counted. */
const MAX_NOTED = 50;

/** A log with how far it was read. */
interface Watched {
  tail: LogTail;
  reader: ExceptionReader;
  splitter: LineSplitter;
}

export interface LogWatchOptions {
  apps: Pick<AppStore, 'list' | 'find'>;
  paths: Pick<Paths, 'runLog' | 'sourceOf' | 'environmentOf' | 'environments' | 'storage'>;
  errors: Pick<Errors, 'add'>;
  /** Hides an app's values. @throws Error where they cannot be read */
  mask: (app: string) => Promise<(text: string) => string>;
  /** Counts the exceptions of an app. */
  count: (app: string, exceptions: number) => void;
  now?: () => number;
}

/** Looks for exceptions in the logs of the apps that run. A log that has not grown costs no more than a look at its size. */
export class LogWatch {
  readonly #options: LogWatchOptions;
  readonly #logs = new Map<string, Watched>();
  readonly #now: () => number;

  constructor(options: LogWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Begins where the logs end now: what an earlier server has seen is not counted again. */
  begin(): void {
    for (const { id, live } of this.#options.apps.list()) {
      if (live === null) continue;
      const { tail } = this.#watch(id, live);
      tail.offset = tail.size;
    }
  }

  /** Looks at the logs of all apps that run. */
  async look(): Promise<void> {
    const { apps } = this.#options;
    const seen = new Set<string>();
    for (const app of apps.list()) {
      for (const release of new Set(app.processes.map((one) => one.release))) {
        seen.add(key(app.id, release));
        await this.#lookAt(app.id, release);
      }
      // Nothing is printed while it sleeps; it goes on there when it wakes.
      if (app.live !== null) seen.add(key(app.id, app.live));
    }
    for (const name of this.#logs.keys()) if (!seen.has(name)) this.#logs.delete(name);
  }

  #watch(app: string, release: number): Watched {
    const tail = new LogTail(this.#options.paths.runLog(app, release));
    const watched = { tail, reader: new ExceptionReader(), splitter: new LineSplitter() };
    this.#logs.set(key(app, release), watched);
    return watched;
  }

  async #lookAt(app: string, release: number): Promise<void> {
    const log = this.#logs.get(key(app, release)) ?? this.#watch(app, release);
    const added = await log.tail.newest(MAX_READ);
    // What was found last is complete once nothing has followed it for a while.
    if (added === undefined) return this.#note(app, release, log.reader.end());
    await this.#note(app, release, log.reader.push(log.splitter.push(added)));
  }

  async #note(app: string, release: number, found: readonly PrintedException[]): Promise<void> {
    if (found.length === 0) return;
    const { count, errors, mask } = this.#options;
    count(app, found.length);
    const places = await this.#places(app, release);
    // Where the values cannot be read, they cannot be hidden, and nothing that may hold one is kept.
    const hide = await mask(app).catch(() => () => '…');
    for (const exception of found.slice(-MAX_NOTED)) {
      const lines = shortenTracebacks(exception.lines, places).map(hide);
      await errors.add(
        app,
        { type: hide(exception.type), message: hide(exception.message), lines },
        release,
        this.#now(),
      );
    }
  }

  async #places(app: string, number: number): Promise<Parameters<typeof shortenTracebacks>[1]> {
    const { apps, paths } = this.#options;
    const record = apps.find(app);
    const release = record === undefined ? undefined : findRelease(record, number);
    if (release === undefined) return { source: [], environment: [], home: [] };
    return {
      source: await namesOf(paths.sourceOf(app, release)),
      environment: await namesOf(paths.environmentOf(release) ?? paths.environments),
      home: await namesOf(paths.storage(app)),
    };
  }
}

function key(app: string, release: number): string {
  return `${app}/${release}`;
}

/** A folder's path as we write it, and as Python resolves it if a part of it is a link. */
async function namesOf(folder: string): Promise<string[]> {
  return [...new Set([folder, await realpath(folder).catch(() => folder)])];
}
