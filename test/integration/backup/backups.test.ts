import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { restoreBackup, writeBackup } from '../../../src/backup/archive.js';
import { Backups, type BackupPlan } from '../../../src/backup/backups.js';
import type { S3Access } from '../../../src/backup/place.js';
import { restore } from '../../../src/cli/restore.js';
import { AuditLog } from '../../../src/store/audit-log.js';
import { bodies } from '../../../src/web/api/schemas.js';
import { scratch } from '../../helpers/ends.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
let data: string;
let held: string[];
let ends: (() => void)[];
let errors: string[];
const path = process.env.PATH ?? '';

beforeEach(async () => {
  folder = await scratch('backups-');
  data = join(folder, 'data');
  [held, ends, errors] = [[], [], []];
  await writeFiles(data, {
    'vault.key': 'the key',
    'users.json': '{}',
    'alerts/alerts.json': '{}',
    'alerts/destinations.json.sealed': 'sealed',
    'alerts/alerts.json.0123456789ab.draft': 'unfinished',
    'redis/dump': 'no part of it',
    'environments/abc/bin/python': 'no part of it',
    'apps/shop/meta.json': '{"id":"shop"}',
    'apps/shop/config.json.sealed': 'sealed',
    'apps/shop/releases/1/build.log': 'built',
    'apps/shop/releases/1/source/app.py': 'made again',
    'apps/shop/repo.git/HEAD': 'ref: refs/heads/main',
    'apps/shop/repo.git/objects/ab/cd': 'object',
    'apps/shop/repo.git/objects/pack/tmp_pack_x': 'unfinished',
    'apps/shop/storage/data.csv': 'a,b',
  });
});
afterEach(() => {
  vi.useRealTimers();
  for (const end of ends) end();
});

/** Answers in the place of S3. */
async function bucket(answer: RequestListener): Promise<S3Access> {
  const server = createServer((request, response) => {
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { keyId: 'key', secret: 'secret', region: 'eu-west-1', endpoint };
}

function backups(plan?: BackupPlan, s3?: S3Access, tars = path): Backups {
  const logger = { info: () => undefined, error: (_: object, text: string) => void errors.push(text) };
  const hold = (): (() => void) => {
    held.push('held');
    return () => void held.push('released');
  };
  return new Backups({ data, tmp: join(folder, 'tmp'), path: tars, plan, s3, hold, logger });
}

async function filesOf(where: string): Promise<string[]> {
  const found = await readdir(where, { recursive: true, withFileTypes: true });
  return found
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(where.length + 1))
    .sort();
}

it('a backup holds what cannot be made again and, unless it is asked for, no key', async () => {
  const { place } = await backups().make(join(folder, 'to'), false);
  expect((await stat(place)).mode & 0o777).toBe(0o600);
  expect(held).toEqual(['held', 'released']);
  const restored = join(folder, 'restored');
  await expect(restoreBackup(createReadStream(place), restored, { key: undefined, path })).rejects.toMatchObject({
    code: 'backup-key-missing',
  });
  await restoreBackup(createReadStream(place), restored, { key: Buffer.from('kept'), path });
  expect(await filesOf(restored)).toEqual([
    'alerts/alerts.json',
    'alerts/destinations.json.sealed',
    'apps/shop/config.json.sealed',
    'apps/shop/meta.json',
    'apps/shop/releases/1/build.log',
    'apps/shop/repo.git/HEAD',
    'apps/shop/repo.git/objects/ab/cd',
    'apps/shop/storage/data.csv',
    'users.json',
    'vault.key',
  ]);
  expect(await readFile(join(restored, 'vault.key'), 'utf8')).toBe('kept');
});

it('the audit log continues in a restored server, even if a part of it began or went while the backup was made', async () => {
  const warned: string[] = [];
  const open = (at: string, keep = 3): Promise<AuditLog> =>
    AuditLog.open(join(at, 'audit'), { warn: (text) => void warned.push(text), maxBytes: 600, keep });
  const facts = { door: 'api', from: '192.0.2.7', verb: 'run', what: 'POST /x', result: 'ok' } as const;
  const log = await open(data);
  const add = async (): Promise<void> => {
    log.append({ who: 'ada@example.com', ...facts });
    await log.close();
  };
  for (let n = 0; n < 12; n += 1) await add();
  const { first, last } = await log.verify();
  // Between our look and tar's, the newest part grows by half a line, and the oldest goes.
  const files = await log.files();
  const bin = join(folder, 'bin');
  const tar = (await promisify(execFile)('sh', ['-c', 'command -v tar'])).stdout.trim();
  await mkdir(bin);
  const change = `#!/bin/sh\nprintf '{"n":13' >> '${files.at(-1)}'\nrm '${files[0]}'\nexec ${tar} "$@"\n`;
  await writeFile(join(bin, 'tar'), change, { mode: 0o755 });
  const parts: Buffer[] = [];
  const to = new Writable({ write: (part: Buffer, _encoding, done) => done(void parts.push(part)) });
  await writeBackup({ data, tmp: join(folder, 'tmp'), path: `${bin}:${path}`, key: true }, to);
  const restored = join(folder, 'restored');
  await restoreBackup(Readable.from(parts), restored, { key: undefined, path });
  const again = await open(restored, 9);
  expect(warned).toEqual([expect.stringContaining('run "streamlit-host audit verify"')]);
  again.append({ who: 'ada@example.com', ...facts });
  await again.close();
  const verified = await again.verify();
  expect(verified).toMatchObject({ last: last + 1, problem: undefined });
  expect(verified.first).toBeGreaterThan(first);
  expect(verified.entries).toBe(last + 2 - verified.first);
});

it('an app that puts a link in the place of a folder while a backup is made does not get the key into it', async () => {
  const deep = join(data, 'apps/shop/storage/deep');
  await mkdir(deep);
  await writeFile(join(deep, 'vault.key'), 'an app may call a file so');
  // Between our look and tar's.
  const bin = join(folder, 'bin');
  const tar = (await promisify(execFile)('sh', ['-c', 'command -v tar'])).stdout.trim();
  await mkdir(bin);
  const swap = `#!/bin/sh\nmv '${deep}' '${folder}/away'\nln -s '${data}' '${deep}'\nexec ${tar} "$@"\n`;
  await writeFile(join(bin, 'tar'), swap, { mode: 0o755 });
  const parts: Buffer[] = [];
  const to = new Writable({ write: (part: Buffer, _encoding, done) => done(void parts.push(part)) });
  await writeBackup({ data, tmp: join(folder, 'tmp'), path: `${bin}:${path}`, key: false }, to);
  expect(await readlink(deep)).toBe(data);
  const key = await readFile(join(data, 'vault.key'));
  expect(gunzipSync(Buffer.concat(parts)).includes(key)).toBe(false);
});

it('the next backup can begin as soon as one has ended', async () => {
  const all = backups();
  for (let n = 0; n < 3; n += 1) {
    const to = new PassThrough().resume();
    const made = all.stream(to, false);
    await once(to, 'end');
    // Not what the server knows, but what a client does.
    await all.stream(new PassThrough().resume(), false);
    await made;
  }
});

it('the stream of a backup does not end if tar has failed', async () => {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'tar'), '#!/bin/sh\necho begun\necho cannot go on >&2\nexit 2\n', { mode: 0o755 });
  let ended = false;
  const to = new PassThrough().resume().on('end', () => (ended = true));
  await expect(backups(undefined, undefined, `${bin}:${path}`).stream(to, false)).rejects.toThrow('cannot go on');
  expect([ended, to.writableEnded]).toEqual([false, false]);
});

