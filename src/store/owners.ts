import { constants } from 'node:fs';
import { lstat, open, readdir, rm, stat } from 'node:fs/promises';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasCode } from '../errors.js';
import { Turns } from '../lib/turns.js';
import type { Paths } from './paths.js';
import { execute } from '../lib/spawn.js';

/** The first user of apps. Systems leave these numbers alone, up to 2^31 (https://systemd.io/UIDS-GIDS/). */
const FIRST = 1_879_048_193;
const LAST = FIRST + 0xff_ffff;

/** Who builds are, where each app is a user of its own. */
export const BUILDER = LAST + 1;

/** Who takes the pictures there. */
export const PHOTOGRAPHER = LAST + 2;

/**
 * Whose an app's files are. Where the server may become any user, each app is one of its own, with a group of the same number;
 * the owner of its storage is the record of which. Elsewhere everything is the server's.
 */
export class Owners {
  readonly #paths: Paths;
  readonly #separate: () => boolean;
  /** One after the other: no two apps may find the same number free. */
  readonly #turns = new Turns();

  /** @param separate whether each app is a user of its own */
  constructor(paths: Paths, separate: () => boolean) {
    this.#paths = paths;
    this.#separate = separate;
  }

  /** Sees to it that an app has a storage and owns all of it. @returns its user; undefined where that is the server's own */
  async settle(app: string): Promise<number | undefined> {
    const storage = this.#paths.storage(app);
    await ensureFolder(storage, 0o700);
    return this.#turns.take('', async () => {
      const { uid } = await stat(storage);
      const separate = this.#separate();
      const wanted = separate ? (isOurs(uid) ? uid : await this.#next()) : process.getuid?.();
      // Of a server that is nobody special, no file can be anybody else's.
      if (wanted !== undefined && uid !== wanted && process.getuid?.() === 0) await giveAll(storage, wanted);
      return separate ? wanted : undefined;
    });
  }

  /**
   * Makes a folder that an app may read, and nobody else but the server. In its storage, the app may have put something else in
   * its place, such as a link to what it would like to own.
   */
  async makeFolder(folder: string, uid: number | undefined): Promise<void> {
    const facts = await lstat(folder).catch(ifMissing);
    if (facts?.isDirectory() === false) await rm(folder, { force: true });
    await ensureFolder(folder, 0o700);
    if (uid === undefined) return;
    const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      await opened.chown(uid, uid);
    } finally {
      await opened.close();
    }
  }

  async #next(): Promise<number> {
    const owners = await Promise.all(
      (await readdir(this.#paths.apps)).map(async (app) => {
        try {
          return (await stat(this.#paths.storage(app))).uid;
        } catch (error) {
          if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return 0;
          throw error;
        }
      }),
    );
    return Math.max(FIRST - 1, ...owners.filter(isOurs)) + 1;
  }
}

function ifMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}

function isOurs(uid: number): boolean {
  return uid >= FIRST && uid <= LAST;
}

/** No link is followed: the user that could make one there may be the one that loses the files. */
async function giveAll(folder: string, uid: number): Promise<void> {
  await execute('chown', ['-R', '-h', '-P', `${uid}:${uid}`, '--', folder]);
}
