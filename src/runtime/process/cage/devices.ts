import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GPU } from '../../../domain/project/app-cage.js';
import type { Devices } from './spec.js';

/** Where the kernel has devices. */
const DEV = '/dev';

/** The names that drivers give to graphics processors: NVIDIA's, those of Mesa and ROCm, and that of WSL. */
const GPU_NAMES = /^(nvidia|dri$|kfd$|dxg$)/;

/**
 * Finds devices by what an app calls them; what the machine does not have is left out.
 * @param names paths below /dev, or "gpu"
 */
export async function findDevices(names: readonly string[]): Promise<Devices> {
  const all = names.includes(GPU) ? (await readdir(DEV)).filter((name) => GPU_NAMES.test(name)) : [];
  const paths = [...names.filter((name) => name !== GPU), ...all.map((name) => join(DEV, name))];
  const found = await Promise.all(paths.map(async (path) => ({ path, groups: await groupsOf(path) })));
  const there = found.flatMap(({ path, groups }) => (groups === undefined ? [] : [{ path, groups }]));
  return {
    paths: [...new Set(there.map(({ path }) => path))],
    groups: [...new Set(there.flatMap(({ groups }) => groups))].filter((group) => group !== 0),
  };
}

/** The groups of a device, or of those in a folder; undefined where there is no such device. */
async function groupsOf(path: string): Promise<number[] | undefined> {
  const facts = await stat(path).catch(() => undefined); // The operator allows more than every machine has.
  if (facts === undefined) return undefined;
  if (!facts.isDirectory()) return [facts.gid];
  const inside = await readdir(path);
  return (await Promise.all(inside.map((name) => groupsOf(join(path, name))))).flatMap((groups) => groups ?? []);
}
