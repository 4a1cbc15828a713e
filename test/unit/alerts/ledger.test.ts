import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Ledger, type Delivery } from '../../../src/alerts/ledger.js';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'ledger-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const quiet = (): void => undefined;
const delivery = (id: string, state: Delivery['state'], owner = 'shop'): Delivery => ({
  ...{ id, owner, destination: 'd1', at: 1, state, tries: 0 },
  message: { id, title: 't', lines: [], url: 'u', bad: true, changes: [], missed: 0 },
});

it('another server finds what waits, what was told and what is wrong', async () => {
  const ledger = new Ledger(folder, quiet);
  await ledger.open();
  ledger.deliveries.set('m1', delivery('m1', 'waiting'));
  ledger.lane('d1', 'shop').sent.push(5);
  ledger.touch();
  await ledger.write([{ rule: 'down', of: 'shop', text: 'x', since: 1 }]);
  const next = new Ledger(folder, quiet);
  await next.open();
  expect([...next.deliveries.values()]).toEqual([delivery('m1', 'waiting')]);
  expect(next.lane('d1', 'shop').sent).toEqual([5]);
  expect(next.problems).toEqual([{ rule: 'down', of: 'shop', text: 'x', since: 1 }]);
  next.forget('shop');
  next.keepLanes(new Set());
  expect(next.deliveries.size + next.lanes.size).toBe(0);
});

it('a file that is damaged is moved aside and named', async () => {
  await writeFile(join(folder, 'alerts.json'), '{"version":2}');
  const warned: string[] = [];
  const ledger = new Ledger(folder, (text) => warned.push(text));
  await ledger.open();
  expect(warned[0]).toContain('alerts.json.unreadable');
  expect(await readdir(folder)).toEqual(['alerts.json.unreadable']);
});

it('a file that cannot be written is told once, and written when it can be', async () => {
  const warned: string[] = [];
  const ledger = new Ledger(folder, (text) => warned.push(text));
  await ledger.open();
  await mkdir(join(folder, 'alerts.json'));
  ledger.touch();
  for (let second = 0; second < 3; second += 1) await ledger.write([]);
  expect(warned).toEqual([expect.stringContaining('Alerts cannot be kept: EISDIR')]);
  await rm(join(folder, 'alerts.json'), { recursive: true });
  await ledger.write([{ rule: 'disk', of: ':', text: 'x', since: 1 }]);
  const next = new Ledger(folder, quiet);
  await next.open();
  expect(next.problems).toHaveLength(1);
  expect(warned).toHaveLength(1);
});

it('the oldest messages that have ended are dropped, and none that waits', async () => {
  const ledger = new Ledger(folder, quiet);
  await ledger.open();
  ledger.deliveries.set('first', delivery('first', 'waiting'));
  for (let number = 0; number < 250; number += 1)
    ledger.deliveries.set(`m${number}`, delivery(`m${number}`, 'delivered'));
  ledger.touch();
  await ledger.write([]);
  expect(ledger.deliveries.size).toBe(201);
  expect(ledger.deliveries.has('first')).toBe(true);
  expect(ledger.deliveries.has('m49')).toBe(false);
});

it('destinations that shared a lane in an older version each keep what they were told', async () => {
  const ledger = new Ledger(folder, quiet);
  await ledger.open();
  ledger.lane('shop', 'shop').sent.push(5);
  ledger.lane('d1', 'shop').sent.push(6);
  expect(ledger.lane('d1', 'shop').sent).toEqual([5, 6]);
  expect(ledger.lane('d2', 'shop').sent).toEqual([5]);
  ledger.keepLanes(new Set(['d1', 'd2']));
  expect([...ledger.lanes.keys()]).toEqual(['d1', 'd2']);
  expect(ledger.lane('d3', 'shop').sent).toEqual([]);
});

it('the messages that wait for a destination are in the order of their alerts', async () => {
  const ledger = new Ledger(folder, quiet);
  await ledger.open();
  for (const id of ['m1', 'm2', 'm3']) ledger.deliveries.set(id, delivery(id, id === 'm2' ? 'failed' : 'waiting'));
  ledger.deliveries.set('m4', { ...delivery('m4', 'waiting'), destination: 'd2' });
  expect(ledger.waiting('d1').map(({ id }) => id)).toEqual(['m1', 'm3']);
});
