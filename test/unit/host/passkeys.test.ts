import { mkdir } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { CHALLENGE_MS } from '../../../src/domain/access/challenges.js';
import { adminToken } from '../../../src/domain/access/principal.js';
import { factorsSchema } from '../../../src/domain/access/second-factor.js';
import { Passkeys } from '../../../src/host/passkeys.js';
import { People } from '../../../src/host/people.js';
import { SecondFactors } from '../../../src/host/second-factors.js';
import { Passwords } from '../../../src/store/passwords.js';
import { Paths } from '../../../src/store/paths.js';
import { SealedList } from '../../../src/store/sealed-list.js';
import { Users } from '../../../src/store/users.js';
import { Vault } from '../../../src/store/vault.js';
import { Authenticator, type Said } from '../../helpers/authenticator.js';
import { scratch } from '../../helpers/ends.js';
import { LIGHT } from '../../helpers/web.js';

const PASSWORD = 'correct horse battery';
const BY = adminToken('token');
const ORIGIN = 'https://apps.example.com';
const WRONG = { code: 'passkey-wrong' };
const EXPIRED = { code: 'passkey-expired' };

let base: string;
let now: number;
let people: People;
let factors: SecondFactors;
let passkeys: Passkeys;
let ada: string;
let bob: string;
let device: Authenticator;
let ended: { account: string; except: string | undefined }[];

beforeEach(async () => {
  const paths = new Paths(await scratch('passkeys-'));
  await mkdir(paths.alerts, { recursive: true });
  const vault = new Vault(paths);
  await vault.open();
  [base, now, ended] = [`${ORIGIN}/tools`, 1_800_000_000_000, []];
  const users = await Users.open(paths, () => undefined);
  people = new People({ users, passwords: new Passwords(LIGHT), sessions: { endOf: async () => undefined } });
  // Who disables must not be the last admin.
  const add = async (email: string): Promise<string> =>
    (await people.add({ email, password: PASSWORD }, BY)).account.id;
  [ada, bob] = [await add('ada@example.com'), await add('bob@example.com')];
  factors = new SecondFactors({
    list: new SealedList(vault, 'second-factors', factorsSchema),
    ...{ people, required: false, now: () => now },
    sessions: { endOf: async (account, except) => void ended.push({ account, except }) },
  });
  passkeys = new Passkeys({ factors, people, publicBase: () => base, now: () => now });
  device = new Authenticator(ORIGIN);
});

async function register(account = ada, one = device, said: Said = {}): Promise<string[] | undefined> {
  const ticket = passkeys.ticket([]);
  const asked = await passkeys.registration(account, { ticket, place: 'here', password: PASSWORD });
  const made = { tickets: [ticket], place: 'here', name: ' phone ', answer: one.create(asked, said) };
  return passkeys.register(account, made, { session: 'mine' });
}

/** Logs in with the passkey. @param account for the second factor of an account; otherwise instead of its password */
async function use(account?: string, said: Said = {}, one = device): Promise<string> {
  const ticket = passkeys.ticket([]);
  return (await passkeys.verify([ticket], one.get(await passkeys.request(ticket, account), said), account)).id;
}

describe('a new passkey', () => {
  test('is the second factor of its account, ends the other sessions and brings recovery codes with the first one', async () => {
    expect(await passkeys.offered()).toBe(false);
    expect(await register()).toHaveLength(10);
    expect(ended).toEqual([{ account: ada, except: 'mine' }]);
    expect(await factors.neededBy(ada)).toBe('factor');
    expect(await passkeys.offered()).toBe(true);
    expect((await factors.of(ada)).passkeys).toMatchObject([{ name: 'phone', counter: 0, transports: ['internal'] }]);
    expect(await register(ada, new Authenticator(ORIGIN))).toBeUndefined();
    await expect(register()).rejects.toMatchObject({ code: 'passkey-taken' });
    await expect(register(bob)).rejects.toMatchObject({ code: 'passkey-taken' });
  });

  test('takes the password', async () => {
    const ask = (password: string) =>
      passkeys.registration(ada, { ticket: passkeys.ticket([]), place: 'here', password });
    await expect(ask('wrong')).rejects.toMatchObject({ code: 'password-wrong', field: 'factor-password' });
    expect(JSON.parse(await ask(PASSWORD))).toMatchObject({
      rp: { id: 'apps.example.com' },
      user: { name: 'ada@example.com' },
    });
  });

  test('counts once, where it was asked for, for whom, and in time', async () => {
    const ticket = passkeys.ticket([]);
    const asked = await passkeys.registration(ada, { ticket, place: 'here', password: PASSWORD });
    const made = { tickets: [ticket], place: 'here', name: 'phone', answer: device.create(asked) };
    await expect(passkeys.register(ada, { ...made, place: 'there' })).rejects.toMatchObject(WRONG);
    await expect(passkeys.register(bob, made)).rejects.toMatchObject(WRONG);
    await expect(passkeys.register(ada, { ...made, tickets: ['x'] })).rejects.toMatchObject(EXPIRED);
    await expect(passkeys.register(ada, { ...made, name: '\n' })).rejects.toMatchObject({
      code: 'passkey-name-invalid',
    });
    await passkeys.register(ada, made);
    await expect(passkeys.register(ada, made)).rejects.toMatchObject(EXPIRED);
    const late = passkeys.ticket([]);
    const again = await passkeys.registration(ada, { ticket: late, place: 'here', password: PASSWORD });
    now += CHALLENGE_MS;
    const answer = new Authenticator(ORIGIN).create(again);
    await expect(passkeys.register(ada, { ...made, tickets: [late], answer })).rejects.toMatchObject(EXPIRED);
  });

  test('is made on pages of the public origin alone', async () => {
    for (const origin of ['https://evil.example', 'http://apps.example.com', 'https://apps.example.com:8443'])
      await expect(register(ada, device, { origin })).rejects.toMatchObject(WRONG);
    await expect(register(ada, device, { rpId: 'example.com' })).rejects.toMatchObject(WRONG);
  });

  test('at a login, is the first factor or none', async () => {
    await register();
    const ticket = passkeys.ticket([]);
    const asked = await passkeys.registrationAtLogin(ada, ticket, 'login');
    const made = { tickets: [ticket], place: 'login', name: 'phone', answer: new Authenticator(ORIGIN).create(asked) };
    await expect(passkeys.register(ada, made, { first: true })).rejects.toMatchObject({ code: 'second-factor-there' });
    expect((await factors.of(ada)).passkeys).toHaveLength(1);
  });
});

