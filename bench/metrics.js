// npm run bench -- metrics [apps]: what it costs to measure 1,000 apps that run. The processor time and memory of a recorder with
// as many real processes to look at, and the room on disk of a day, a month and two years, as a busy server would fill them.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { median, modules } from './measure.js';

const APPS = Number(process.argv[2] ?? 1_000);
/** So many of them are enough to tell the room that each takes. */
const SAMPLE = Math.min(APPS, 100);
/** Of them, how many are visited at a time. */
const VISITED = 0.05;
const LOOKS = 90;
const SPAN_MS = 10_000;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
const LIMITS = { core: 0.01, bytes: 100_000_000 };

const { MetricsStore, RESOLUTIONS, Level, Recorder, Visitors, BoxReader, usageOfGroups, app } = await modules(
  'metrics/store',
  'metrics/level',
  'metrics/recorder',
  'metrics/visitors',
  'metrics/box',
  'metrics/fields',
  'runtime/process/proc',
);
const work = await mkdtemp(join(tmpdir(), 'bench-metrics-'));
const children = [];
try {
  await measureCost();
  await measureSize();
} finally {
  for (const child of children) child.kill();
  await rm(work, { recursive: true, force: true });
}

/** A clock for figures that are the same in every run. */
function* numbers(seed = 1) {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield state / 2_147_483_648;
  }
}

async function measureCost() {
  for (let number = 0; number < APPS; number += 1)
    children.push(spawn('sleep', ['3600'], { detached: true, stdio: 'ignore' }));
  const apps = children.map(({ pid }, number) => ({
    id: `app-${number}`,
    live: 3,
    releases: [],
    processes: [{ mark: String(pid), release: 3 }],
  }));
  const random = numbers();
  const next = () => random.next().value;
  const look = () => {
    const groups = usageOfGroups();
    return new Map(children.map(({ pid }) => [String(pid), groups.get(pid)]).filter(([, usage]) => usage));
  };
  const traffic = {
    subscribe: () => () => undefined,
    take: () =>
      new Map(
        apps
          .filter(() => next() < VISITED)
          .map(({ id }) => [
            id,
            {
              answers: [9, 2, 0, 0],
              latencies: Array.from({ length: 11 }, () => next() * 500),
              bytesIn: 9_000,
              bytesOut: 900_000,
              opened: 1,
              pages: 3,
            },
          ]),
      ),
  };
  const results = { without: [], with: [] };
  let now = Date.now() - (Date.now() % SPAN_MS);
  const store = new MetricsStore(join(work, 'cost'), console.error);
  await store.open(now);
  const box = new BoxReader({ folder: work, ping: async () => undefined });
  const visitors = new Visitors(join(work, 'cost', 'visitors.json'), console.error);
  await visitors.open(now);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const recorder = new Recorder({
    store,
    apps: { list: () => apps },
    runtime: { usage: look },
    traffic,
    happenings: { subscribe: () => () => undefined },
    visitors,
    box,
    warn: console.error,
    now: () => now,
  });
  for (let round = 0; round < LOOKS; round += 1) {
    now += SPAN_MS;
    for (const [name, work] of [
      ['without', async () => undefined],
      ['with', () => recorder.look()],
    ]) {
      const begun = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(begun);
      results[name].push((user + system) / 1_000);
    }
  }
  collectGarbage();
  const heap = process.memoryUsage().heapUsed - before;
  const mean = (all) => all.reduce((sum, one) => sum + one, 0) / all.length;
  const core = (mean(results.with) - mean(results.without)) / SPAN_MS;
  console.log(`\n${APPS} apps, each with a process, ${VISITED * 100} % of them visited in each 10 s; ${LOOKS} looks`);
  for (const [name, all] of Object.entries(results))
    console.log(
      `  ${name.padEnd(8)} mean ${mean(all).toFixed(1).padStart(6)} ms   median ${median(all).toFixed(1).padStart(6)} ms   worst ${Math.max(
        ...all,
      )
        .toFixed(0)
        .padStart(4)} ms of processor time in 10 s`,
    );
  console.log(
    `  ${(core * 100).toFixed(2)} % of a core, ${(heap / 1e6).toFixed(1)} MB of heap${verdict(core <= LIMITS.core)}`,
  );
  await store.close();
  for (const child of children.splice(0)) child.kill();
}

