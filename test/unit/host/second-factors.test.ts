import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { adminToken } from '../../../src/domain/access/principal.js';
import { factorsSchema, type Passkey } from '../../../src/domain/access/second-factor.js';
import { totpCode } from '../../../src/domain/access/totp.js';
import { People } from '../../../src/host/people.js';
import { SecondFactors } from '../../../src/host/second-factors.js';
import { Passwords } from '../../../src/store/passwords.js';
import { Paths } from '../../../src/store/paths.js';
import { SealedList } from '../../../src/store/sealed-list.js';
import { Users } from '../../../src/store/users.js';
import { Vault } from '../../../src/store/vault.js';
import { scratch } from '../../helpers/ends.js';
import { LIGHT } from '../../helpers/web.js';

const PASSWORD = 'correct horse battery';
const BY = adminToken('token');

let paths: Paths;
let people: People;
let factors: SecondFactors;
let ada: string;
let now: number;
let ended: { account: string; except: string | undefined }[];

const open = (required = false): SecondFactors =>
  new SecondFactors({
    list: new SealedList(new Vault(paths), 'second-factors', factorsSchema),
    people,
    sessions: { endOf: async (account, except) => void ended.push({ account, except }) },
    required,
    now: () => now,
  });

beforeEach(async () => {
  paths = new Paths(await scratch('factors-'));
  await mkdir(paths.alerts, { recursive: true });
  await new Vault(paths).open();
  now = 1_800_000_000_000;
  ended = [];
  const users = await Users.open(paths, () => undefined);
  people = new People({ users, passwords: new Passwords(LIGHT), sessions: { endOf: async () => undefined } });
  ada = (await people.add({ email: 'ada@example.com', password: PASSWORD }, BY)).account.id;
  factors = open();
});

/** Sets up an app for codes. @returns its key, and the recovery codes */
async function app(): Promise<{ key: string; codes: string[] }> {
  const key = await factors.setUp(ada, 'here', PASSWORD);
  const codes = await factors.confirm(ada, 'here', totpCode(key, now), { session: 'mine' });
  now += 60_000;
  return { key, codes };
}

const passkey = (credential: string): Passkey => ({
  ...{ id: credential.padEnd(12, '0'), name: 'phone', credential, publicKey: 'AA', counter: 0, createdAt: now },
});

describe('an app for codes', () => {
  test('counts once a code has confirmed it, and ends the other sessions', async () => {
    expect(await factors.neededBy(ada)).toBe('nothing');
    const key = await factors.setUp(ada, 'here', PASSWORD);
    expect(await factors.neededBy(ada)).toBe('nothing');
    await expect(factors.confirm(ada, 'here', '000000')).rejects.toMatchObject({ code: 'second-factor-wrong' });
    expect(await factors.confirm(ada, 'here', totpCode(key, now), { session: 'mine' })).toHaveLength(10);
    expect(ended).toEqual([{ account: ada, except: 'mine' }]);
    expect(await factors.neededBy(ada)).toBe('factor');
    expect(await open().neededBy(ada)).toBe('factor');
  });

  test('needs the password, and an account that has one', async () => {
    await expect(factors.setUp(ada, 'here', 'wrong')).rejects.toMatchObject({ code: 'password-wrong' });
    const { account } = await people.add({ email: 'bob@example.com' }, BY);
    await expect(factors.setUp(account.id, 'here', '')).rejects.toMatchObject({ code: 'password-missing' });
  });

  test('is confirmed where its key was shown, within a quarter of an hour', async () => {
    const key = await factors.setUp(ada, 'here', PASSWORD);
    const expired = { code: 'set-up-expired' };
    await expect(factors.confirm(ada, 'elsewhere', totpCode(key, now))).rejects.toMatchObject(expired);
    now += 15 * 60_000;
    await expect(factors.confirm(ada, 'here', totpCode(key, now))).rejects.toMatchObject(expired);
  });

  test('takes each code once, and none that is older than the last one', async () => {
    const { key } = await app();
    const [before, code] = [totpCode(key, now - 30_000), totpCode(key, now)];
    expect(await Promise.all([factors.check(ada, code), factors.check(ada, code)])).toEqual(['code', undefined]);
    expect(await factors.check(ada, before)).toBeUndefined();
    expect(await open().check(ada, code)).toBeUndefined();
    now += 30_000;
    expect(await factors.check(ada, ` ${totpCode(key, now).replace(/^(...)/, '$1 ')}`)).toBe('code');
  });

  test('does not take the code that confirmed it for a login', async () => {
    const key = await factors.setUp(ada, 'here', PASSWORD);
    await factors.confirm(ada, 'here', totpCode(key, now));
    expect(await factors.check(ada, totpCode(key, now))).toBeUndefined();
  });

  test('cannot be guessed: ten tries, then one in five minutes, from wherever', async () => {
    const { key, codes } = await app();
    for (let count = 0; count < 10; count += 1) expect(await factors.check(ada, '000000')).toBeUndefined();
    await expect(factors.check(ada, totpCode(key, now))).rejects.toMatchObject({ code: 'too-many-attempts' });
    // Who has used up the tries of a person has not locked them out.
    expect(await factors.check(ada, codes[0] ?? '')).toBe('recovery code');
    now += 5 * 60_000;
    expect(await factors.check(ada, totpCode(key, now))).toBe('code');
  });

  test('is stored encrypted', async () => {
    const { key, codes } = await app();
    const stored = await readFile(join(paths.alerts, 'second-factors.enc'), 'utf8');
    for (const secret of [key, ada, ...codes]) expect(stored).not.toContain(secret);
  });
});

