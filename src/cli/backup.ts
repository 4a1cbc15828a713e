import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../errors.js';
import type { BackupAnswer } from '../web/api/answers.js';
import type { Context } from './context.js';
import { unreachable, usage } from './failures.js';

/** The options of a backup. */
export interface BackupOptions {
  withKey?: boolean;
  keep?: string;
}

const WITHOUT_KEY =
  'The key for config and secrets is not in it. Keep a copy of vault.key from the data folder somewhere else, or use --with-key.';

/**
 * Backs up the server: to a file here, or to a folder or bucket of the server, where older backups can be removed.
 * @throws Refusal `usage`, `backup-running`, `s3-failed`, `s3-not-set`
 */
export async function backup(cli: Context, to: string, { withKey = false, keep }: BackupOptions): Promise<void> {
  const place = to.startsWith('s3://') ? await inBucket(cli, to, withKey, keep) : await toFile(cli, to, withKey, keep);
  if (cli.out.json) return cli.out.data({ place, key: withKey });
  cli.out.print(`Backup: ${place}`);
  if (!withKey) cli.out.note(WITHOUT_KEY);
}

async function inBucket(cli: Context, to: string, key: boolean, keep: string | undefined): Promise<string> {
  if (keep !== undefined && !/^[1-9]\d{0,3}$/.test(keep)) throw usage('--keep is a whole number, 1 or more.');
  const body = { to, key, ...(keep === undefined ? {} : { keep: Number(keep) }) };
  return (await (await cli.api()).postLong<BackupAnswer>('/server/backups', body)).place;
}

async function toFile(cli: Context, to: string, key: boolean, keep: string | undefined): Promise<string> {
  if (keep !== undefined)
    throw usage('--keep works with s3:// and with planned backups. To a file, you name each backup.');
  const file = resolve(cli.cwd, to);
  const folder = await stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (folder) throw usage(`${file} is a folder. Name the file.`);
  const draft = `${file}.part`;
  try {
    const answer = await (await cli.api()).download(`/server/backup?key=${key}`);
    await pipeline(answer, createWriteStream(draft, { mode: 0o600 })).catch((error: unknown) => {
      throw unreachable(`The backup is not complete: ${messageOf(error)}. Its reason is in the server log.`, error);
    });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
  return file;
}
