import { chown, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { isWithin } from '../lib/within.js';
import type { Variables } from './indexes.js';
import type { Workshop } from './workshop.js';

/** Where uv and pip are told to keep what they may need again. */
const CACHES = [
  ['UV_CACHE_DIR', 'uv'],
  ['PIP_CACHE_DIR', 'pip'],
] as const;

/** What installers keep between builds. */
export interface Caches {
  variables: Record<string, string>;
  /** What a build must be able to write for them. */
  folders: string[];
  /** True where files of theirs can be linked into an environment, and no app could change them there. */
  linked: boolean;
}

/** Caches that go with the folder that they are in. */
export function cachesIn(folder: string): Record<string, string> {
  return Object.fromEntries(CACHES.map(([variable, name]) => [variable, join(folder, 'cache', name)]));
}

/**
 * The caches that all builds share.
 * @param root where they are unless the operator's settings say otherwise
 */
export async function openCaches(root: string, env: Variables, { cage, folder }: Workshop): Promise<Caches> {
  const variables: Record<string, string> = {};
  for (const [variable, name] of CACHES) {
    const shared = env[variable] ?? join(root, name);
    // The user that builds become can use nothing that somebody else has put there.
    const cache = cage?.uid === undefined ? shared : join(shared, `builds-${cage.uid}`);
    await ensureFolder(cache);
    if (cage?.uid !== undefined) await chown(cache, cage.uid, cage.uid);
    variables[variable] = await realpath(cache);
  }
  const here = await realpath(root);
  const folders = Object.values(variables);
  // A cage's mounts are file systems of their own to the kernel: files are linked only within one that holds both ends.
  const whole = [folder, ...folders].every((one) => isWithin(one, here));
  return { variables, folders: whole ? [here] : folders, linked: cage !== undefined && (whole || !cage.mounts) };
}
