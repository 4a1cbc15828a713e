import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { field } from '../../../src/domain/streamlit/proto.js';
import { Traffic } from '../../../src/gateway/traffic.js';
import { app, blank, box, BOX_ID, page } from '../../../src/metrics/fields.js';
import type { HappeningListener } from '../../../src/metrics/happenings.js';
import { Recorder } from '../../../src/metrics/recorder.js';
import type { AppSize } from '../../../src/metrics/sizes.js';
import type { Usage } from '../../../src/runtime/runtime.js';

const AT = '2026-03-04T12:00:00.000Z';
const shop: App = {
  ...newApp('shop', 'Shop', new Date(AT)),
  live: 2,
  processes: [1, 2].map((release) => ({ release, runtime: 'process', mark: `mark-${release}`, startedAt: AT })),
};

let usage: Map<string, Usage>;
let files: number;
let size: AppSize | undefined;
let added: ReadonlyMap<string, readonly number[]>[];
let tell: HappeningListener;
let recorder: Recorder;
let traffic: Traffic;
let list: App[];
const apps = { list: () => list };
const withFiles = ([mark, used]: [string, Usage]): [string, Usage] => [mark, { ...used, openFiles: files }];

beforeEach(() => {
  usage = new Map();
  files = 40;
  list = [shop];
  size = undefined;
  added = [];
  traffic = new Traffic();
  recorder = new Recorder({
    store: { add: async (_, figures) => void added.push(figures) },
    apps,
    runtime: {
      usage: (counts) => new Map([...usage].map((one) => (counts?.(one[0]) === true ? withFiles(one) : one))),
    },
    sizes: { of: () => size },
    traffic,
    happenings: {
      subscribe: (listener) => {
        tell = listener;
        return () => undefined;
      },
    },
    visitors: { isNew: (_, who) => who === 'new', flush: () => Promise.resolve() },
    box: { read: async () => blank(BOX_ID) },
    warn: () => undefined,
    now: () => Date.parse(AT) + 9_990,
  });
});

/** What Streamlit sends while a page runs: its beginning, the navigation and the end, a frame each. */
function runOf(path: string): Buffer[] {
  const pages = ['', 'one', 'two'].map((one) =>
    field(2, Buffer.concat([field(1, `h-${one}`), ...(one === '' ? [Buffer.from([0x20, 1])] : []), field(6, one)])),
  );
  const navigation = field(23, Buffer.concat([...pages, field(4, `h-${path}`)]));
  return [field(4, ''), navigation, Buffer.from([0x30, 0])].map((message) =>
    Buffer.concat([Buffer.from([0x82, message.length]), message]),
  );
}

const uses = (mark: string, memory: number, cpuSeconds: number): unknown =>
  usage.set(mark, { memory, processes: 2, cpuSeconds });
const of = (id: string, place: number): number | undefined => added.at(-1)?.get(id)?.[place];

