import { readFile, stat } from 'node:fs/promises';
import { replaceFile } from '../lib/replace-file.js';
import { hasCode } from '../errors.js';
import type { Paths } from './paths.js';

/** What the apps looked like after their last deploys: one small JPEG an app, which goes with the app. */
export class Pictures {
  readonly #paths: Paths;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Names the picture of an app, another one after every change; undefined where there is none. */
  async version(app: string): Promise<string | undefined> {
    try {
      const { mtimeMs, size } = await stat(this.#paths.picture(app));
      return `${Math.round(mtimeMs).toString(36)}-${size.toString(36)}`;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** The picture of an app, as JPEG. */
  async read(app: string): Promise<Buffer> {
    return readFile(this.#paths.picture(app));
  }

  /** Keeps a picture instead of the one before. An app that is gone is not brought back: its folder must be there. */
  async keep(app: string, jpeg: Buffer): Promise<void> {
    await replaceFile(this.#paths.picture(app), jpeg, { mode: 0o600 });
  }
}
