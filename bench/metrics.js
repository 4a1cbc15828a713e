// npm run bench -- metrics [apps]: what it costs to measure 1,000 apps that run. Two programs do the same, one of them measures: each has
// as many records of apps, as many real processes to look at (`sleep`), files of apps on the disk, and visitors whose requests and
// WebSocket messages pass. The time between two looks is left out: it is the looks and what passes that cost. Then the room on disk of a
// day, a month and two years, as a busy server would fill them.
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { buildModules, ROOT } from '../scripts/lib/setup.js';
import { modules, runToEnd } from './measure.js';

/** Of all apps, how many are visited at a time. */
const VISITED = 0.05;
/** A quarter of an hour, in which the files of each app are measured once. */
const LOOKS = 90;
const SPAN_MS = 10_000;
const ROUNDS = 2;
const LIMITS = { core: 0.01, bytes: 100_000_000 };

const {
  MetricsStore,
  RESOLUTIONS,
  Level,
  Recorder,
  Visitors,
  BoxReader,
  Sizes,
  Traffic,
  WarmWorker,
  usageOf,
  usageOfGroups,
  app,
  page,
  pageId,
} = await modules(
  'metrics/store',
  'metrics/level',
  'metrics/recorder',
  'metrics/visitors',
  'metrics/box',
  'metrics/fields',
  'metrics/sizes',
  'gateway/traffic',
  'lib/workers',
  'runtime/process/proc',
);

/** Frames of two runs, on two pages, each with thirty parts of a page of 2 kB. */
const RUN = ['', 'sales'].flatMap((path) => {
  const pages = ['', 'sales'].map((one) => field(2, Buffer.concat([field(1, `h${one}`), field(6, one)])));
  const parts = Array.from({ length: 30 }, () => field(5, Buffer.alloc(2_000, 'x')));
  const navigation = field(23, Buffer.concat([...pages, field(4, `h${path}`)]));
  return [field(4, Buffer.alloc(400, 'x')), navigation, ...parts, Buffer.from([0x30, 0])].map(frame);
});

// The program that is measured is this one again: node bench/metrics.js with|without FOLDER PIDS
const [, , first, folder, list] = process.argv;
if (first === 'with' || first === 'without') await run(first === 'with', folder, list.split(',').map(Number));
else await compare(Number(first ?? 1_000));

async function compare(apps) {
  const work = await mkdtemp(join(tmpdir(), 'bench-metrics-'));
  const children = [];
  try {
    for (let number = 0; number < apps; number += 1) {
      children.push(spawn('sleep', ['3600'], { detached: true, stdio: 'ignore' }));
      await mkdir(join(work, `app-${number}`));
      for (let file = 0; file < 10; file += 1) await writeFile(join(work, `app-${number}`, String(file)), 'x');
    }
    await buildModules(ROOT, join(work, 'program'), ['metrics/sizes-worker']);
    const pids = children.map(({ pid }) => pid).join(',');
    const results = { without: [], with: [] };
    for (let round = 0; round < ROUNDS; round += 1)
      for (const name of ['without', 'with'])
        results[name].push(
          JSON.parse(await runToEnd(process.execPath, [import.meta.filename, name, work, pids], { env: process.env })),
        );
    tell(apps, results);
    for (const child of children.splice(0)) child.kill();
    await measureSize(apps, work);
  } finally {
    for (const child of children) child.kill();
    await rm(work, { recursive: true, force: true });
  }
}