it('a backup that is cut off, or something else, restores nothing', async () => {
  const { place } = await backups().make(join(folder, 'to'), true);
  const whole = await readFile(place);
  await writeFile(join(folder, 'cut'), whole.subarray(0, whole.length - 20));
  await writeFile(join(folder, 'other'), 'hello');
  for (const file of ['cut', 'other'])
    await expect(
      restoreBackup(createReadStream(join(folder, file)), join(folder, 'restored'), { key: undefined, path }),
    ).rejects.toMatchObject({ code: 'backup-unreadable' });
  await mkdir(join(folder, 'full/apps'), { recursive: true });
  await expect(
    restoreBackup(createReadStream(place), join(folder, 'full'), { key: undefined, path }),
  ).rejects.toMatchObject({ code: 'restore-not-empty' });
  expect((await readdir(folder)).sort()).toEqual(['cut', 'data', 'full', 'other', 'tmp', 'to']);
});

it('by a plan, a backup is made when the newest one is too old, and only the newest ones stay', async () => {
  const to = join(folder, 'to');
  await writeFiles(to, {
    'streamlit-host-20260101T000000Z.tar.gz': 'old',
    'streamlit-host-20260102T000000Z.tar.gz': 'newer',
    'notes.txt': 'of somebody else',
  });
  const planned = backups({ to, everyMs: 3_600_000, keep: 2, key: true });
  planned.begin();
  await planned.settled();
  await planned.close();
  const names = (await readdir(to)).sort();
  expect(names).toHaveLength(3);
  expect(names.slice(0, 2)).toEqual(['notes.txt', 'streamlit-host-20260102T000000Z.tar.gz']);
  const again = backups({ to, everyMs: 3_600_000, keep: 2, key: true });
  again.begin();
  await again.settled();
  await again.close();
  expect((await readdir(to)).sort()).toEqual(names);
});

