import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, readdir, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ensureFolder } from '../lib/ensure-folder.js';
import { isOid, type LfsPointer } from '../domain/project/lfs.js';
import { hasCode, Refusal } from '../errors.js';

/** How the name of a file begins that is being received, and after how long (ms) without more of it nobody sends it any more. */
const DRAFT = '.draft-';
const ABANDONED_MS = 24 * 60 * 60_000;

/** Its name beside a repository. */
export const LFS_FOLDER = 'lfs';

/** What Git LFS stores for one app: each file under its hash, in full or not at all. */
export class LfsObjects {
  readonly #folder: string;

  /** @param folder of its own */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Where an object is, if it is there. @param oid one that `isOid` accepts */
  path(oid: string): string {
    return join(this.#folder, oid.slice(0, 2), oid);
  }

  async has({ oid, size }: LfsPointer): Promise<boolean> {
    const found = await stat(this.path(oid)).catch(() => undefined); // Not there.
    return found?.isFile() === true && found.size === size;
  }

  /** Notes that an object is about to be named by a commit, so that `prune` spares it. */
  async renew({ oid }: LfsPointer): Promise<void> {
    await utimes(this.path(oid), new Date(), new Date());
  }

  /** Deletes the objects that nothing names and that are so old (ms). @returns how many */
  async prune(named: ReadonlySet<string>, oldMs: number): Promise<number> {
    let removed = 0;
    for (const group of await namesIn(this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(group)) continue;
      for (const oid of (await namesIn(join(this.#folder, group))).filter(isOid)) {
        if (named.has(oid) || Date.now() - (await stat(this.path(oid))).mtimeMs < oldMs) continue;
        await rm(this.path(oid), { force: true });
        removed += 1;
      }
    }
    return removed;
  }

  /** Returns whether any object is stored in full. */
  async hasAny(): Promise<boolean> {
    for (const group of await namesIn(this.#folder)) {
      if (/^[0-9a-f]{2}$/.test(group) && (await namesIn(join(this.#folder, group))).some(isOid)) return true;
    }
    return false;
  }

  /**
   * Stores an object. One that is there already stays as it is.
   * @throws Refusal `lfs-object-invalid` where the content is not the one that was announced, and what writing throws
   */
  async keep(object: LfsPointer, content: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
    const path = this.path(object.oid);
    await ensureFolder(this.#folder, 0o700);
    await this.#removeOldDrafts();
    const draft = join(this.#folder, `${DRAFT}${randomBytes(8).toString('hex')}`);
    try {
      const check = checked(object);
      await pipeline(content, check, createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true }), { signal });
      await ensureFolder(dirname(path), 0o700);
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
  }

  /** An object, to be read or closed; undefined where it is not there. */
  async open(oid: string): Promise<FileHandle | undefined> {
    try {
      return await open(this.path(oid));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** What a server that was killed was receiving. */
  async #removeOldDrafts(): Promise<void> {
    for (const name of (await namesIn(this.#folder)).filter((one) => one.startsWith(DRAFT))) {
      const path = join(this.#folder, name);
      const at = await stat(path).then(({ mtimeMs }) => mtimeMs, Date.now); // It is complete now, or gone.
      if (Date.now() - at > ABANDONED_MS) await rm(path, { force: true });
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return []; // Nothing was stored yet.
    throw error;
  });
}

/** Passes on what has the right size and hash, and fails at once where it cannot have. */
function checked({ oid, size }: LfsPointer): Transform {
  const hash = createHash('sha256');
  let bytes = 0;
  const wrong = (): Refusal =>
    new Refusal('invalid', 'lfs-object-invalid', 'The content of the file is not what its pointer says. Push again.');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes > size) done(wrong());
      else done(null, chunk);
    },
    flush(done) {
      done(bytes === size && hash.digest('hex') === oid ? null : wrong());
    },
  });
}
