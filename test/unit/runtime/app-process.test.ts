import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogFile } from '../../../src/logs/log-file.js';
import { AppProcess } from '../../../src/runtime/app-process.js';
import type { ProcessSpec } from '../../../src/runtime/process-spec.js';
import type { Exit, Instance } from '../../../src/runtime/runtime.js';

/** An instance that runs until it is ended, and where nothing answers. */
class Fake implements Instance {
  readonly record = { runtime: 'fake', mark: '' };
  readonly environment = {};
  readonly address = { socket: '/nowhere' };
  readonly ended: Promise<Exit>;
  running = true;
  #exit: (exit: Exit) => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => (this.#exit = resolve));
  }

  crash(): void {
    this.running = false;
    this.#exit({ code: 1, signal: null });
  }
  async end(): Promise<void> {
    await ending();
    this.crash();
  }
  tell(): Promise<void> {
    return telling();
  }
  sweep(): Promise<void> {
    return sweeping();
  }
  owns(): Promise<boolean> {
    return Promise.resolve(false);
  }
  listening(): Promise<number[]> {
    return Promise.resolve([]);
  }
  limit(): void {}
  leave(): void {}
}

let folder: string;
let begun: Fake[];
/** What is waited for before each of these is done. */
let beginning: () => Promise<void>;
let telling: () => Promise<void>;
let ending: () => Promise<void>;
let sweeping: () => Promise<void>;
let app: AppProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'app-process-'));
  begun = [];
  beginning = telling = ending = sweeping = () => Promise.resolve();
  app = prepare();
});
afterEach(async () => {
  await app.stop();
  expect(running()).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

const running = (): Fake[] => begun.filter((one) => one.running);
const started = (count: number): Promise<void> => vi.waitFor(() => expect(begun).toHaveLength(count));

function prepare(spec: Partial<ProcessSpec> = {}): AppProcess {
  return new AppProcess(
    {
      app: 'demo',
      release: 1,
      command: ['python'],
      order: ['app'],
      cwd: '/',
      environment: () => ({}),
      healthPath: '/health',
      startLimitMs: 60_000,
      log: new LogFile(join(folder, 'run.log')),
      ...spec,
    },
    {
      lease: () => expect.fail('it needs no port'),
      adopt: () => expect.fail('nothing runs yet'),
      async begin() {
        await beginning();
        const one = new Fake();
        begun.push(one);
        return one;
      },
    },
    () => undefined,
  );
}

/** A wait that a test ends. */
function gate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  return { passed: new Promise((resolve) => (open = resolve)), open: () => open() };
}

it('a process that crashed is started once, even if it is asked for while its remains are still being removed', async () => {
  void app.run();
  await started(1);
  const swept = gate();
  sweeping = () => swept.passed;
  begun[0]?.crash();
  await vi.waitFor(() => expect(app.state).toBe('crashed'));
  app.retry();
  app.retry();
  swept.open();
  await started(2);
  await Promise.all([app.start(), app.start()]);
  expect(running()).toHaveLength(1);
});

it('an instance that cannot be told what to run is ended, and the next start takes its place', async () => {
  telling = () => Promise.reject(new Error('the disk is full'));
  await expect(app.start()).rejects.toThrow('the disk is full');
  expect([running(), app.record]).toEqual([[], undefined]);
  telling = () => Promise.resolve();
  await app.start();
  expect(running()).toHaveLength(1);
});

it('an instance that cannot be ended yet is ended once that works', async () => {
  await app.start();
  const errors = [new Error('too many files are open')];
  ending = async () => {
    const error = errors.pop();
    if (error !== undefined) throw error;
  };
  await app.stop();
  expect([running(), errors, app.state]).toEqual([[], [], 'stopped']);
});

it('a process that is left to the next server while it starts leaves no instance that this server does not know', async () => {
  const ready = gate();
  const asked = vi.fn(() => ready.passed);
  beginning = asked;
  const starting = app.start();
  await vi.waitFor(() => expect(asked).toHaveBeenCalled());
  const left = app.leave();
  ready.open();
  await left;
  expect([begun.length, running().length]).toEqual([1, 0]);
  await starting;
});

it('a start that has failed ends its own instance, and not the one that was started instead', async () => {
  const limits = [200];
  Object.defineProperty(app.spec, 'startLimitMs', { get: () => limits.pop() ?? 60_000 });
  void app.run();
  await started(1);
  begun[0]?.crash();
  await started(2);
  await vi.waitFor(async () => expect(await readFile(app.spec.log.path, 'utf8')).toContain('not started'));
  expect(running()).toHaveLength(1);
});