async function measureSize() {
  let bytes = 0;
  console.log(`\nroom on disk, from ${SAMPLE} apps`);
  for (const resolution of RESOLUTIONS) {
    const { name, seconds, blockSpans, keepBlocks } = resolution;
    const folder = join(work, name);
    const level = new Level({ ...resolution, maxBytes: 1e12, folder, warn: console.error });
    await level.open();
    const spans = blockSpans * keepBlocks;
    const begun = process.cpuUsage();
    const random = numbers(7);
    const next = () => random.next().value;
    const memory = Array.from({ length: SAMPLE }, () => 80_000 + next() * 400_000);
    const batch = seconds === 10 ? 6 : 1;
    for (let from = 0; from < spans; from += batch) {
      const rows = new Map();
      for (let number = 0; number < SAMPLE; number += 1)
        rows.set(
          `app-${number}`,
          Array.from({ length: batch }, () => figuresOf(memory, number, seconds, next)),
        );
      await level.append(1_000_000 * blockSpans + from, rows);
    }
    await level.close();
    const { user } = process.cpuUsage(begun);
    const size = ((await sizeOf(folder)) / SAMPLE) * APPS;
    bytes += size;
    console.log(
      `  ${name.padEnd(4)} ${String(spans).padStart(6)} spans: ${(size / 1e6).toFixed(1).padStart(6)} MB, ${(size / APPS / spans).toFixed(2)} bytes a span and app, packed in ${(((user / 1e6) * APPS) / SAMPLE).toFixed(0)} s (with making the figures)`,
    );
    await rm(folder, { recursive: true });
  }
  console.log(`  all  ${(bytes / 1e6).toFixed(1)} MB without any limit${verdict(bytes <= LIMITS.bytes)}`);
  const limit = RESOLUTIONS.reduce((sum, { maxBytes }) => sum + maxBytes, 0);
  console.log(`  The oldest blocks go where all together would exceed ${(limit / 1e6).toFixed(0)} MB.`);
}

/** What an app does in a span: most do nothing, and their memory stays as it is. */
function figuresOf(memory, number, seconds, next) {
  const values = new Array(Object.keys(app).length).fill(0);
  const samples = seconds / 10;
  // A few minutes after each other, or many hours.
  const visited = next() < Math.min(0.5, VISITED * Math.sqrt(samples));
  values[app.samples] = samples;
  // An idle Streamlit has a hundredth of a second now and then.
  values[app.cpuMs] = visited ? 500 + Math.floor(next() * 1_000) : Math.round(samples * 3 + next() * 1.5) * 10;
  if (visited) memory[number] += Math.floor(next() * 2_000) - 1_000;
  values[app.memoryKb] = memory[number];
  values[app.memoryMaxKb] = memory[number] + (visited ? Math.floor(next() * 5_000) : 0);
  values[app.processes] = 1;
  values[app.release] = 3;
  if (!visited) return values;
  const requests = 5 + Math.floor(next() * 20);
  values[app.pages] = 1 + Math.floor(next() * 5);
  values[app.sessions] = 1;
  values[app.requests2xx] = requests;
  values[app.requests3xx] = 2;
  values[app.bytesIn] = requests * 1_000 + Math.floor(next() * 1_000);
  values[app.bytesOut] = requests * 50_000 + Math.floor(next() * 50_000);
  values[app.latencyMs] = requests * 20;
  values[app.latency0] = requests - 3;
  values[app.latency2] = 3;
  values[app.latency5] = 2;
  return values;
}

async function sizeOf(folder) {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function verdict(within) {
  return within ? '' : ' (more than it should be)';
}
