import { createHash } from 'node:crypto';
import { access, chmod, constants, readdir, realpath, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { messageOf, Refusal } from '../errors.js';
import { sweepDrafts } from '../lib/replace-file.js';
import { endMarked } from '../runtime/process/marked.js';
import { ownIdentity } from '../runtime/process/proc.js';
import { claimData, keepLock, readServerRecord, writeServerRecord } from '../store/lock.js';
import { leftoversIn, removeLeftover } from '../store/leftovers.js';
import type { Later } from './later.js';
import type { Paths } from '../store/paths.js';

/**
 * Creates the data folder if needed, locks it for this server for as long as it runs, and deletes an earlier server's work in
 * progress.
 * @param later does what a full or read-only disk keeps from being done now
 * @param handed the lock of the server that this one replaces. That one may still read its temporary files
 * @returns what the marks of this folder's processes begin with, and the lock
 * @throws Refusal `data-not-writable`, `already-running`
 */
export async function takeData(
  paths: Paths,
  later: Pick<Later, 'attempt'>,
  handed?: Server,
): Promise<{ mark: string; lock: Server }> {
  await prepare(paths, later);
  const mark = createHash('sha256')
    .update(await realpath(paths.data))
    .digest('hex')
    .slice(0, 16);
  const lock = handed === undefined ? await claimData(paths.data) : keepLock(handed);
  if (lock === undefined) {
    const other = await readServerRecord(paths.server);
    const where =
      other === undefined || other.url === '' ? 'it is starting up' : `${other.url}/console/ (pid ${other.pid})`;
    throw new Refusal('conflict', 'already-running', `A server is already running on ${paths.data}: ${where}.`);
  }
  if (handed === undefined) await clear(paths, mark, later);
  await later.attempt('write the server record', () => writeServerRecord(paths.server, { ...ownIdentity(), url: '' }));
  return { mark, lock };
}

/** Only once the folder is taken: another server's work in progress may lie there. Builds and git of one that was killed still write to it. */
async function clear(paths: Paths, mark: string, later: Pick<Later, 'attempt'>): Promise<void> {
  const isOurs = isWork(mark);
  await endMarked(`${mark}/`, { has: (one) => !isOurs(one) });
  // By name: what comes from now on is ours.
  const names = await readdir(paths.tmp).catch(() => []);
  const apps = await readdir(paths.apps).catch(() => []);
  const left = await Promise.all(apps.map((id) => leftoversIn(paths.repository(id))));
  await later.attempt('clear unfinished work', async () => {
    for (const name of names) await rm(join(paths.tmp, name), { recursive: true, force: true, maxRetries: 5 });
    const kept = [paths.data, paths.run, paths.alerts, paths.audit, paths.metrics, paths.metricErrors];
    for (const folder of kept) await sweepDrafts(folder);
    for (const name of await readdir(paths.run))
      if (/^[hr]\d+(\.sock)?$/.test(name)) await rm(join(paths.run, name), { force: true });
    await rm(paths.drafts, { recursive: true, force: true });
    for (const path of left.flat()) await removeLeftover(path);
    // Where earlier versions kept downloads, which builds in a cage cannot reach.
    for (const name of ['uv', 'pip']) await rm(join(paths.cache, name), { recursive: true, force: true });
  });
}

/** What all builds of a server carry. */
export function buildMark(mark: string): string {
  return `${mark}/build`;
}

/** What git carries while it serves a client. */
export function gitMark(mark: string): string {
  return `${mark}/git`;
}

/** Returns what tells the marks of builds and of git from those of apps, also of an app with the name `build`. */
function isWork(mark: string): (one: string) => boolean {
  const [build, git] = [buildMark(mark), gitMark(mark)];
  return (one) =>
    one === build || one === git || (one.startsWith(`${build}/`) && !one.slice(build.length + 1).includes('/'));
}

async function prepare(paths: Paths, later: Pick<Later, 'attempt'>): Promise<void> {
  // On a full disk, what is there already can be served.
  const known = await access(paths.apps).then(
    () => true,
    () => false,
  );
  const make = async (): Promise<void> => {
    for (const folder of [paths.data, paths.apps, paths.environments, paths.builds, paths.run, paths.tmp]) {
      await ensureFolder(folder, 0o700);
    }
    await access(paths.data, constants.W_OK);
    await ensureFolder(paths.cache, 0o700);
    // Also if an earlier version or an operator has opened them to other users of the machine.
    for (const folder of [paths.data, paths.cache, paths.tmp]) await chmod(folder, 0o700);
    // Builds pass it as a user of their own; nobody else passes the data folder.
    await chmod(paths.builds, 0o755);
  };
  try {
    await (known ? later.attempt('prepare the data folder', make) : make());
  } catch (error) {
    throw new Refusal(
      'unavailable',
      'data-not-writable',
      `Cannot write to the data folder ${paths.data}: ${messageOf(error)}.`,
    );
  }
}