function tell(apps, results) {
  const mean = (name, what) => results[name].reduce((sum, one) => sum + one[what], 0) / ROUNDS;
  console.log(
    `\n${apps} apps, each with a process and files, ${VISITED * 100} % of them visited in each 10 s; ${LOOKS} looks, ${ROUNDS} rounds in turn, load ${loadavg()[0].toFixed(1)}`,
  );
  for (const name of Object.keys(results))
    console.log(
      `  ${name.padEnd(8)} ${mean(name, 'cpuMs').toFixed(1).padStart(6)} ms of processor time in 10 s (${results[name].map(({ cpuMs }) => cpuMs.toFixed(1)).join(', ')}), ` +
        `${(mean(name, 'heap') / 1e6).toFixed(1)} MB of heap, ${(mean(name, 'rss') / 1e6).toFixed(1)} MB resident`,
    );
  const core = (mean('with', 'cpuMs') - mean('without', 'cpuMs')) / SPAN_MS;
  const [heap, rss] = ['heap', 'rss'].map((what) => (mean('with', what) - mean('without', what)) / 1e6);
  console.log(
    `  measuring costs ${(core * 100).toFixed(2)} % of a core${verdict(core <= LIMITS.core)}, ${heap.toFixed(1)} MB of heap, ${rss.toFixed(1)} MB resident`,
  );
}

/** The program that measures, or not, and prints what that took. */
async function run(measures, work, pids) {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  const random = numbers();
  const next = () => random.next().value;
  const apps = pids.map((pid, number) => ({
    ...{ id: `app-${number}`, live: 3, releases: [{ number: 3 }] },
    processes: [{ mark: String(pid), release: 3 }],
  }));
  let now = Date.now() - (Date.now() % SPAN_MS);
  const traffic = measures ? new Traffic() : undefined;
  const measuring = measures ? await begin({ work, pids, apps, traffic, clock: () => now }) : undefined;
  const begun = process.cpuUsage();
  for (let round = 0; round < LOOKS; round += 1) {
    now += SPAN_MS;
    for (const { id } of apps) if (next() < VISITED) visit(id, traffic, next);
    await measuring?.look();
  }
  await measuring?.settle();
  const { user, system } = process.cpuUsage(begun);
  collectGarbage();
  const { heapUsed: heap, rss } = process.memoryUsage();
  console.log(JSON.stringify({ cpuMs: (user + system) / 1_000 / LOOKS, heap, rss }));
  await measuring?.close();
}

/** What `server/metrics.ts` composes, without the parts that only hear of events. */
async function begin({ work, pids, apps, traffic, clock }) {
  const folder = await mkdtemp(join(work, 'metrics-'));
  const store = new MetricsStore(folder, console.error);
  await store.open(clock());
  const box = new BoxReader({ folder, ping: async () => undefined });
  const visitors = new Visitors(join(folder, 'visitors.json'), console.error);
  await visitors.open(clock());
  const usage = (counts = () => false) => {
    const groups = usageOfGroups();
    return new Map(pids.map((pid) => [String(pid), usageOf(groups.get(pid), counts(String(pid)))]));
  };
  const thread = join(work, 'program/metrics/sizes-worker.cjs');
  const sizes = new Sizes({
    apps: { list: () => apps },
    paths: {
      storage: (id) => join(work, id),
      runLog: (id) => join(work, id, '0'),
      buildLog: (id) => join(work, id, '1'),
    },
    warn: console.error,
    worker: new WarmWorker(thread, { workMs: 20_000, startMs: 30_000, memoryMb: 128, idleMs: 1_000 }),
    clock,
  });
  const recorder = new Recorder({
    ...{ store, visitors, box, sizes, traffic, runtime: { usage }, apps: { list: () => apps } },
    ...{ happenings: { subscribe: () => () => undefined }, warn: console.error, now: clock },
  });
  const ids = apps.map(({ id }) => id);
  return {
    async look() {
      await recorder.look();
      sizes.look(ids);
    },
    /** Until the files of all apps are measured, and the thread has ended. */
    async settle() {
      for (const deadline = performance.now() + 120_000; ids.some((id) => sizes.of(id) === undefined); await sleep(100))
        if (performance.now() > deadline) throw new Error('the files of the apps were not measured');
      await sleep(2_000);
    },
    async close() {
      await sizes.close();
      await store.close();
    },
  };
}

