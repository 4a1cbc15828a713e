import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import { hasCode } from '../errors.js';
import { reasonOf } from './unreadable.js';
import { replaceFile } from '../lib/replace-file.js';

/** The most visitors of a day that are told apart, of one app and of all; more are counted no longer. */
const MAX_PER_APP = 50_000;
const MAX = 200_000;

const DAY_MS = 86_400_000;
const schema = z.object({ day: z.number(), salt: z.string(), apps: z.record(z.string(), z.array(z.string())) });

/**
 * Tells the visitors of a day apart, without knowing them: what is kept of each is a short hash, with a salt that is thrown
 * away at the end of the day (UTC). Nobody can tell from it who was there, nor whether they came back.
 */
export class Visitors {
  readonly #file: string;
  readonly #warn: (text: string) => void;
  #day = -1;
  #salt = '';
  #apps = new Map<string, Set<string>>();
  #count = 0;
  #changed = false;

  constructor(file: string, warn: (text: string) => void) {
    this.#file = file;
    this.#warn = warn;
  }

  /** Reads who was there today already. */
  async open(now: number): Promise<void> {
    this.#turnTo(now);
    try {
      const { day, salt, apps } = schema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
      if (day !== this.#day) return;
      this.#salt = salt;
      this.#apps = new Map(Object.entries(apps).map(([app, hashes]) => [app, new Set(hashes)]));
      this.#count = [...this.#apps.values()].reduce((sum, { size }) => sum + size, 0);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      const aside = `${this.#file}.unreadable`;
      await rename(this.#file, aside).catch(() => undefined); // It is replaced in any case.
      this.#warn(`Cannot read ${this.#file}, today's visitors: ${reasonOf(error)}. It was moved to ${aside}.`);
    }
  }

  /** Returns whether a visitor of an app is the first time there today. @param who an account, or an address with a browser */
  isNew(app: string, who: string, now: number): boolean {
    this.#turnTo(now);
    const hashes = this.#apps.get(app) ?? new Set<string>();
    const hash = createHash('sha256').update(`${this.#salt} ${app} ${who}`).digest('base64url').slice(0, 10);
    if (hashes.has(hash) || hashes.size >= MAX_PER_APP || this.#count >= MAX) return false;
    this.#apps.set(app, hashes.add(hash));
    this.#count += 1;
    this.#changed = true;
    return true;
  }

  /** Writes what is new. @throws Error where the disk is full */
  async flush(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const apps = Object.fromEntries([...this.#apps].map(([app, hashes]) => [app, [...hashes]]));
    const content = JSON.stringify({ day: this.#day, salt: this.#salt, apps });
    await replaceFile(this.#file, content, { mode: 0o600, sync: false });
  }

  #turnTo(now: number): void {
    const day = Math.floor(now / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#salt = randomBytes(16).toString('base64url');
    this.#apps = new Map();
    this.#count = 0;
    // Yesterday's hashes go with their salt.
    this.#changed = true;
  }
}
