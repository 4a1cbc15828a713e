import { beforeEach, describe, expect, it } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { Sizes, type AppSize, type SizeQuestion } from '../../../src/metrics/sizes.js';

let list: App[];
let asked: SizeQuestion[];
let now: number;
let answer: () => Promise<AppSize>;
let warnings: string[];
let sizes: Sizes;

beforeEach(() => {
  list = ['shop', 'blog'].map((id) => ({ ...newApp(id, id, new Date(0)), releases: [{ number: 3 } as never] }));
  [asked, warnings, now] = [[], [], 0];
  answer = async () => ({ storage: 100, logs: 10 });
  sizes = new Sizes({
    apps: { list: () => list },
    paths: {
      storage: (id) => `/${id}/storage`,
      runLog: (id, release) => `/${id}/${release}/run.log`,
      buildLog: (id, release) => `/${id}/${release}/build.log`,
    },
    warn: (text) => void warnings.push(text),
    worker: {
      ask: (question) => {
        asked.push(question as SizeQuestion);
        return answer();
      },
      close: async () => undefined,
    },
    clock: () => now,
  });
});

/** Looks, and waits until all that is due was measured. */
async function look(...ran: string[]): Promise<string[]> {
  asked = [];
  sizes.look(ran);
  await settled();
  return asked.map(({ storage }) => storage.split('/')[1] ?? '');
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

describe('look', () => {
  it('measures each app once, and again only if it has run and a quarter of an hour is over', async () => {
    expect(await look()).toEqual(['shop', 'blog']);
    expect(asked[0]).toEqual({
      storage: '/shop/storage',
      logs: ['/shop/3/run.log', '/shop/3/run.log.1', '/shop/3/build.log'],
    });
    expect(sizes.of('shop')).toEqual({ storage: 100, logs: 10 });
    now += 14 * 60_000;
    expect(await look('shop')).toEqual([]);
    now += 60_000;
    expect(await look()).toEqual(['shop']);
    now += 60 * 60_000;
    expect(await look()).toEqual([]);
  });

  it('measures an app again once it has run for the first time, since it has logs then', async () => {
    answer = async () => ({ storage: 0, logs: 0 });
    await look();
    answer = async () => ({ storage: 5, logs: 10 });
    expect(await look()).toEqual([]);
    expect(await look('shop')).toEqual(['shop']);
    expect(sizes.of('shop')).toEqual({ storage: 5, logs: 10 });
    expect(await look('shop')).toEqual([]);
  });

  it('measures a new app at once, without putting the others off', async () => {
    await look('shop');
    now += 10 * 60_000;
    list = [...list, newApp('new', 'New', new Date(0))];
    expect(await look('shop')).toEqual(['new']);
    now += 5 * 60_000;
    expect(await look('shop')).toEqual(['shop']);
  });

  it('spends at most a hundredth of the time', async () => {
    answer = async () => {
      now += 60_000;
      return { storage: 1, logs: 1 };
    };
    await look('shop');
    now += 99 * 60_000;
    expect(await look('shop')).toEqual([]);
    now += 101 * 60_000;
    expect(await look('shop')).toEqual(['shop']);
  });

  it('keeps the last size where the disk does not answer, says it once, and does not ask again at once', async () => {
    await look('shop', 'blog');
    answer = () => Promise.reject(new Error('late'));
    now += 15 * 60_000;
    await look('shop', 'blog');
    expect(sizes.of('shop')).toEqual({ storage: 100, logs: 10 });
    expect(warnings).toEqual(['The files of apps cannot be measured: Error: late']);
    expect(asked).toHaveLength(1);
    now += 14 * 60_000;
    expect(await look('shop')).toEqual([]);
    now += 60_000;
    expect(await look()).toEqual(['shop']);
  });

  it('forgets apps that were removed, and measures nothing once it is closed', async () => {
    await look();
    list = list.slice(1);
    await look();
    expect(sizes.of('shop')).toBeUndefined();
    await sizes.close();
    list = [...list, newApp('new', 'New', new Date(0))];
    expect(await look()).toEqual([]);
  });
});
