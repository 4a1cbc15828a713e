import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Happening } from '../../../src/domain/access/audit.js';
import type { Principal } from '../../../src/domain/access/principal.js';
import { Refusal } from '../../../src/errors.js';
import { Audit, type Asked } from '../../../src/host/audit.js';

afterEach(() => void vi.useRealTimers());

const ADA: Principal = { kind: 'person', name: 'ada@example.com', account: 'abc' };

function start(may = true): { audit: Audit; written: Happening[]; clock: { now: number } } {
  const written: Happening[] = [];
  const clock = { now: 0 };
  const demand = (): void => {
    if (!may) throw new Refusal('forbidden', 'role-missing', 'You are a viewer.');
  };
  const log = { append: (one: Happening) => void written.push(one) };
  return { audit: new Audit({ log, rights: { demand }, now: () => clock.now }), written, clock };
}

const asked = (more: Partial<Asked> = {}): Asked => ({
  ...{ by: ADA, door: 'api', from: '192.0.2.7', verb: 'run', app: 'shop', what: 'POST /apps/{id}/stop', reads: false },
  ...more,
});

describe('an action', () => {
  test('is written down, with what came of it', async () => {
    const { audit, written } = start();
    for (const status of [200, 303, 422, 500]) await audit.pass(asked(), async () => ({ status, about: 'x' }));
    await expect(audit.pass(asked(), () => Promise.reject(new Error('a defect')))).rejects.toThrow('a defect');
    const full = () => Promise.reject(new Refusal('unavailable', 'disk-low', 'The disk is full.'));
    await expect(audit.pass(asked(), full)).rejects.toThrow('full');
    expect(written.map(({ result, code }) => [result, code])).toEqual([
      ['ok', undefined],
      ['ok', undefined],
      ['refused', undefined],
      ['failed', undefined],
      ['failed', undefined],
      ['refused', 'disk-low'],
    ]);
    expect(written[0]).toEqual({
      ...{ who: 'ada@example.com', account: 'abc', door: 'api', from: '192.0.2.7', verb: 'run' },
      ...{ what: 'POST /apps/{id}/stop', app: 'shop', result: 'ok', about: 'x' },
    });
  });

  test('is not written down where it only reads, unless something is said about it', async () => {
    const { audit, written } = start();
    await audit.pass(asked({ reads: true }), async () => ({ status: 200 }));
    expect(written).toEqual([]);
    await audit.pass(asked({ reads: true }), async () => ({ status: 200, about: 'reveal TOKEN' }));
    expect(written).toMatchObject([{ about: 'reveal TOKEN' }]);
  });

  test('is not done where they may not, and that is written down', async () => {
    const { audit, written } = start(false);
    let done = false;
    const work = async (): Promise<{ status: number }> => {
      done = true;
      return { status: 200 };
    };
    await expect(audit.pass(asked({ reads: true }), work)).rejects.toThrow('You are a viewer.');
    expect(done).toBe(false);
    expect(written).toMatchObject([{ result: 'refused', code: 'role-missing' }]);
  });
});

test('a token is told from a session', async () => {
  const { audit, written } = start();
  await audit.pass(asked({ by: { ...ADA, kind: 'token' } }), async () => ({ status: 200 }));
  expect(written).toMatchObject([{ token: true }]);
});

test('a visitor who stays in a private app is written down once, and again after coming back', () => {
  const { audit, written, clock } = start();
  const open = (may = true): void => audit.opened({ by: ADA, from: '192.0.2.7', app: 'shop' }, may);
  for (let count = 0; count < 5; count += 1) {
    open();
    clock.now += 29 * 60_000;
  }
  expect(written).toMatchObject([{ verb: 'open', door: 'app', app: 'shop', result: 'ok' }]);
  open(false);
  expect(written[1]).toMatchObject({ result: 'refused', code: 'app-not-found' });
  clock.now += 31 * 60_000;
  open();
  expect(written).toHaveLength(3);
});

test('nobody pushes older entries out by causing many', () => {
  const { audit, written, clock } = start();
  const fail = (name?: string): void =>
    audit.login({ who: name === undefined ? undefined : { name }, from: '192.0.2.7', what: 'log in' }, 'refused');
  for (let count = 0; count < 1_000; count += 1) fail();
  expect(written).toHaveLength(300);
  fail('ada@example.com');
  expect(written).toHaveLength(301);
  clock.now += 1_000;
  fail();
  expect(written.at(-1)).toMatchObject({ who: 'nobody', more: 700 });
});

test('a change is always written down, however many refusals its author causes', async () => {
  const { audit, written } = start();
  const ask = (status: number, reads = false): Promise<void> =>
    audit.pass(asked({ reads }), async () => ({ status, ...(reads ? { about: 'reveal TOKEN' } : {}) }));
  for (let count = 0; count < 400; count += 1) await ask(422);
  expect(written).toHaveLength(300);
  for (let count = 0; count < 400; count += 1) await ask(200);
  await ask(500);
  await ask(200, true);
  expect(written).toHaveLength(702);
  expect(written.at(-1)).toMatchObject({ about: 'reveal TOKEN', result: 'ok' });
});

test('wrong passwords leave out neither the right one nor those from elsewhere', () => {
  const { audit, written } = start();
  const login = (from: string, result: Happening['result'], who?: { name: string; account: string }): void =>
    audit.login({ who, from, what: 'log in' }, result);
  const ada = { name: 'ada@example.com', account: 'abc' };
  for (let count = 0; count < 400; count += 1) {
    login('192.0.2.7', 'refused', ada);
    login('2001:db8::1', 'refused');
  }
  expect(written).toHaveLength(600);
  login('192.0.2.7', 'ok', ada);
  login('192.0.2.8', 'refused', ada);
  login('192.0.2.7', 'refused');
  expect(written).toHaveLength(603);
  // All addresses of one network of IPv6 belong to one person.
  login('2001:db8::2', 'refused');
  expect(written).toHaveLength(603);
});

test('the number of entries that were left out is written within a minute, and at the end', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { audit, written } = start();
  const fail = (times: number): void => {
    for (let count = 0; count < times; count += 1)
      audit.login({ who: undefined, from: '192.0.2.7', what: 'log in' }, 'refused');
  };
  fail(310);
  expect(written).toHaveLength(300);
  vi.advanceTimersByTime(60_000);
  expect(written).toHaveLength(301);
  expect(written.at(-1)).toMatchObject({ who: 'nobody', from: '192.0.2.7', result: 'refused', more: 9 });
  vi.advanceTimersByTime(600_000);
  expect(written).toHaveLength(301);
  fail(5);
  audit.close();
  expect(written.at(-1)).toMatchObject({ more: 4 });
  audit.close();
  expect(written).toHaveLength(302);
});

test('entries left out of a cause that is forgotten are still counted', () => {
  const { audit, written } = start();
  const fail = (from: string): void => audit.login({ who: undefined, from, what: 'log in' }, 'refused');
  for (let count = 0; count < 303; count += 1) fail('192.0.2.7');
  for (let count = 0; count < 10_000; count += 1) fail(`10.0.${count >> 8}.${count & 255}`);
  expect(written.filter(({ from }) => from === '192.0.2.7').at(-1)).toMatchObject({ more: 2 });
  audit.close();
});