it('a place that fails at once, and a second backup meanwhile, are told and end nothing', async () => {
  const denied = await bucket((_, response) =>
    response.writeHead(403).end('<Error><Message>Access Denied</Message></Error>'),
  );
  await expect(backups(undefined, denied).make('s3://ours', true)).rejects.toThrow(
    'The bucket ours cannot be used: Access Denied.',
  );
  // A folder in which no file can be made, not even by root.
  await expect(backups().make('/proc', true)).rejects.toMatchObject({ code: 'ENOENT' });
  const one = backups();
  const [first, second] = await Promise.allSettled([
    one.make(join(folder, 'first'), true),
    one.make(join(folder, 'second'), true),
  ]);
  expect([first.status, second.status].sort()).toEqual(['fulfilled', 'rejected']);
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
});

it('an address of S3 is never taken for a folder', async () => {
  for (const to of ['s3://Not_A_Bucket', 's3://ours/../theirs']) {
    await expect(backups().make(to, true)).rejects.toThrow('with a valid bucket name');
    expect(bodies.backup.safeParse({ to }).error?.issues[0]?.message).toContain('with a valid bucket name');
    const cli = { env: { STREAMLIT_HOST_DATA: join(folder, 'restored') }, cwd: folder } as never;
    await expect(restore(cli, to, {})).rejects.toMatchObject({ code: 'usage' });
  }
  expect(await readdir(folder)).toEqual(['data']);
});

it.each(['GET', 'POST', 'PUT'])(
  'a planned backup whose %s S3 does not answer holds up neither a start nor a stop',
  async (method) => {
    const asked: string[] = [];
    const hangs = await bucket((request, response) => {
      asked.push(request.method ?? '');
      if (request.method !== method) response.end('<UploadId>1</UploadId>');
    });
    const planned = backups({ to: 's3://ours', everyMs: 3_600_000, keep: 2, key: true }, hangs);
    planned.begin();
    await vi.waitFor(() => expect(asked).toContain(method), 5_000);
    await planned.close();
    expect(errors).toEqual([]);
    // What was begun of it is removed.
    expect(asked.at(-1)).toBe(method === 'PUT' ? 'DELETE' : method);
  },
);

it('a missing backup leaves nothing behind', async () => {
  const nowhere = createReadStream(join(folder, 'nowhere.tar.gz'));
  await expect(restoreBackup(nowhere, join(folder, 'new/restored'), { key: undefined, path })).rejects.toMatchObject({
    code: 'backup-unreadable',
  });
  expect(await readdir(folder)).toEqual(['data']);
});

it('a data folder that is there is filled and stays the same one, as a mount does', async () => {
  const { place } = await backups().make(join(folder, 'to'), true);
  const restored = join(folder, 'restored');
  await mkdir(restored);
  const { ino } = await stat(restored);
  await restoreBackup(createReadStream(place), restored, { key: undefined, path });
  expect((await stat(restored)).ino).toBe(ino);
  expect((await readdir(restored)).sort()).toEqual(['alerts', 'apps', 'users.json', 'vault.key']);
});

it('the root of a disk counts as empty, and what an interrupted restore left is named', async () => {
  const { place } = await backups().make(join(folder, 'to'), true);
  const restored = join(folder, 'restored');
  await mkdir(join(restored, 'lost+found'), { recursive: true });
  await mkdir(join(restored, '.restoring-abc'));
  const restore = (): Promise<unknown> => restoreBackup(createReadStream(place), restored, { key: undefined, path });
  await expect(restore()).rejects.toThrow(`Remove ${join(restored, '.restoring-abc')}, then restore again.`);
  await rm(join(restored, '.restoring-abc'), { recursive: true });
  await restore();
  expect((await readdir(restored)).sort()).toEqual(['alerts', 'apps', 'lost+found', 'users.json', 'vault.key']);
});

it.runIf(process.getuid?.() === 0)('what root restores belongs to whom it did', async () => {
  const { place } = await backups().make(join(folder, 'to'), false);
  const [unpacked, other] = [join(folder, 'unpacked'), join(folder, 'other.tar.gz')];
  await mkdir(unpacked);
  const run = promisify(execFile);
  await run('tar', ['-xzf', place, '-C', unpacked]);
  const names = ['streamlit-host-backup.json', 'users.json', 'apps/shop'];
  await run('tar', ['-czf', other, '--owner=4321', '--group=4321', '-C', unpacked, ...names]);
  const restored = join(folder, 'restored');
  await restoreBackup(createReadStream(other), restored, { key: Buffer.from('kept'), path });
  for (const name of ['.', 'apps', 'apps/shop', 'users.json', 'vault.key'])
    expect((await stat(join(restored, name))).uid, name).toBe(4321);
});
