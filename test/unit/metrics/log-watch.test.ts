import { appendFile, mkdir, mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { Errors } from '../../../src/metrics/errors.js';
import { LogWatch } from '../../../src/metrics/log-watch.js';
import { Paths } from '../../../src/store/paths.js';

const AT = '2026-03-04T12:00:00.000Z';
let folder: string;
let paths: Paths;
let errors: Errors;
let counted: number;
let watch: LogWatch;
let shop: App;
let mask: (app: string) => Promise<(text: string) => string>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-watch-'));
  paths = new Paths(folder);
  errors = new Errors(join(folder, 'errors'), () => undefined);
  counted = 0;
  shop = { ...newApp('shop', 'Shop', new Date(AT)), live: 1, processes: [processOf(1)] };
  mask = async () => (text) => text.replaceAll('s3cret', '••••');
  watch = new LogWatch({
    apps: { list: () => [shop], find: () => shop },
    paths,
    errors,
    mask: (app) => mask(app),
    count: (_app, exceptions) => (counted += exceptions),
  });
  for (const release of [1, 2]) await mkdir(paths.release('shop', release), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function processOf(release: number): App['processes'][number] {
  return { release, runtime: 'process', mark: `m/${release}`, startedAt: AT };
}

const traceback = (message: string): string =>
  `Traceback (most recent call last):\n  File "app.py", line 1, in f\n    g()\nValueError: ${message}\n`;
const print = (text: string, release = 1): Promise<void> => appendFile(paths.runLog('shop', release), text);
const messages = async (): Promise<string[]> => (await errors.of('shop')).map(({ message }) => message);

it('finds what an app prints from now on, with its values hidden', async () => {
  await print(traceback('before the server began'));
  watch.begin();
  await print(`${traceback('no s3cret here')}next line\n`);
  await watch.look();
  expect(await messages()).toEqual(['no •••• here']);
  expect(JSON.stringify(await errors.of('shop'))).not.toContain('s3cret');
  expect(counted).toBe(1);
  await watch.look();
  expect(counted).toBe(1);
});

it('reads the log of a new release from its beginning', async () => {
  watch.begin();
  shop = { ...shop, live: 2, processes: [processOf(1), processOf(2)] };
  await print(`${traceback('of the second')}next\n`, 2);
  await watch.look();
  expect(counted).toBe(1);
  expect((await errors.of('shop'))[0]?.lastRelease).toBe(2);
});

it('takes an exception as complete once nothing follows it, also across two looks', async () => {
  watch.begin();
  const text = traceback('late');
  await print(text.slice(0, 50));
  await watch.look();
  await print(text.slice(50));
  await watch.look();
  expect(counted).toBe(0);
  await watch.look();
  expect(counted).toBe(1);
});

it('continues after a log was emptied because it was too large', async () => {
  await print('x'.repeat(1_000));
  watch.begin();
  await truncate(paths.runLog('shop', 1), 0);
  await print(`${traceback('after')}next\n`);
  await watch.look();
  expect(await messages()).toEqual(['after']);
});

it('keeps nothing that may hold a value where values cannot be read', async () => {
  mask = () => Promise.reject(new Error('no key'));
  watch.begin();
  await print(`${traceback('s3cret')}next\n`);
  await watch.look();
  expect(counted).toBe(1);
  expect(JSON.stringify(await errors.of('shop'))).not.toMatch(/s3cret|app\.py/);
});

it('bears a flood', async () => {
  watch.begin();
  await print(traceback('again').repeat(20_000));
  await watch.look();
  expect((await errors.of('shop'))[0]?.count).toBeLessThanOrEqual(50);
  expect(counted).toBeGreaterThan(1_000);
});
