import { describe, expect, test } from 'vitest';
import type { Happening } from '../../../src/domain/access/audit.js';
import type { Principal } from '../../../src/domain/access/principal.js';
import { Refusal } from '../../../src/errors.js';
import { Audit, type Asked } from '../../../src/host/audit.js';

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
