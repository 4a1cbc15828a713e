import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors.js';

/** What git receives a push into, and does not remove where it is ended by a signal (git's tmp-objdir.c). */
const QUARANTINE = /^(?:tmp_objdir-|incoming-)/;
/** A draft of a pack. */
const DRAFT = /^tmp_/;
/** A lock of git's: no ref can have such a name (https://git-scm.com/docs/git-check-ref-format). */
const LOCK = /\.lock$|^gc\.pid$/;

/** Deletes what pushes that were ended have left in a repository. Only while none is received. */
export async function removeQuarantines(repository: string): Promise<void> {
  for (const path of await namesIn(join(repository, 'objects'), QUARANTINE)) await removeLeftover(path);
}

/**
 * What git has left in a repository where it was killed: what was received in part, and locks, which would keep a ref from being
 * changed for ever. Only while no git works in it, or by
 * their age. Loose objects in the making are left to `git gc`: there are many folders.
 * @returns their paths
 */
export async function leftoversIn(repository: string): Promise<string[]> {
  const objects = join(repository, 'objects');
  const found = await Promise.all([
    namesIn(repository, LOCK),
    namesIn(objects, LOCK, QUARANTINE),
    namesIn(join(objects, 'info'), LOCK),
    namesIn(join(objects, 'pack'), LOCK, DRAFT),
    locksIn(join(repository, 'refs')),
  ]);
  return found.flat();
}

/** Those of them that have not changed for so long (ms) that no git can still work with them. */
export async function oldLeftoversIn(repository: string, ageMs: number): Promise<string[]> {
  const before = Date.now() - ageMs;
  const old: string[] = [];
  for (const path of await leftoversIn(repository)) {
    const facts = await lstat(path).catch(() => undefined); // It was none.
    if (facts !== undefined && facts.mtimeMs < before) old.push(path);
  }
  return old;
}

export async function removeLeftover(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function locksIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(ifGone);
  const below = await Promise.all(
    entries.map(async (entry) =>
      entry.isDirectory() ? locksIn(join(folder, entry.name)) : LOCK.test(entry.name) ? [join(folder, entry.name)] : [],
    ),
  );
  return below.flat();
}

async function namesIn(folder: string, ...what: RegExp[]): Promise<string[]> {
  const names = await readdir(folder).catch(ifGone);
  return names.filter((name) => what.some((one) => one.test(name))).map((name) => join(folder, name));
}

function ifGone(error: unknown): [] {
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
  throw error;
}
