import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest';
import { DeployQueue } from '../../../src/deploys/queue.js';
import { startRedis, type RedisServer } from '../../../src/redis/server.js';
import { scratch } from '../../helpers/ends.js';

const until = { timeout: 30_000, interval: 20 };
let redis: RedisServer;
let queue: DeployQueue | undefined;
/** The apps whose deploys were run, in their order. */
let ran: string[];
/** The apps that have something to deploy, as the records say. */
let wanted: string[];
/** What running a deploy takes. */
let work: (app: string) => Promise<void>;
/** Tells the queue that an app has something to deploy. */
let tell: (app: string) => void;
let warned: string[];

beforeEach(async () => {
  const folder = await scratch('queue-');
  [ran, wanted, warned] = [[], [], []];
  work = async () => undefined;
  const silent = (): void => undefined;
  redis = await startRedis({
    dir: join(folder, 'redis'),
    runDir: join(folder, 'run'),
    binaryDirs: inject('tools').redisDirs,
    path: process.env.PATH ?? dirname(process.execPath),
    logger: { info: silent, warn: silent, error: silent },
  });
});
afterEach(async () => {
  await queue?.close();
  await redis.stop();
});

function open(concurrency = 2): DeployQueue {
  queue = new DeployQueue({
    connection: redis.connection,
    prefix: 'test',
    concurrency,
    deploys: {
      run: async (app) => {
        ran.push(app);
        await work(app);
      },
      wanted: () => wanted,
      subscribe: (listener) => {
        tell = listener;
        return () => undefined;
      },
    },
    logger: { warn: (facts) => void warned.push(JSON.stringify(facts)) },
  });
  return queue;
}

it('the queue runs what is pending on disk at startup, and everything it is told about later', async () => {
  wanted = ['shop'];
  open().begin();
  await vi.waitFor(() => expect(ran).toEqual(['shop']), until);
  tell('blog');
  await vi.waitFor(() => expect(ran).toEqual(['shop', 'blog']), until);
  expect(warned).toEqual([]);
});

it('an app runs one deploy at a time, with at most one queued behind it', async () => {
  let finish = (): void => undefined;
  work = () => new Promise((resolve) => (finish = resolve));
  open().begin();
  tell('shop');
  await vi.waitFor(() => expect(ran).toEqual(['shop']), until);
  for (let times = 0; times < 5; times += 1) tell('shop');
  tell('blog');
  const first = finish;
  // Another app does not wait for it.
  await vi.waitFor(() => expect(ran).toEqual(['shop', 'blog']), until);
  const second = finish;
  first();
  await vi.waitFor(() => expect(ran).toEqual(['shop', 'blog', 'shop']), until);
  work = async () => undefined;
  second();
  finish();
  tell('last');
  await vi.waitFor(() => expect(ran).toContain('last'), until);
  expect(ran.filter((app) => app === 'shop')).toHaveLength(2);
});

it('no more deploys run at once than allowed', async () => {
  const finish: (() => void)[] = [];
  work = () => new Promise((resolve) => finish.push(resolve));
  wanted = ['one', 'two', 'three'];
  open(2).begin();
  await vi.waitFor(() => expect(ran).toHaveLength(2), until);
  finish[0]?.();
  await vi.waitFor(() => expect(ran).toHaveLength(3), until);
  expect(new Set(ran)).toEqual(new Set(wanted));
  for (const one of finish) one();
});

it("a failed deploy does not block the app's next one", async () => {
  work = () => Promise.reject(new Error('a defect'));
  open().begin();
  tell('shop');
  await vi.waitFor(() => expect(ran).toEqual(['shop']), until);
  work = async () => undefined;
  await vi.waitFor(() => {
    tell('shop');
    expect(ran.length).toBeGreaterThan(1);
  }, until);
});

it('a closed queue runs nothing and logs nothing, even if Redis went away before', async () => {
  const closing = open();
  closing.begin();
  await redis.stop();
  await closing.close();
  const before = warned.length;
  tell('shop');
  expect(ran).toEqual([]);
  expect(warned).toHaveLength(before);
});
