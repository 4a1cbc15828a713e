import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newAccount, type Account } from '../../../src/domain/access/account.js';
import { LINK_MS, Users } from '../../../src/store/users.js';

let folder: string;
let paths: { users: string; lastUsers: string };
let now: number;
let warnings: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'users-'));
  paths = { users: join(folder, 'users.json'), lastUsers: join(folder, 'users.last-good.json') };
  now = Date.parse('2026-01-01T00:00:00Z');
  warnings = [];
});
afterEach(() => rm(folder, { recursive: true }));

const open = (): Promise<Users> =>
  Users.open(
    paths,
    (sentence) => warnings.push(sentence),
    () => now,
  );
const add = (users: Users, email: string): Promise<Account> => users.add((id, date) => newAccount(id, email, date));

test('accounts and links survive a restart, and only the owner of the file can read it', async () => {
  const users = await open();
  const ada = await add(users, 'ada@example.com');
  const { code, expiresAt } = await users.makeLink(ada.id, 'invitation', 'admin');
  expect((await stat(paths.users)).mode & 0o777).toBe(0o600);
  expect(await readFile(paths.users, 'utf8')).not.toContain(code);
  const again = await open();
  expect(again.list()).toEqual([ada]);
  expect(again.findLink(code)).toMatchObject({ account: ada.id, kind: 'invitation', by: 'admin', used: false });
  expect(expiresAt.getTime()).toBe(now + LINK_MS);
  expect(warnings).toEqual([]);
});

test('two accounts cannot have the same email address', async () => {
  const users = await open();
  const [ada, bob] = [await add(users, 'ada@example.com'), await add(users, 'bob@example.com')];
  await expect(add(users, 'ada@example.com')).rejects.toMatchObject({ code: 'email-taken' });
  await expect(users.update(bob.id, (one) => ({ ...one, email: ada.email }))).rejects.toMatchObject({
    code: 'email-taken',
  });
  const both = await Promise.allSettled([add(users, 'eve@example.com'), add(users, 'eve@example.com')]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(users.list()).toHaveLength(3);
});

test('a link works once, until it expires, and only the newest of an account', async () => {
  const users = await open();
  const ada = await add(users, 'ada@example.com');
  const first = await users.makeLink(ada.id, 'invitation', 'admin');
  const { code } = await users.makeLink(ada.id, 'invitation', 'admin');
  const use = (which: string): Promise<Account> => users.useLink(which, (one) => ({ ...one, password: 'x' }));
  await expect(use(first.code)).rejects.toMatchObject({ code: 'link-used' });
  await expect(use('another')).rejects.toMatchObject({ code: 'link-used' });
  const twice = await Promise.allSettled([use(code), use(code)]);
  expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  // Whom to ask for another one can still be told.
  expect(users.findLink(code)).toMatchObject({ used: true, by: 'admin' });

  const late = await users.makeLink(ada.id, 'reset', 'admin');
  now += LINK_MS;
  await expect(use(late.code)).rejects.toMatchObject({ code: 'link-used' });
});

test('a link of a disabled account does not work', async () => {
  const users = await open();
  const ada = await add(users, 'ada@example.com');
  const { code } = await users.makeLink(ada.id, 'invitation', 'admin');
  await users.update(ada.id, (one) => ({ ...one, disabled: true }));
  await expect(users.useLink(code, (one) => one)).rejects.toMatchObject({ code: 'link-used' });
});

test('a damaged file is replaced by its previous version, which stays as it is', async () => {
  const users = await open();
  const ada = await add(users, 'ada@example.com');
  await add(users, 'bob@example.com');
  await writeFile(paths.users, '{"accounts":');
  const last = await readFile(paths.lastUsers, 'utf8');
  const again = await open();
  expect(again.list()).toEqual([ada]);
  expect(warnings[0]).toContain('its previous version is used');
  await add(again, 'eve@example.com');
  expect(await readFile(paths.lastUsers, 'utf8')).toBe(last);
});

test('without a previous version, a damaged file is left alone: no account works, and none can be added', async () => {
  await writeFile(paths.users, 'nonsense');
  const users = await open();
  expect(users.list()).toEqual([]);
  await expect(add(users, 'ada@example.com')).rejects.toMatchObject({ code: 'record-unreadable' });
  expect(await readFile(paths.users, 'utf8')).toBe('nonsense');
});
