import { access, chmod, constants, mkdir, rm } from 'node:fs/promises';
import { messageOf, Refusal } from '../errors.js';
import { sweepDrafts } from '../lib/replace-file.js';
import { ownIdentity } from '../runtime/process/proc.js';
import { claimData, readServerRecord, writeServerRecord } from '../store/lock.js';
import type { Paths } from '../store/paths.js';

/**
 * Creates the data folder if needed, locks it for this server for as long as it runs, and deletes an earlier server's work in
 * progress.
 * @throws Refusal `data-not-writable`, `already-running`
 */
export async function takeData(paths: Paths): Promise<void> {
  await prepare(paths);
  if (!(await claimData(paths.data))) {
    const other = await readServerRecord(paths.server);
    const where =
      other === undefined || other.url === '' ? 'it is starting up' : `${other.url}/console/ (pid ${other.pid})`;
    throw new Refusal('conflict', 'already-running', `A server is already running on ${paths.data}: ${where}.`);
  }
  await writeServerRecord(paths.server, { ...ownIdentity(), url: '' });
  // Only now: another server's work in progress may lie there.
  for (const folder of [paths.data, paths.run]) await sweepDrafts(folder);
  await rm(paths.tmp, { recursive: true, force: true });
  await mkdir(paths.tmp, { mode: 0o700 });
}

async function prepare(paths: Paths): Promise<void> {
  try {
    for (const folder of [paths.data, paths.apps, paths.environments, paths.run, paths.tmp]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
    await access(paths.data, constants.W_OK);
    await mkdir(paths.cache, { recursive: true, mode: 0o700 });
    // Also if an earlier version or an operator has opened them to other users of the machine.
    for (const folder of [paths.data, paths.cache]) await chmod(folder, 0o700);
  } catch (error) {
    throw new Refusal(
      'unavailable',
      'data-not-writable',
      `Cannot write to the data folder ${paths.data}: ${messageOf(error)}.`,
    );
  }
}
