import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../../lib/find-program.js';
import type { Machine } from './spec.js';

/**
 * What programs of every kind read of a system: themselves, their libraries and settings, fonts, time zones, certificates,
 * and how names are found. Nothing of people's, and nothing that other services keep.
 */
const SYSTEM = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/etc',
  '/opt',
  '/nix',
  '/gnu',
  '/sys',
  '/run/systemd/resolve',
  '/var/cache/fontconfig',
];

/** Where keys and passwords of the system are, too. */
const SETTINGS = '/etc';

/** Looks at the machine. @param options.inner the place of `cage.py` */
export async function readMachine(options: {
  path: string;
  inner: string;
  hidden: readonly string[];
}): Promise<Machine> {
  const links = new Map<string, string>();
  const folders: string[] = [];
  for (const path of SYSTEM) {
    const facts = await lstat(path).catch(() => undefined); // No machine has them all.
    if (facts?.isSymbolicLink() === true) links.set(path, await readlink(path));
    else if (facts?.isDirectory() === true) folders.push(path);
  }
  const root = process.getuid?.() === 0;
  // The kernel looks at permissions as well, which keep nothing from root.
  const readable = await Promise.all(
    folders.map(async (folder) => (root && folder === SETTINGS ? publicIn(folder) : [folder])),
  );
  return {
    root,
    bubblewrap: (await findProgram(['bwrap'], options.path)) ?? '',
    inner: options.inner,
    hidden: options.hidden,
    system: { links, folders, readable: readable.flat() },
  };
}

/** What is for everybody of a folder: all of it, or parts. A link needs no permission, and what it leads to has its own. */
export async function publicIn(folder: string): Promise<string[]> {
  const parts: string[] = [];
  let whole = true;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(folder, entry.name);
    const { mode } = await lstat(path);
    const open = entry.isDirectory() ? (mode & 0o005) === 0o005 : (mode & 0o004) !== 0;
    const found = !open ? [] : entry.isDirectory() ? await publicIn(path) : [path];
    parts.push(...found);
    whole &&= found[0] === path;
  }
  return whole ? [folder] : parts;
}
