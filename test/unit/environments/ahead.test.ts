import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Ahead, type AheadOptions } from '../../../src/environments/ahead.js';
import type { EnvironmentRequest } from '../../../src/environments/request.js';
import { cancelled } from '../../../src/environments/failures.js';
import { Refusal } from '../../../src/errors.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
let told: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ahead-'));
  told = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const MADE = { hash: 'abc', lock: 'def', path: '/abc', python: '/abc/bin/python', reused: false, ms: 5 };

/** One whose environments are made in a moment, with what it did. */
function aheadOf(options: Partial<AheadOptions> & { ensure?: AheadOptions['environments']['ensure'] } = {}) {
  const asked: EnvironmentRequest[] = [];
  const compiled: string[] = [];
  const warned: object[] = [];
  const ensure = options.ensure ?? (() => Promise.resolve(MADE));
  const ahead = new Ahead({
    root: join(folder, 'environments'),
    environments: { ensure: (request) => (asked.push(request), ensure(request)) },
    compiler: { add: (hash) => void compiled.push(hash) },
    demandRoom: () => Promise.resolve(),
    restMs: 0,
    logger: { info: (_, text) => void told.push(text), warn: (facts) => void warned.push(facts) },
    ...options,
  });
  return { ahead, asked, compiled, warned };
}

test('a server without environments builds one with Streamlit, once, and has it compiled', async () => {
  const { ahead, asked, compiled, warned } = aheadOf();
  ahead.begin();
  ahead.begin();
  await ahead.settled();
  expect(asked).toMatchObject([{ dependencies: { text: 'streamlit\n' }, yields: true }]);
  expect([compiled, warned]).toEqual([['abc'], []]);
});

test('a server that has environments builds none ahead', async () => {
  await writeFiles(folder, { 'environments/one/file': '' });
  const { ahead, asked } = aheadOf();
  ahead.begin();
  await ahead.settled();
  expect(asked).toEqual([]);
});

test('nothing is built ahead if the disk has too little room, and the log says so', async () => {
  const low = new Refusal('unavailable', 'disk-low', 'There is no room.');
  const { ahead, asked, warned } = aheadOf({ demandRoom: () => Promise.reject(low) });
  ahead.begin();
  await ahead.settled();
  expect([asked, warned]).toEqual([[], [{ error: 'There is no room.' }]]);
});

test('the log names a build that failed, and none that another one has ended', async () => {
  const away = aheadOf({ ensure: () => Promise.reject(cancelled(undefined)) });
  away.ahead.begin();
  await away.ahead.settled();
  expect([away.compiled, away.warned]).toEqual([[], []]);
  const failed = aheadOf({ ensure: () => Promise.reject(new Error('The index does not answer.')) });
  failed.ahead.begin();
  await failed.ahead.settled();
  expect([failed.compiled, failed.warned]).toEqual([[], [{ error: 'The index does not answer.' }]]);
});

test('closing ends the build, and none starts afterwards', async () => {
  const { ahead, compiled, warned } = aheadOf({
    ensure: ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(cancelled(signal.reason)));
        if (signal?.aborted === true) reject(cancelled(signal.reason));
      }),
  });
  ahead.begin();
  await ahead.close();
  expect([compiled, warned]).toEqual([[], []]);
  const closed = aheadOf();
  await closed.ahead.close();
  closed.ahead.begin();
  await closed.ahead.settled();
  expect(closed.asked).toEqual([]);
});

test('an environment that was just built is left alone at first, and closing does not wait for that', async () => {
  const { ahead, compiled, warned } = aheadOf({ restMs: 3_600_000 });
  ahead.begin();
  await vi.waitFor(() => expect(told).toHaveLength(1));
  await ahead.close();
  expect([compiled, warned]).toEqual([[], []]);
});
