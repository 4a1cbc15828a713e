// npm run bench -- logs: what reading a log of 1 GB costs, in time and memory.
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { median, modules } from './measure.js';

const GIGABYTE = 1024 ** 3;
const print = (line) => process.stdout.write(`${line}\n`);

const { follow, LogFile, search, tail } = await modules('logs/follow', 'logs/log-file', 'logs/search', 'logs/tail');

const folder = await mkdtemp(join(tmpdir(), 'bench-logs-'));
try {
  const file = join(folder, 'run.log');
  await fill(file, GIGABYTE);
  print(`a log of ${megabytes((await stat(file)).size)}`);
  // The first call of all loads code; it is told apart, not left out.
  const before = process.memoryUsage().rss;
  let most = before;
  const times = [];
  for (let round = 0; round < 21; round += 1) {
    times.push(await timed(() => tail(file, 200)));
    most = Math.max(most, process.memoryUsage().rss);
  }
  print(`tail 200: first ${ms(times[0])}, then median ${ms(median(times.slice(1)))}, worst ${ms(Math.max(...times))}`);
  print(`  memory grew by ${megabytes(most - before)}`);
  const command = Array.from({ length: 5 }, () => timedSync(() => execFileSync('tail', ['-n', '200', file])));
  print(`  for comparison, a whole "tail -n 200" process: median ${ms(median(command))}`);
  print(`search of the newest match: ${ms(await timed(() => search(file, 'line 0 ', { limit: 1 })))}`);
  const searched = await search(file, 'not to be found', { limit: 1 });
  print(`search for 2 s of what is not there: ${megabytes(GIGABYTE - searched.next)} read`);
  print(`follow through all of it: ${ms(await timed(() => followAll(file)))}`);
  print(`rotation: ${ms(await timed(() => new LogFile(file).rotateIfLarge()))}`);
} finally {
  await rm(folder, { recursive: true });
}

async function fill(file, bytes) {
  const block = Buffer.from(
    Array.from(
      { length: 50_000 },
      (_, index) => `2026-01-01 12:00:00 INFO line ${index} was handled for Éléonore\n`,
    ).join(''),
  );
  const handle = await open(file, 'w');
  try {
    for (let written = 0; written < bytes; written += block.length) await handle.writeFile(block);
  } finally {
    await handle.close();
  }
}

async function followAll(file) {
  const { size } = await stat(file);
  const stop = new AbortController();
  for await (const { offset } of follow(file, { from: 0, signal: stop.signal })) if (offset === size) stop.abort();
}

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function timedSync(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function ms(value) {
  return `${(value ?? NaN).toFixed(1)} ms`;
}

function megabytes(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
