import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Errors } from '../../../src/metrics/errors.js';

let folder: string;
const warnings: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'errors-'));
  warnings.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (): Errors => new Errors(folder, (text) => void warnings.push(text));
const raised = (line: number, code = 'load()', type = 'ValueError', message = 'no') => ({
  type,
  message,
  lines: [
    'Traceback (most recent call last):',
    `  File "app.py", line ${line}, in main`,
    `    ${code}`,
    `${type}: ${message}`,
  ],
});

it('groups exceptions by type and place, wherever the line has moved', async () => {
  const errors = open();
  const told: boolean[] = [];
  errors.subscribe((_app, _kind, isNew) => void told.push(isNew));
  await errors.add('shop', raised(6), 3, 1_000);
  await errors.add('shop', raised(9, 'load()', 'ValueError', 'not yet'), 4, 2_000);
  await errors.add('shop', raised(6, 'save()'), 4, 3_000);
  await errors.add('shop', raised(6, 'load()', 'KeyError'), 4, 4_000);
  const kinds = await errors.of('shop');
  expect(kinds.map(({ type, code, count }) => [type, code, count])).toEqual([
    ['KeyError', 'load()', 1],
    ['ValueError', 'save()', 1],
    ['ValueError', 'load()', 2],
  ]);
  expect(kinds[2]).toMatchObject({ message: 'not yet', line: 9, firstRelease: 3, lastRelease: 4 });
  expect(told).toEqual([true, false, true, true]);
});

it('are there again after a restart, and gone once they are cleared', async () => {
  const errors = open();
  await errors.add('shop', raised(6), 3, 1_000);
  await errors.flush();
  expect(await open().of('shop')).toEqual(await errors.of('shop'));
  await errors.clear('shop');
  expect(await open().of('shop')).toEqual([]);
});

it('tells nothing of an earlier app with the same id', async () => {
  const errors = open();
  await errors.add('shop', raised(6), 3, 1_000);
  await errors.add('shop', raised(6, 'save()'), 1, 3_000);
  const kinds = await errors.of('shop', new Date(2_000).toISOString());
  expect(kinds.map(({ code }) => code)).toEqual(['save()']);
});

it('keeps the kinds that were seen last', async () => {
  const errors = open();
  for (let at = 1; at <= 130; at += 1) await errors.add('shop', raised(1, `call_${at}()`), 1, at * 1_000);
  const kinds = await errors.of('shop');
  expect(kinds).toHaveLength(100);
  expect(kinds.at(-1)?.code).toBe('call_31()');
});

it('moves a file that cannot be read aside, and says so', async () => {
  await writeFile(join(folder, 'shop.json'), '{"version":7,"kinds":[]}');
  expect(await open().of('shop')).toEqual([]);
  expect(warnings[0]).toMatch(/^Cannot read .*shop.json, the exceptions of shop.*moved to/);
});

it('takes little room, whatever an app prints', async () => {
  const errors = open();
  const long = 'x'.repeat(8_000);
  for (let at = 1; at <= 100; at += 1)
    await errors.add(
      'shop',
      { type: `${at}${long}`, message: long, lines: new Array<string>(80).fill(`  File "${long}.py", line 1, in f`) },
      1,
      at * 1_000,
    );
  await errors.flush();
  expect((await stat(join(folder, 'shop.json'))).size).toBeLessThan(5_000_000);
  expect(await open().of('shop')).toHaveLength(100);
});

it('writes what comes while it is being written the next time', async () => {
  const errors = open();
  await errors.add('shop', raised(6), 3, 1_000);
  const writing = errors.flush();
  await errors.add('shop', raised(6, 'save()'), 3, 2_000);
  await writing;
  await errors.flush();
  expect(await open().of('shop')).toHaveLength(2);
});
