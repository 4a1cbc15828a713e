import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WarmWorker, type WorkerLimits } from '../../../src/lib/workers.js';

const LIMITS = { workMs: 500, startMs: 10_000, memoryMb: 32 };

/** A worker that speaks as `answerQuestions` does: it evaluates what it is asked. */
const SCRIPT = `
const { parentPort, threadId } = require('node:worker_threads');
parentPort.on('message', async (question) => parentPort.postMessage({ value: await (0, eval)(question) }));
globalThis.threadId = threadId;
parentPort.postMessage('ready');
`;

let folder: string;
let worker: WarmWorker | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'workers-'));
});
afterEach(async () => {
  await worker?.close();
  await rm(folder, { recursive: true, force: true });
});

async function workerOf(script = SCRIPT, limits: Partial<WorkerLimits> = {}): Promise<WarmWorker> {
  const file = join(folder, 'worker.cjs');
  await writeFile(file, script);
  worker = new WarmWorker(file, { ...LIMITS, ...limits });
  return worker;
}

it('a warm worker answers one question after another in the same thread', async () => {
  const one = await workerOf();
  const pause = 'new Promise((done) => setTimeout(done, 100, threadId))';
  const [first, second] = await Promise.all([one.ask(pause), one.ask('threadId')]);
  expect(second).toBe(first);
});

it('a worker with nothing to do ends its thread, never a question, and starts another for the next one', async () => {
  const one = await workerOf(SCRIPT, { idleMs: 50 });
  const first = await one.ask('new Promise((done) => setTimeout(done, 200, threadId))');
  expect(await one.ask('threadId')).toBe(first);
  // Each question is a while after the one before.
  await vi.waitFor(async () => expect(await one.ask('threadId')).not.toBe(first), { timeout: 10_000, interval: 200 });
});

it('a warm worker ends a question that takes too long, and answers the next ones, each with its full time', async () => {
  const one = await workerOf();
  const endless = Promise.allSettled([one.ask('for (;;);'), one.ask('for (;;);')]);
  const later = one.ask('1 + 1');
  expect(await endless).toMatchObject([{ reason: { why: 'late' } }, { reason: { why: 'late' } }]);
  expect(await later).toBe(2);
});

it('a warm worker ends a question that needs too much memory, and answers the next', async () => {
  const one = await workerOf(SCRIPT, { workMs: 30_000 });
  const hoard = 'const all = []; for (;;) all.push(new Array(1_000).fill(all.length));';
  await expect(one.ask(`{ ${hoard} }`)).rejects.toMatchObject({ why: 'memory' });
  expect(await one.ask('1 + 1')).toBe(2);
});

it('a warm worker refuses while its thread cannot start, and starts it once it can', async () => {
  worker = new WarmWorker(join(folder, 'worker.cjs'), LIMITS);
  await expect(worker.warm()).rejects.toMatchObject({ why: 'broken' });
  await expect(worker.ask('1')).rejects.toMatchObject({ why: 'broken' });
  await writeFile(join(folder, 'worker.cjs'), SCRIPT);
  expect(await worker.ask('1')).toBe(1);
});

it('a warm worker refuses if its thread throws at its start', async () => {
  const one = await workerOf('throw new Error("no")');
  await expect(one.warm()).rejects.toMatchObject({ why: 'broken' });
  await expect(one.ask('1')).rejects.toMatchObject({ why: 'broken' });
});

it.each([
  [
    'another version of it is installed',
    'require("node:worker_threads").parentPort.postMessage("other"); process.exit()',
  ],
  ['it is removed', undefined],
])('a warm worker starts further threads with the program it began with if %s', async (_, other) => {
  const one = await workerOf(SCRIPT, { idleMs: 50 });
  const first = await one.ask('threadId');
  const file = join(folder, 'worker.cjs');
  await (other === undefined ? rm(file) : writeFile(file, other));
  await vi.waitFor(async () => expect(await one.ask('threadId')).not.toBe(first), { timeout: 10_000, interval: 200 });
});

it('a warm worker starts another thread if the first one exits', async () => {
  const one = await workerOf();
  await one.ask('void setTimeout(() => { throw new Error("late") }, 20)');
  await new Promise((done) => setTimeout(done, 200));
  expect(await one.ask('2')).toBe(2);
});

it("a warm worker gives the thread none of the server's variables", async () => {
  expect(await (await workerOf()).ask('Object.keys(process.env)')).toEqual([]);
});

it('a warm worker leaves nobody waiting once it is closed', async () => {
  const one = await workerOf(SCRIPT, { workMs: 30_000 });
  const asked = Promise.allSettled([one.ask('for (;;);'), one.ask('1')]);
  await new Promise((done) => setTimeout(done, 200));
  await one.close();
  expect(await asked).toMatchObject([{ reason: { why: 'broken' } }, { reason: { why: 'broken' } }]);
});