/** A visitor opens a page, asks for some files, and the script runs twice. Without anybody who counts, the same happens. */
function visit(id, traffic, next) {
  const socket = Object.assign(new EventEmitter(), { bytesRead: 0, bytesWritten: 0 });
  const bytes = traffic?.open(id, socket, `visitor-${Math.floor(next() * 1_000)}`);
  for (let file = 0; file < 11; file += 1) {
    const request = { socket };
    const response = Object.assign(new EventEmitter(), { headersSent: true, statusCode: file < 9 ? 200 : 304 });
    traffic?.request(id, request, response);
    traffic?.answering(request);
    socket.bytesWritten += 80_000;
    response.emit('close');
  }
  for (const chunk of RUN) {
    socket.bytesWritten += chunk.length;
    bytes?.fromApp(chunk);
  }
  socket.emit('close');
}

function field(number, content) {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value) {
  return value < 128 ? Buffer.from([value]) : Buffer.from([(value % 128) + 128, Math.floor(value / 128)]);
}

function frame(message) {
  const { length } = message;
  const size = length < 126 ? [length] : [126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x82, ...size]), message]);
}

/** Numbers that are the same in every run. */
function* numbers(seed = 1) {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield state / 2_147_483_648;
  }
}

async function measureSize(apps, work) {
  /** So many of them are enough to tell the room that each takes. */
  const sample = Math.min(apps, 100);
  let bytes = 0;
  console.log(`\nroom on disk, from ${sample} apps`);
  for (const resolution of RESOLUTIONS) {
    const { name, seconds, blockSpans, keepBlocks } = resolution;
    const folder = join(work, name);
    const level = new Level({ ...resolution, maxBytes: 1e12, folder, warn: console.error });
    await level.open();
    const spans = blockSpans * keepBlocks;
    const begun = process.cpuUsage();
    const random = numbers(7);
    const next = () => random.next().value;
    const memory = Array.from({ length: sample }, () => 80_000 + next() * 400_000);
    const batch = seconds === 10 ? 6 : 1;
    for (let from = 0; from < spans; from += batch) {
      const rows = new Map();
      for (let number = 0; number < sample; number += 1) {
        const figures = Array.from({ length: batch }, () => figuresOf(memory, number, seconds, next));
        rows.set(`app-${number}`, figures);
        // Of a visited app, the views of two pages.
        if (figures.some((values) => values[app.views] > 0))
          for (const path of ['/', '/sales'])
            rows.set(
              pageId(`app-${number}`, path),
              figures.map((values) => (values[app.views] > 0 ? viewsOf(next) : undefined)),
            );
      }
      await level.append(1_000_000 * blockSpans + from, rows);
    }
    await level.close();
    const { user } = process.cpuUsage(begun);
    const size = ((await sizeOf(folder)) / sample) * apps;
    bytes += size;
    console.log(
      `  ${name.padEnd(4)} ${String(spans).padStart(6)} spans: ${(size / 1e6).toFixed(1).padStart(6)} MB, ${(size / apps / spans).toFixed(2)} bytes a span and app, packed in ${(((user / 1e6) * apps) / sample).toFixed(0)} s (with making the figures)`,
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
  values[app.openFiles] = 20;
  [values[app.storageKb], values[app.logsKb]] = [40_000 + number, 400];
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
  [values[app.views], values[app.runs], values[app.runMaxMs]] = [2, 4, 400];
  values[app.runMs] = 600 + Math.floor(next() * 300);
  [values[app.messagesIn], values[app.messagesOut]] = [4, 80 + Math.floor(next() * 40)];
  return values;
}

function viewsOf(next) {
  const values = new Array(Object.keys(page).length).fill(0);
  [values[page.views], values[page.runs], values[page.runMs]] = [1, 2, 300 + Math.floor(next() * 150)];
  return values;
}

async function sizeOf(folder) {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function verdict(within) {
  return within ? '' : ' (more than it should be)';
}
