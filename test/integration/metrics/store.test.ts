import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { beforeAll, expect, test } from 'vitest';
import { app } from '../../../src/metrics/fields.js';
import { MetricsStore, type Resolution } from '../../../src/metrics/store.js';
import { scratch } from '../../helpers/ends.js';
import { ROOT } from '../../helpers/host.js';

const KILLS = 50;
/** As many spans as are lost at most: those of a batch. */
const BATCH = 6;
const BEGIN = 1_000 * 3_600_000;

/** Blocks of a few spans, so that many are packed and removed while the writer runs. */
const RESOLUTIONS: Resolution[] = [
  { name: '10s', seconds: 10, blockSpans: 30, keepBlocks: 1e6, maxBytes: 1e9 },
  { name: '5m', seconds: 300, blockSpans: 5, keepBlocks: 1e6, maxBytes: 1e9 },
  { name: '1h', seconds: 3_600, blockSpans: 2, keepBlocks: 1e6, maxBytes: 1e9 },
];

let module: string;
beforeAll(async () => {
  module = join(await scratch('metrics-module-'), 'store.js');
  const bundle = await rolldown({ input: join(ROOT, 'src/metrics/store.ts'), platform: 'node' });
  await bundle.write({ file: module, format: 'esm' });
  await bundle.close();
});

/** Writes spans as fast as it can, one request in each, until it is killed some ms after the first batch. @returns the last span that it said is added */
async function writeUntilKilled(folder: string, from: number, afterMs: number): Promise<number> {
  const script = `
    const { MetricsStore } = await import(${JSON.stringify(module)});
    const store = new MetricsStore(${JSON.stringify(folder)}, console.error, ${JSON.stringify(RESOLUTIONS)});
    await store.open(${BEGIN} + ${from} * 10_000);
    for (let span = ${from} + 1; ; span += 1) {
      const figures = ['shop', 'blog', ':box'].map((id) => [id, Array.from({ length: 34 }, (_, place) => (place === ${app.requests2xx} ? 1 : place === 0 ? 1 : 0))]);
      await store.add(${BEGIN} + span * 10_000, new Map(figures));
      process.stdout.write(span + "\\n");
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let errors = '';
  let timer: NodeJS.Timeout | undefined;
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      // A busy machine may not come to a single batch in the time that is left to it.
      if (said.split('\n').length > BATCH + 1) timer ??= setTimeout(() => child.kill('SIGKILL'), afterMs);
    });
    child.once('close', () => resolve());
  });
  expect(errors).toBe('');
  return Number(
    said
      .trimEnd()
      .split('\n')
      .findLast((line) => line !== '') ?? from,
  );
}

test('a server that is killed loses no more of its metrics than the last batch, and damages none', async () => {
  const folder = await scratch('metrics-');
  const warnings: string[] = [];
  let next = 0;
  let lost = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const last = await writeUntilKilled(folder, next, (kill * 7) % 40);
    const store = new MetricsStore(folder, (text) => void warnings.push(text), RESOLUTIONS);
    await store.open(BEGIN + last * 10_000);
    const points = await store.series('shop', BEGIN + (next - 100) * 10_000, BEGIN + 10 * last * 10_000, 10);
    const newest = points.at(-1)?.tick;
    const kept = newest === undefined ? 0 : newest - BEGIN / 10_000 + 1;
    // It may have written more than it came to say.
    expect(last - Math.max(kept, next)).toBeLessThan(BATCH);
    lost += Math.max(0, last - Math.max(kept, next));
    await store.close();
    next = Math.max(last, kept);
    if (kill % 7 !== 0) continue;
    // In between, nothing is missing but what a kill has taken before.
    const all = await Promise.all(
      [10, 300, 3_600].map((seconds) => store.series('shop', BEGIN, BEGIN + 1e11, seconds)),
    );
    const sums = all.map((some) => some.reduce((sum, { values }) => sum + (values[app.requests2xx] ?? 0), 0));
    expect(sums[1], `after kill ${kill}`).toBe(sums[0]);
    expect(sums[2], `after kill ${kill}`).toBe(sums[0]);
    expect(next - (sums[0] ?? 0)).toBe(lost);
  }
  expect(warnings).toEqual([]);
  // Something was written in between.
  expect(next).toBeGreaterThan(KILLS * BATCH);
}, 120_000);
