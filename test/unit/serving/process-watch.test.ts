import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Background } from '../../../src/lib/background.js';
import type { LogFile } from '../../../src/logs/log-file.js';
import type { Usage } from '../../../src/runtime/runtime.js';
import { ProcessWatch, type WatchedProcess } from '../../../src/serving/process-watch.js';

let watch: ProcessWatch;
/** What was done, in its order. */
let did: string[];

const used = (cpuSeconds: number): Usage => ({ memory: 7, cpuSeconds, processes: 1 });

function processOf(mark: string, spec: { memoryLimit?: number } = {}): WatchedProcess {
  const log = { rotateIfLarge: async () => (did.push(`${mark} log`), false) } as unknown as LogFile;
  return {
    mark,
    spec: { log, ...spec },
    holdToLimits: async ({ memory }) => void did.push(`${mark} uses ${memory}`),
    checkHealth: async (cpuSeconds) => void did.push(`${mark} has had ${cpuSeconds} s`),
  };
}

beforeEach(() => {
  did = [];
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const usage = (): Map<string, Usage> => (did.push('measured'), new Map([['one', used(3)]]));
  watch = new ProcessWatch({ usage }, new Background(() => undefined));
});
afterEach(() => {
  watch.close();
  vi.useRealTimers();
});

it('logs are looked at every second, and nothing is measured as long as no process has a limit', async () => {
  watch.add(processOf('one'));
  await vi.advanceTimersByTimeAsync(2_000);
  expect(did).toEqual(['one log', 'one log']);
});

it('processes are held to their limits by one measurement for all', async () => {
  for (const mark of ['one', 'two']) watch.add(processOf(mark, { memoryLimit: 5 }));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(did).toEqual(['measured', 'one log', 'one uses 7', 'two log']);
});

it('every 15 s each process is asked whether it answers, until it is gone', async () => {
  const [one, two] = [processOf('one'), processOf('two')];
  watch.add(one);
  watch.add(two);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(did.slice(-3)).toEqual(['measured', 'one has had 3 s', 'two has had undefined s']);
  watch.delete(one);
  watch.delete(two);
  did = [];
  await vi.advanceTimersByTimeAsync(15_000);
  expect(did).toEqual([]);
});
