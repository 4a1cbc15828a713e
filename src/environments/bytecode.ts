import { chown, mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors.js';

/**
 * What `compile.py` has compiled, by the hash of its source, so that an environment that shares packages with an earlier one
 * is made without compiling them again. Only the step that compiles can write to it, and no package's code runs there.
 */
export class Bytecode {
  readonly #root: string;

  /** @param cache what installers keep between builds */
  constructor(cache: string) {
    this.#root = join(cache, 'bytecode');
  }

  /** The folder that is written to by the user that builds become. */
  async open(uid: number | undefined): Promise<string> {
    const folder = uid === undefined ? this.#root : join(this.#root, `builds-${uid}`);
    await mkdir(folder, { recursive: true });
    if (uid !== undefined) await chown(folder, uid, uid);
    return realpath(folder);
  }

  /** Removes what was not used for so long (ms), and what an interrupted build left there. */
  async prune(unusedMs: number): Promise<void> {
    const entries = (await readdir(this.#root, { recursive: true, withFileTypes: true }).catch(ifGone)) ?? [];
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      // A build that goes on meanwhile moves its drafts into their places.
      const facts = await stat(path).catch(ifGone);
      if (facts !== undefined && Date.now() - facts.mtimeMs >= unusedMs) await rm(path, { force: true });
    }
  }
}

function ifGone(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}