describe('look', () => {
  it('sums up the processes of an app, of all its releases', async () => {
    uses('mark-1', 1_024_000, 100);
    uses('mark-2', 2_048_000, 5);
    await recorder.look();
    expect(of('shop', app.memoryKb)).toBe(3_000);
    expect(of('shop', app.processes)).toBe(4);
    expect(of('shop', app.release)).toBe(2);
    // What they used before anybody measured is not known to belong to this span.
    expect(of('shop', app.cpuMs)).toBe(0);
    uses('mark-2', 2_048_000, 6.5);
    await recorder.look();
    expect(of('shop', app.cpuMs)).toBe(1_500);
  });

  it('counts what a new process has used since its start, and nothing below zero', async () => {
    await recorder.look();
    uses('mark-2', 1_000, 2);
    await recorder.look();
    expect(of('shop', app.cpuMs)).toBe(2_000);
    // Another process with the same mark began at zero.
    uses('mark-2', 1_000, 1);
    await recorder.look();
    expect(of('shop', app.cpuMs)).toBe(0);
  });

  it('counts open files once a minute, and has the last count until then', async () => {
    uses('mark-1', 1_000, 1);
    uses('mark-2', 1_000, 1);
    await recorder.look();
    expect(of('shop', app.openFiles)).toBe(80);
    files = 50;
    for (let look = 1; look < 6; look += 1) await recorder.look();
    expect(of('shop', app.openFiles)).toBe(80);
    await recorder.look();
    expect(of('shop', app.openFiles)).toBe(100);
    // Another process is counted at once.
    usage.delete('mark-1');
    await recorder.look();
    files = 7;
    uses('mark-1', 1_000, 1);
    await recorder.look();
    expect(of('shop', app.openFiles)).toBe(57);
  });

  it('notes what the files of an app take while it runs', async () => {
    size = { storage: 4_096, logs: 1_024 };
    await recorder.look();
    expect(added.at(-1)?.has('shop')).toBe(false);
    uses('mark-2', 1_000, 1);
    await recorder.look();
    expect([of('shop', app.storageKb), of('shop', app.logsKb)]).toEqual([4, 1]);
  });

  it('says nothing of an app that does not run and has no visitors', async () => {
    await recorder.look();
    expect(added.at(-1)?.has('shop')).toBe(false);
    expect(added.at(-1)?.has(BOX_ID)).toBe(true);
  });

  it('counts what happens between two looks once, and since the start of the server', async () => {
    recorder.begin();
    tell({ kind: 'woken', app: 'shop', ms: 1_200 });
    tell({ kind: 'restarted', app: 'shop', release: 2 });
    recorder.count('shop', 'exceptions', 3);
    await recorder.look();
    expect([app.wakes, app.wakeMs, app.restarts, app.exceptions].map((place) => of('shop', place))).toEqual([
      1, 1_200, 1, 3,
    ]);
    await recorder.look();
    expect(added.at(-1)?.has('shop')).toBe(false);
    expect(recorder.totals.get('shop')?.[app.exceptions]).toBe(3);
    await recorder.close();
  });

  it('counts visitors who are new today', async () => {
    recorder.begin();
    const socket = { bytesRead: 0, bytesWritten: 0, once: () => undefined } as never;
    for (const who of ['new', 'known', 'known']) traffic.open('shop', socket, who);
    await recorder.look();
    expect(of('shop', app.visitors)).toBe(1);
    expect(of('shop', app.sessions)).toBe(3);
    expect(of('shop', app.closedPages)).toBe(0);
    expect(of(BOX_ID, box.pages)).toBe(3);
    await recorder.close();
  });

  it('keeps the views and runs of pages next to those of their app', async () => {
    const socket = Object.assign(new EventEmitter(), { bytesRead: 0, bytesWritten: 0 }) as never;
    const { fromApp } = traffic.open('shop', socket, 'ada');
    for (const path of ['one', 'one', 'two']) for (const message of runOf(path)) fromApp(message);
    await recorder.look();
    expect([of('shop', app.views), of('shop', app.runs), of('shop', app.messagesOut)]).toEqual([2, 3, 9]);
    expect([of('shop /one', page.views), of('shop /one', page.runs)]).toEqual([1, 2]);
    expect(recorder.totals.get('shop /two')?.[page.views]).toBe(1);
    // Those who look at apps see no pages among them.
    expect([...recorder.latest.keys()]).toEqual(['shop', BOX_ID]);
    await recorder.look();
    expect(added.at(-1)?.has('shop /one')).toBe(false);
    list = [];
    await recorder.look();
    expect([...recorder.totals.keys()]).toEqual([BOX_ID]);
  });

  it('forgets an app that was removed', async () => {
    recorder.count('gone', 'exceptions');
    await recorder.look();
    expect(added.at(-1)?.has('gone')).toBe(false);
    expect(recorder.totals.has('gone')).toBe(false);
  });

  it('ends during a look, schedules no other one, and flushes visitors even if the last look fails', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let go: (values: number[]) => void = () => undefined;
      let looks = 0;
      const warned: string[] = [];
      let flushed = 0;
      const one = new Recorder({
        ...{ apps, traffic, warn: (text) => warned.push(text), now: () => Date.parse(AT) },
        runtime: { usage: () => usage },
        sizes: { of: () => undefined },
        store: {
          add: async () => {
            if (looks > 1) throw new Error('no room');
          },
        },
        happenings: { subscribe: () => () => undefined },
        visitors: { isNew: () => false, flush: async () => void (flushed += 1) },
        box: {
          read: () => {
            looks += 1;
            return looks === 1 ? new Promise((resolve) => (go = resolve)) : Promise.resolve(blank(BOX_ID));
          },
        },
      });
      one.begin();
      vi.advanceTimersByTime(10_000);
      expect(looks).toBe(1);
      const closed = one.close();
      go(blank(BOX_ID));
      await closed;
      await vi.advanceTimersByTimeAsync(60_000);
      expect([looks, flushed]).toEqual([2, 1]);
      expect(warned).toEqual(['Metrics cannot be recorded: Error: no room']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends with what was counted so far', async () => {
    recorder.begin();
    recorder.count('shop', 'exceptions');
    await recorder.close();
    expect(of('shop', app.exceptions)).toBe(1);
  });
});
