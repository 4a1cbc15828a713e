import { beforeEach, expect, it } from 'vitest';
import { CalledOff, recordFailure, requeue } from '../../../src/deploys/outcome.js';
import { Phases } from '../../../src/deploys/phases.js';
import { Refusal } from '../../../src/errors.js';
import { findRelease } from '../../../src/domain/app/app.js';
import type { Release } from '../../../src/domain/app/release.js';
import { TestData } from '../../helpers/data.js';
import { releaseOf } from '../../helpers/release.js';

let data: TestData;
let said: string[];
let logged: string[];

beforeEach(async () => {
  [said, logged] = [[], []];
  data = await TestData.open();
  await data.app('shop', {
    releases: [releaseOf(1, 'live'), releaseOf(2, 'building'), releaseOf(3, 'starting')],
    lastRelease: 3,
    live: 1,
  });
  return () => data.close();
});

const release = (number: number): Release | undefined => findRelease(data.store.get('shop'), number);

async function fail(number: number, error: unknown): Promise<Release | undefined> {
  const { store, paths } = data;
  const log = {
    hide: (text: string) => text.replaceAll('s3cret', '••••'),
    step: (text: string) => void said.push(text),
    phases: new Phases(),
  };
  const logger = { error: (_facts: object, text: string) => void logged.push(text) };
  await recordFailure({ store, paths, logger }, 'shop', number, error, log);
  return release(number);
}

it('a refused deploy fails with the reason, in which values are hidden', async () => {
  const refusal = new Refusal('invalid', 'build-failed', 'The index does not know s3cret.');
  expect(await fail(2, refusal)).toMatchObject({ state: 'failed', reason: 'the index does not know ••••' });
  expect([said, logged]).toEqual([['Failed: the index does not know ••••'], []]);
});

it.each([
  ['an unknown error', new Error('boom'), 'internal error; see the server log', 1],
  [
    'a full disk',
    Object.assign(new Error('x'), { code: 'ENOSPC' }),
    "the server's disk is full; the deploy was undone",
    0,
  ],
  [
    'a shortage of open files',
    new Error('git log failed', { cause: Object.assign(new Error('x'), { code: 'EMFILE' }) }),
    'the server has too many open files; the deploy was undone',
    0,
  ],
])(
  '%s fails a deploy without telling the pusher what only the operator may know',
  async (_what, error, reason, logs) => {
    expect(await fail(2, error)).toMatchObject({ state: 'failed', reason });
    expect(logged).toHaveLength(logs);
  },
);

it('an interrupted deploy is queued again, and a cancelled one is not', async () => {
  expect((await fail(2, new CalledOff('queued', 'the server is stopping')))?.state).toBe('queued');
  expect(await fail(3, new CalledOff('cancelled', 'cancelled'))).toMatchObject({
    state: 'cancelled',
    reason: 'cancelled',
  });
  expect(said).toEqual(['Interrupted: the server is stopping', 'Cancelled']);
});

it('a release that went live stays live, whatever fails afterwards', async () => {
  expect((await fail(1, new Error('boom')))?.state).toBe('live');
  expect([said, logged]).toEqual([[], ['work after a deploy failed']]);
});

it('unfinished deploys are queued again, all of them or one', async () => {
  await requeue(data.store, 'shop', 3);
  expect([release(1)?.state, release(2)?.state, release(3)?.state]).toEqual(['live', 'building', 'queued']);
  await requeue(data.store, 'shop');
  expect(release(2)?.state).toBe('queued');
});

it('a disk that cannot be written to is named as what it is', async () => {
  expect((await fail(2, Object.assign(new Error('open'), { code: 'EROFS' })))?.reason).toContain('disk is read-only');
  expect((await fail(3, Object.assign(new Error('write'), { code: 'ENOSPC' })))?.reason).toContain('disk is full');
  expect(logged).toEqual([]);
});
