import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { restoreBackup } from '../backup/archive.js';
import { isInS3, parsePlace, PLACE_RULE, s3Access } from '../backup/place.js';
import { Bucket } from '../backup/s3.js';
import { messageOf } from '../errors.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { dataFolder } from './local.js';

/**
 * Puts a backup into an empty data folder. The next start of the server builds what was live, the apps that were used last
 * first.
 * @throws Refusal `restore-not-empty`, `backup-unreadable`, `backup-key-missing`, `s3-failed`, `usage`
 */
export async function restore(cli: Context, from: string, { key }: { key?: string }): Promise<void> {
  const data = dataFolder(cli.env, cli.cwd, cli.launcher?.root);
  const ring = key === undefined ? undefined : await readFile(resolve(cli.cwd, key)).catch(refuse);
  const source = await open(cli, from);
  const { createdAt } = await restoreBackup(source, data, { key: ring, path: cli.env.PATH ?? '' });
  if (cli.out.json) return cli.out.data({ data, created_at: createdAt });
  cli.out.print(`Restored the backup of ${createdAt} to ${data}. Start the server with "streamlit-host start".`);
}

async function open(cli: Context, from: string): Promise<Readable> {
  if (!isInS3(from)) return createReadStream(resolve(cli.cwd, from));
  const place = parsePlace(from);
  if (place === undefined) throw usage(`${from} ${PLACE_RULE}.`);
  const access = s3Access(cli.env);
  if (access === undefined) throw usage('Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to read from S3.');
  return Readable.fromWeb((await new Bucket(access, place.bucket).get(place.key)) as never);
}

function refuse(error: unknown): never {
  throw usage(`The key cannot be read: ${messageOf(error)}.`);
}
