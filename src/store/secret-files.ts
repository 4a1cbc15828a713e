import { chown, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { replaceFile } from '../lib/replace-file.js';
import { Turns } from '../lib/turns.js';
import { hasCode } from '../errors.js';
import type { Paths } from './paths.js';

/** A process that runs. */
export interface ProcessPlace {
  app: string;
  release: number;
  /** Tells it from others of its release: no two that run at once have the same (`processKey`). */
  key: string;
}

/**
 * The secrets.toml of each running process, in plain text and for its owner alone, who owns the folder of its app as well:
 * written when the process starts, gone when it has ended. Each process has its own, since two of one release run beside each other during a restart.
 */
export class SecretFiles {
  readonly #paths: Paths;
  /** One after the other: a folder must not go while something is being put into it. */
  readonly #turns = new Turns();

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** @returns where it is */
  async write(place: ProcessPlace, toml: string): Promise<string> {
    const path = this.#paths.secretsFile(place.app, place.release, place.key);
    await this.#turns.take('', async () => {
      await ensureFolder(dirname(path), 0o700);
      await replaceFile(path, toml, { mode: 0o600, sync: false });
      const { uid, gid } = await stat(this.#paths.secretsOf(place.app));
      for (const one of [dirname(dirname(path)), dirname(path), path])
        if (process.getuid?.() === 0) await chown(one, uid, gid);
    });
    return path;
  }

  /** Removes that of a process that has ended; fine where it had none. */
  async remove(place: ProcessPlace): Promise<void> {
    const path = this.#paths.secretsFile(place.app, place.release, place.key);
    await this.#turns.take('', () => this.#remove(dirname(path)));
  }

  /** Removes those whose processes are gone, such as after a crash of the machine. */
  async sweep(running: readonly ProcessPlace[]): Promise<void> {
    const root = this.#paths.secrets;
    const keep = new Set(running.map(({ app, release, key }) => dirname(this.#paths.secretsFile(app, release, key))));
    for (const app of await list(root)) {
      for (const release of await list(join(root, app))) {
        for (const key of await list(join(root, app, release))) {
          const folder = join(root, app, release, key);
          if (!keep.has(folder)) await this.#remove(folder);
        }
      }
      await removeIfEmpty(join(root, app));
    }
  }

  async #remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
    // The folder of the release goes with its last one. That of the app stays: a cage shows it to a process that may get
    // its secrets later, and would show the one that is gone.
    await removeIfEmpty(dirname(folder));
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].some((code) => hasCode(error, code))) throw error;
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}
