import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { replaceFile } from '../lib/replace-file.js';
import {
  changeConfigJson,
  rawEntries,
  readConfigJson,
  type ConfigJson,
  type Folders,
  type RawEntry,
} from '../domain/in-place/config-json.js';
import { Turns } from '../lib/turns.js';
import { hasCode, messageOf, Refusal } from '../errors.js';

/** What was read of a config.json. */
export interface ConfigState {
  /** What it says; where it is bad or has vanished, what it said when it was last good. */
  config: ConfigJson;
  /** Its apps as they stand in it, by key. */
  raw: Record<string, RawEntry>;
  /** False where there is no such file and never was. */
  there: boolean;
  /** What is wrong with the file, one sentence each; empty where nothing is. */
  problems: string[];
}

const NOTHING: Pick<ConfigState, 'config' | 'raw'> = { config: { websitePort: undefined, entries: [] }, raw: {} };

/**
 * The config.json of a folder of apps. It is its owner's: it is read as it stands, written only where an app comes or
 * goes, by one rename, and a copy of what was good in it outlives every mistake.
 */
export class ConfigFile {
  readonly path: string;
  readonly #lastGood: string;
  readonly #folders: Folders;
  readonly #turns = new Turns();

  /** @param lastGood where the copy is kept */
  constructor(path: string, lastGood: string, apps: string) {
    this.path = path;
    this.#lastGood = lastGood;
    this.#folders = { base: dirname(path), apps };
  }

  /** Reads it again. No content is an error: the last valid version takes its place. */
  async read(): Promise<ConfigState> {
    return this.#turns.take('', () => this.#read());
  }

  /**
   * Sets apps or takes them out, with everything else left as it is. It is made where there is none.
   * @param change by key, given what it says now; undefined removes an app
   * @throws Refusal `config-invalid` where the file has mistakes: nothing is written then
   */
  async change(
    change: (now: ConfigState) => { websitePort?: number; apps: Record<string, RawEntry | undefined> },
  ): Promise<ConfigState> {
    return this.#turns.take('', async () => {
      const now = await this.#read();
      if (now.problems.length > 0) throw new Refusal('conflict', 'config-invalid', now.problems.join(' '));
      const wanted = change(now);
      if (Object.keys(wanted.apps).length === 0 && wanted.websitePort === undefined) return now;
      const before = (await textOf(this.path)) ?? '';
      const after = changeConfigJson(before, wanted);
      const reading = readConfigJson(after, this.#folders);
      if ('mistakes' in reading) throw new Refusal('conflict', 'config-invalid', reading.mistakes.join(' '));
      await this.#write(after);
      return this.#read();
    });
  }

  async #read(): Promise<ConfigState> {
    let text: string | undefined;
    try {
      text = await textOf(this.path);
    } catch (error) {
      return this.#instead([`Cannot read ${this.path}: ${messageOf(error)}.`]);
    }
    if (text === undefined) {
      const last = await textOf(this.#lastGood);
      return last === undefined
        ? { ...NOTHING, there: false, problems: [] }
        : this.#instead([`${this.path} no longer exists.`]);
    }
    const reading = readConfigJson(text, this.#folders);
    if ('mistakes' in reading) return this.#instead(reading.mistakes.map((mistake) => `${this.path}, ${mistake}`));
    // A full disk must not keep the apps from being read; the copy is renewed at the next look.
    await this.#keep(text).catch(() => undefined);
    return { config: reading.config, raw: rawEntries(text), there: true, problems: [] };
  }

  async #instead(problems: string[]): Promise<ConfigState> {
    const last = await textOf(this.#lastGood);
    const reading = last === undefined ? undefined : readConfigJson(last, this.#folders);
    if (last === undefined || reading === undefined || 'mistakes' in reading)
      return { ...NOTHING, there: false, problems };
    return { config: reading.config, raw: rawEntries(last), there: true, problems };
  }

  async #keep(text: string): Promise<void> {
    if ((await textOf(this.#lastGood)) === text) return;
    await ensureFolder(dirname(this.#lastGood), 0o700);
    await replaceFile(this.#lastGood, text, { mode: 0o600 });
  }

  /** By one rename, with the rights that it had; where it is a link, what it leads to is replaced. */
  async #write(text: string): Promise<void> {
    const target = await realpath(this.path).catch(() => this.path); // There is none yet.
    const mode = await stat(target).then(
      (facts) => facts.mode & 0o777,
      () => 0o644,
    );
    await replaceFile(target, text, { mode });
  }
}

/** @returns undefined where there is no such file */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