describe('recovery codes', () => {
  test('work once each, until new ones replace them', async () => {
    const { codes } = await app();
    const [first = '', second = ''] = codes;
    expect(await Promise.all([factors.check(ada, first), factors.check(ada, first)])).toEqual([
      'recovery code',
      undefined,
    ]);
    expect((await factors.of(ada)).recovery).toHaveLength(9);
    const [newer = ''] = await factors.renewCodes(ada, PASSWORD);
    expect(await factors.check(ada, second)).toBeUndefined();
    expect(await factors.check(ada, newer.toUpperCase())).toBe('recovery code');
  });

  test('of another account do not count, and nobody has them without a factor', async () => {
    const { codes } = await app();
    const { account } = await people.add({ email: 'bob@example.com', password: PASSWORD }, BY);
    expect(await factors.check(account.id, codes[0] ?? '')).toBeUndefined();
    const missing = { code: 'second-factor-missing' };
    await expect(factors.renewCodes(account.id, PASSWORD)).rejects.toMatchObject(missing);
  });
});

describe('a required second factor', () => {
  test('is set up at the login, by the first of two browsers', async () => {
    await people.change(ada, { secondFactorRequired: true });
    expect(await factors.neededBy(ada)).toBe('set-up');
    const [mine, theirs] = [await factors.setUpAtLogin(ada, 'mine'), await factors.setUpAtLogin(ada, 'theirs')];
    expect(theirs).not.toBe(mine);
    expect(await factors.setUpAtLogin(ada, 'mine')).toBe(mine);
    await factors.confirm(ada, 'mine', totpCode(mine, now), { first: true });
    const there = { code: 'second-factor-there' };
    await expect(factors.confirm(ada, 'theirs', totpCode(theirs, now), { first: true })).rejects.toMatchObject(there);
    await expect(factors.setUpAtLogin(ada, 'theirs')).rejects.toMatchObject(there);
  });

  test('of everyone holds for each account', async () => {
    factors = open(true);
    expect(await factors.neededBy(ada)).toBe('set-up');
  });

  test('cannot be removed, only replaced', async () => {
    await app();
    await people.change(ada, { secondFactorRequired: true });
    const required = { code: 'second-factor-required' };
    await expect(factors.removeTotp(ada, PASSWORD)).rejects.toMatchObject(required);
    expect(await factors.addPasskey(ada, passkey('one'), { session: 'mine' })).toBeUndefined();
    await factors.removeTotp(ada, PASSWORD);
    await expect(factors.removePasskey(ada, 'one000000000', PASSWORD)).rejects.toMatchObject(required);
    await people.change(ada, { secondFactorRequired: false });
    await factors.removePasskey(ada, 'one000000000', PASSWORD);
    expect(await factors.of(ada)).toEqual({ id: ada, passkeys: [], recovery: [] });
  });

  test('is removed with the password alone', async () => {
    await app();
    await expect(factors.removeTotp(ada, 'wrong')).rejects.toMatchObject({ code: 'password-wrong' });
    expect(await factors.neededBy(ada)).toBe('factor');
  });
});

test('an admin resets the second factors of a person, whose sessions end', async () => {
  const { codes } = await app();
  ended = [];
  await factors.reset('ada@example.com');
  expect(ended).toEqual([{ account: ada, except: undefined }]);
  expect(await factors.neededBy(ada)).toBe('nothing');
  expect(await factors.check(ada, codes[0] ?? '')).toBeUndefined();
});

test('a passkey is of one account, and at most twenty are', async () => {
  expect(await factors.addPasskey(ada, passkey('c0'))).toHaveLength(10);
  await expect(factors.addPasskey(ada, passkey('c0'))).rejects.toMatchObject({ code: 'passkey-taken' });
  for (let count = 1; count < 20; count += 1) await factors.addPasskey(ada, passkey(`c${count}`));
  await expect(factors.addPasskey(ada, passkey('more'))).rejects.toMatchObject({
    code: 'passkeys-too-many',
  });
  await factors.passkeyUsed(ada, 'c70000000000', 8);
  expect(await factors.withCredential('c7')).toMatchObject({ account: ada, passkey: { counter: 8, lastUsedAt: now } });
  expect(await factors.withCredential('c')).toBeUndefined();
});

test('accounts without a second factor log in also where the vault cannot be read', async () => {
  await rm(paths.vaultKey);
  expect(await open().neededBy(ada)).toBe('nothing');
});

test('nobody gets past a second factor that cannot be read', async () => {
  await app();
  await rm(paths.vaultKey);
  await expect(open().neededBy(ada)).rejects.toMatchObject({ code: 'vault-key-missing' });
});