describe('an answer', () => {
  beforeEach(async () => void (await register()));

  test('is the second factor, also where the device has not checked its person', async () => {
    expect(await use(ada, { verified: false, userHandle: undefined })).toBe(ada);
    expect((await factors.of(ada)).passkeys).toMatchObject([{ counter: 1, lastUsedAt: now }]);
  });

  test('stands in for the password where the device has checked its person, and says whose it is', async () => {
    expect(await use()).toBe(ada);
    await expect(use(undefined, { verified: false })).rejects.toMatchObject(WRONG);
    for (const userHandle of [undefined, '', Buffer.from(bob).toString('base64url')])
      await expect(use(undefined, { userHandle })).rejects.toMatchObject(WRONG);
  });

  test('counts once', async () => {
    const ticket = passkeys.ticket([]);
    const answer = device.get(await passkeys.request(ticket));
    await passkeys.verify([ticket], answer);
    await expect(passkeys.verify([ticket], answer)).rejects.toMatchObject(EXPIRED);
    await expect(passkeys.verify([passkeys.ticket([])], answer)).rejects.toMatchObject(WRONG);
  });

  test('of two at once counts one time', async () => {
    const ticket = passkeys.ticket([]);
    const asked = await passkeys.request(ticket);
    const both = [device.get(asked), device.get(asked)].map((answer) => passkeys.verify([ticket], answer));
    const results = await Promise.allSettled(both);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('counts for what it was asked for', async () => {
    const ticket = passkeys.ticket([]);
    const asSecond = device.get(await passkeys.request(ticket, ada));
    await expect(passkeys.verify([ticket], asSecond)).rejects.toMatchObject(WRONG);
    const instead = device.get(await passkeys.request(ticket));
    await expect(passkeys.verify([ticket], instead, ada)).rejects.toMatchObject(WRONG);
  });

  test("logs nobody in with another person's passkey", async () => {
    await expect(use(bob)).rejects.toMatchObject(WRONG);
  });

  test('comes from a page of the public origin', async () => {
    for (const origin of ['https://evil.example', 'http://apps.example.com', 'https://apps.example.com:8443'])
      await expect(use(ada, { origin })).rejects.toMatchObject(WRONG);
    await expect(use(ada, { rpId: 'example.com' })).rejects.toMatchObject(WRONG);
  });

  test('is of a passkey that we know and was not copied, of an account that is open', async () => {
    await expect(use(ada, {}, new Authenticator(ORIGIN))).rejects.toMatchObject(WRONG);
    expect(await use(ada, { counter: 7 })).toBe(ada);
    await expect(use(ada, { counter: 7 })).rejects.toMatchObject(WRONG);
    await people.change(ada, { disabled: true });
    await expect(use(undefined, { counter: 9 })).rejects.toMatchObject(WRONG);
  });

  test('that is none is refused, whatever it is', async () => {
    for (const answer of ['', '{', 'null', '[]', '{"id":"AA"}', '"x"'])
      await expect(passkeys.verify([passkeys.ticket([])], answer)).rejects.toMatchObject(WRONG);
  });
});

test.each([
  ['https://apps.example.com', true],
  ['https://apps.example.com:8443/tools', true],
  ['http://localhost:8000', true],
  ['http://apps.localhost', true],
  ['http://apps.example.com', false],
  ['http://127.0.0.1:8000', false],
  ['https://10.0.0.1', false],
  ['https://[::1]:8000', false],
])('browsers have passkeys for %s: %s', async (url, usable) => {
  base = url;
  expect(passkeys.usable()).toBe(usable);
  if (!usable)
    await expect(passkeys.request(passkeys.ticket([]))).rejects.toMatchObject({ code: 'passkey-unavailable' });
});
