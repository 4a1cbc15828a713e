// npm run bench -- lead [rounds]: what a user feels in the first hour, here and with ShinyHub beside it: the same app, the same
// machine, in turn. Both are installed from packages into temporary folders. Where ShinyHub cannot be installed, the rows of
// streamlit-host stand alone.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Here } from './lead/here.js';
import { answers, memoryOf, reloadUnderLoad } from './lead/load.js';
import { ShinyHub } from './lead/shinyhub.js';
import { median } from './measure.js';

/** How long a server is left alone before its memory is read, in ms. */
const IDLE_MS = 20_000;
/** How long (ms) it takes to read a greeting and to write a first app, at the least. */
const A_MINUTE_MS = 60_000;
const rounds = Number(process.argv[2] ?? 5);
const work = await mkdtemp(join(tmpdir(), 'bench-lead-'));
const rivals = [new Here(work), new ShinyHub(work)];
/** The result of each row, by rival: all values that were measured, or a text. */
const rows = new Map();

try {
  await measure();
} finally {
  report();
  for (const rival of rivals) await rival.end();
  await rm(work, { recursive: true, force: true, maxRetries: 5 });
}

async function measure() {
  for (const rival of [...rivals]) {
    try {
      await rival.prepare();
    } catch (error) {
      if (rival instanceof Here) throw error;
      console.error(`${rival.name} is left out: ${error.message}`);
      rivals.splice(rivals.indexOf(rival), 1);
    }
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const rival of rivals) {
      console.error(`round ${round + 1} of ${rounds}: ${rival.name}`);
      const begun = performance.now();
      await rival.install(round);
      await rival.start();
      add('nothing to server ready, s', rival, seconds(begun));
      const before = performance.now();
      await rival.deploy();
      add('first app, cold package cache, s', rival, seconds(before));
      await rival.kill();
      const killed = performance.now();
      await rival.start();
      add('restart to ready after kill -9, s', rival, seconds(killed));
      add('an answer on a kept connection, ms', rival, median(await answers(rival, 200)));
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      for (const [name, pid] of Object.entries(await rival.processes()))
        add(`idle ${name}, PSS MB`, rival, memoryOf(pid).pss);
      const { anonymous } = memoryOf((await rival.processes()).server);
      add('idle server, of that its own, MB', rival, anonymous);
      const { failed, requests, closed, sockets } = await reloadUnderLoad(rival);
      add('planned reload: failed requests', rival, failed);
      add('planned reload: closed WebSockets', rival, closed);
      note('planned reload', rival, `${requests} requests and ${sockets} WebSockets a round`);
      await rival.remove();
      await rival.install(round);
      await rival.start();
      await new Promise((resolve) => setTimeout(resolve, A_MINUTE_MS));
      const later = performance.now();
      await rival.deploy();
      add('first app, a minute after the first start, s', rival, seconds(later));
      await rival.remove();
    }
  }
}

function add(row, rival, value) {
  if (!rows.has(row)) rows.set(row, new Map());
  const values = rows.get(row);
  values.set(rival.name, [...(values.get(rival.name) ?? []), value]);
}

function note(row, rival, text) {
  console.error(`  ${row}: ${text}`);
}

function seconds(since) {
  return (performance.now() - since) / 1_000;
}

function report() {
  console.log(`\nmedian of ${rounds}`);
  console.log(`| ${['', ...rivals.map(({ name }) => name)].join(' | ')} |`);
  console.log(`| --- |${rivals.map(() => ' ---: |').join('')}`);
  for (const [row, values] of rows) {
    const cells = rivals.map(({ name }) => (values.has(name) ? format(median(values.get(name))) : '-'));
    console.log(`| ${[row, ...cells].join(' | ')} |`);
  }
}

function format(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
}
