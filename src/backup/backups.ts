import { createWriteStream } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ensureFolder } from '../lib/ensure-folder.js';
import { Refusal } from '../errors.js';
import { Background } from '../lib/background.js';
import { listed } from '../lib/words.js';
import { writeBackup } from './archive.js';
import { isInS3, parsePlace, PLACE_RULE, type S3Access } from './place.js';
import { Bucket } from './s3.js';

/** How often is looked whether a backup is due, in ms. */
const LOOK_MS = 60_000;
/** What the names of backups have in common; their order is that of time. */
const NAME = /^streamlit-host-\d{8}T\d{6}Z\.tar\.gz$/;

/** Where and how often backups are made by themselves. */
export interface BackupPlan {
  /** A folder, or `s3://bucket/prefix`. */
  to: string;
  everyMs: number;
  /** How many are kept there. */
  keep: number;
  /** Whether the key for config and secrets is in them. */
  key: boolean;
}

export interface BackupsOptions {
  data: string;
  tmp: string;
  /** The PATH on which tar is found. */
  path: string;
  /** undefined = backups are made only when somebody asks. */
  plan: BackupPlan | undefined;
  s3: S3Access | undefined;
  /** Keeps every repository as it is while it is read. @returns a function that ends it */
  hold: () => () => void;
  logger: { info(facts: object, text: string): void; error(facts: object, text: string): void };
}

/** A backup that was made. */
export interface MadeBackup {
  place: string;
  /** The names of older ones that were removed for it. */
  removed: string[];
}

/** Makes backups of the data folder: when somebody asks, and by a plan. */
export class Backups {
  readonly #options: BackupsOptions;
  readonly #work: Background;
  /** Ends what was planned. */
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #last = 0;

  constructor(options: BackupsOptions) {
    this.#options = options;
    this.#work = new Background((error) => {
      if (!this.#closing.signal.aborted) options.logger.error({ err: error }, 'a planned backup failed');
    });
  }

  /** Begins to make backups by the plan; the first one when the newest there is too old. */
  begin(): void {
    const { plan } = this.#options;
    // Nothing waits for it: S3 may be slow.
    if (plan !== undefined) this.#work.own(this.#begin(plan));
  }

  /** Resolves when nothing that was planned is at work. */
  async settled(): Promise<void> {
    await this.#work.settled();
  }

  /** Ends planned backups. One that is being made is given up: the next server makes it. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    await this.settled();
  }

  /** Streams a backup. What it is written to ends when it is complete, and not before the next one may begin. @throws Refusal `backup-running` */
  async stream(to: NodeJS.WritableStream, key: boolean, signal?: AbortSignal): Promise<void> {
    to.on('error', () => undefined); // It may fail before anything is written to it: the pipeline tells.
    const { data, tmp, path, hold } = this.#options;
    if (this.#running)
      throw new Refusal('conflict', 'backup-running', 'A backup is being made. Try again when it is done.');
    this.#running = true;
    const release = hold();
    try {
      await writeBackup({ data, tmp, path, key, signal }, to);
    } finally {
      release();
      this.#running = false;
    }
    to.end();
    await finished(to, { readable: false });
  }

  /**
   * Makes a backup in a folder of this machine or in S3, and removes the oldest ones there.
   * @param keep how many stay, with this one; undefined = all
   * @param signal gives it up
   * @throws Refusal `backup-running`, `s3-failed`, `s3-not-set`
   */
  async make(to: string, key: boolean, keep?: number, signal?: AbortSignal): Promise<MadeBackup> {
    const at = this.#at(to);
    const name = `streamlit-host-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}.tar.gz`;
    await at.put(name, (stream) => this.stream(stream, key, signal), signal);
    const removed = keep === undefined ? [] : (await at.list(signal)).slice(0, -keep);
    for (const old of removed) await at.remove(old);
    const place = `${to.replace(/\/+$/, '')}/${name}`;
    this.#options.logger.info({ place, ...(removed.length > 0 && { removed: listed(removed) }) }, 'made a backup');
    return { place, removed };
  }

  async #begin(plan: BackupPlan): Promise<void> {
    const { signal } = this.#closing;
    const names = await this.#at(plan.to)
      .list(signal)
      .catch(() => []);
    if (signal.aborted) return;
    this.#last = timeOf(names.at(-1));
    this.#timer = setInterval(() => this.#look(plan), LOOK_MS).unref();
    this.#look(plan);
  }

  #look(plan: BackupPlan): void {
    if (this.#running || Date.now() - this.#last < plan.everyMs) return;
    // Also where it fails: once a minute is too often for a disk that is full.
    this.#last = Date.now();
    this.#work.own(this.make(plan.to, plan.key, plan.keep, this.#closing.signal));
  }

  #at(to: string): Store {
    if (!isInS3(to)) return inFolder(resolve(to));
    const place = parsePlace(to);
    if (place === undefined) throw new Error(`${to} ${PLACE_RULE}.`);
    if (this.#options.s3 === undefined) {
      const sentence = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the server to write to S3.';
      throw new Refusal('unavailable', 's3-not-set', sentence);
    }
    return inBucket(new Bucket(this.#options.s3, place.bucket), place.key);
  }
}

/** What keeps backups. */
interface Store {
  put(name: string, write: (stream: NodeJS.WritableStream) => Promise<void>, signal?: AbortSignal): Promise<void>;
  /** The names of the backups there, the oldest first. */
  list(signal?: AbortSignal): Promise<string[]>;
  remove(name: string): Promise<void>;
}

function inFolder(folder: string): Store {
  return {
    async put(name, write) {
      await ensureFolder(folder, 0o700);
      const draft = join(folder, `.${name}.part`);
      try {
        await write(createWriteStream(draft, { mode: 0o600 }));
        const file = await open(draft);
        await file.sync().finally(() => file.close());
        await rename(draft, join(folder, name));
      } finally {
        await rm(draft, { force: true });
      }
    },
    list: async () => (await readdir(folder)).filter((name) => NAME.test(name)).sort(),
    remove: (name) => rm(join(folder, name)),
  };
}

function inBucket(bucket: Bucket, prefix: string): Store {
  const below = prefix === '' ? '' : `${prefix}/`;
  return {
    async put(name, write, signal) {
      const stream = new PassThrough();
      const sent = bucket.put(below + name, stream, signal);
      // Its failure ends the writing, and the other way round.
      sent.catch((error: unknown) => stream.destroy(error as Error));
      const written = write(stream).catch((error: unknown) => {
        stream.destroy(error as Error);
        throw error;
      });
      const [first] = (await Promise.allSettled([sent, written])).filter((one) => one.status === 'rejected');
      if (first !== undefined) throw first.reason;
    },
    list: async (signal) =>
      (await bucket.list(below, signal)).map((key) => key.slice(below.length)).filter((name) => NAME.test(name)),
    remove: (name) => bucket.remove(below + name),
  };
}

/** When a backup was made, in ms since 1970; 0 where there is none. */
function timeOf(name: string | undefined): number {
  const [, year, month, day, hour, minute, second] = /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(name ?? '') ?? [];
  return year === undefined ? 0 : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
