import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CODE_MS, SESSION_LIFE_MS, SESSION_MS, Sessions } from '../../../src/store/sessions.js';

let folder: string;
let file: string;
let now: number;
let warnings: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sessions-'));
  file = join(folder, 'sessions.json');
  now = Date.parse('2026-01-01T00:00:00Z');
  warnings = [];
});
afterEach(() => rm(folder, { recursive: true }));

const open = (fingerprint = 'one'): Promise<Sessions> =>
  Sessions.open(file, { fingerprint, warn: (sentence) => warnings.push(sentence), now: () => now });

test('a session survives a restart, and its id is nowhere on disk', async () => {
  const sessions = await open();
  const id = await sessions.begin({ name: 'admin' });
  const before = sessions.find(id);
  const after = (await open()).find(id);
  expect(before).toEqual({ name: 'admin', csrf: expect.stringMatching(/^[\w-]{43}$/) as string });
  expect(after).toEqual(before);
  const text = await readFile(file, 'utf8');
  expect(text).not.toContain(id);
  expect(text).not.toContain(before?.csrf);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('sessions are listed by their account, and each can be ended there', async () => {
  const sessions = await open();
  const ada = { name: 'ada', account: 'one' };
  const id = await sessions.begin(ada, { from: '192.0.2.7', browser: 'Firefox on Linux' });
  now += 1;
  const other = await sessions.begin({ ...ada, provider: 'company' });
  const eve = await sessions.begin({ name: 'eve', account: 'two' });
  const listed = sessions.list('one');
  expect(listed).toMatchObject([
    { id: sessions.listedAs(other), provider: 'company' },
    { id: sessions.listedAs(id), from: '192.0.2.7', browser: 'Firefox on Linux' },
  ]);
  expect(JSON.stringify(listed)).not.toContain(id);
  expect(sessions.find(sessions.listedAs(id))).toBeUndefined();
  await expect(sessions.endListed('one', sessions.listedAs(eve))).rejects.toThrow('There is no session');
  let ended = false;
  sessions.onEnd(id, () => (ended = true));
  await sessions.endListed('one', sessions.listedAs(id));
  expect([ended, sessions.isOpen(id), sessions.isOpen(other), sessions.isOpen(eve)]).toEqual([true, false, true, true]);
  expect((await open()).list('one')).toHaveLength(1);
  now += SESSION_MS + 1;
  expect(sessions.list('one')).toEqual([]);
});

test('a session that a deploy token began in an earlier version is over', async () => {
  const sessions = await open();
  const id = await sessions.begin({ name: 'admin' });
  const stored = JSON.parse(await readFile(file, 'utf8')) as { sessions: { name: string }[] };
  for (const session of stored.sessions) session.name = 'CI (deploy token)';
  await writeFile(file, JSON.stringify(stored));
  expect((await open()).find(id)).toBeUndefined();
});

test('a session that was ended stays ended after a restart', async () => {
  const sessions = await open();
  const [mine, other] = [await sessions.begin({ name: 'admin' }), await sessions.begin({ name: 'admin' })];
  await sessions.end(mine);
  expect(sessions.find(mine)).toBeUndefined();
  const next = await open();
  expect(next.find(mine)).toBeUndefined();
  expect(next.find(other)).toBeDefined();
});

test('a session expires thirty days after its last use', async () => {
  const sessions = await open();
  const [used, unused] = [await sessions.begin({ name: 'admin' }), await sessions.begin({ name: 'admin' })];
  now += SESSION_MS - 1_000;
  expect(sessions.find(used)).toBeDefined();
  now += 2_000;
  expect(sessions.find(used)).toBeDefined();
  expect(sessions.find(unused)).toBeUndefined();
  await sessions.written();
  expect((await open()).find(used)).toBeDefined();
});

test('a session is found only by its id', async () => {
  const sessions = await open();
  const id = await sessions.begin({ name: 'admin' });
  const {
    sessions: [stored],
  } = JSON.parse(await readFile(file, 'utf8')) as { sessions: { hash: string }[] };
  for (const wrong of ['', id.slice(1), `${id}x`, stored?.hash ?? '']) expect(sessions.find(wrong)).toBeUndefined();
});

test('a new token ends every session', async () => {
  const id = await (await open('one')).begin({ name: 'admin' });
  expect((await open('two')).find(id)).toBeUndefined();
});

test('a session file that cannot be read is reported, and everyone logs in again', async () => {
  await writeFile(file, '{"half');
  const sessions = await open();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(file);
  const id = await sessions.begin({ name: 'admin' });
  expect((await open()).find(id)).toBeDefined();
});

test('sessions created at the same time are all on disk', async () => {
  const sessions = await open();
  const ids = await Promise.all(Array.from({ length: 20 }, () => sessions.begin({ name: 'admin' })));
  const next = await open();
  expect(ids.filter((id) => next.find(id) !== undefined)).toHaveLength(20);
});

test('a login code works once, within fifteen minutes', async () => {
  const sessions = await open();
  const { code, expiresAt } = sessions.makeCode({ name: 'admin' });
  expect(expiresAt.getTime()).toBe(now + CODE_MS);
  expect(sessions.useCode('another')).toBeUndefined();
  expect(sessions.useCode(code)).toEqual({ name: 'admin' });
  expect(sessions.useCode(code)).toBeUndefined();
  const late = sessions.makeCode({ name: 'admin' });
  now += CODE_MS;
  expect(sessions.useCode(late.code)).toBeUndefined();
});

test("no one ends other people's sessions and login codes by creating many", async () => {
  const sessions = await open();
  const id = await sessions.begin({ name: 'admin' });
  const { code } = sessions.makeCode({ name: 'admin' });
  now += 1;
  for (let count = 0; count < 101; count += 1) sessions.makeCode({ name: 'eve', account: 'eve' });
  const first = await sessions.begin({ name: 'eve', account: 'eve' });
  now += 1;
  await Promise.all(Array.from({ length: 200 }, () => sessions.begin({ name: 'eve', account: 'eve' })));
  expect(sessions.find(id)).toBeDefined();
  expect(sessions.useCode(code)).toEqual({ name: 'admin' });
  expect(sessions.find(first)).toBeUndefined();
});

test('only the newest hundred login codes work', async () => {
  const sessions = await open();
  const codes = Array.from({ length: 101 }, () => sessions.makeCode({ name: 'admin' }).code);
  expect(sessions.useCode(codes[0] ?? '')).toBeUndefined();
  expect(sessions.useCode(codes[1] ?? '')).toEqual({ name: 'admin' });
  expect(sessions.useCode(codes[100] ?? '')).toEqual({ name: 'admin' });
});

test('a session expires at its maximum age, however much it is used', async () => {
  const sessions = await open();
  const id = await sessions.begin({ name: 'admin' });
  const end = now + SESSION_LIFE_MS;
  for (; now < end; now += SESSION_MS / 2) expect(sessions.find(id)).toBeDefined();
  now = end + 1;
  expect(sessions.find(id)).toBeUndefined();
  await sessions.written();
});

test('of a session that has ended, its pages still say whose it was, and those of an open one do not', async () => {
  const sessions = await open();
  const [ended, expired, kept] = await Promise.all(
    ['one', 'two', 'three'].map((account) => sessions.begin({ name: account, account })),
  );
  const csrfs = [ended, expired, kept].map((id) => sessions.find(id ?? '')?.csrf);
  const ownerOf = (csrf: string | undefined) => sessions.ownerOfEnded((one) => one === csrf);
  expect(csrfs.map(ownerOf)).toEqual([undefined, undefined, undefined]);
  await sessions.end(ended ?? '');
  now += SESSION_MS;
  sessions.find(kept ?? '');
  now += 1;
  expect(csrfs.map(ownerOf)).toEqual([{ account: 'one' }, { account: 'two' }, undefined]);
  expect(ownerOf('another')).toBeUndefined();
  // That it was used is written in the background.
  await sessions.written();
});
