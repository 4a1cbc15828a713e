// npm run bench -- endurance [--sessions 300] [--apps 20] [--minutes 30] [--kills 5]: open pages that use their apps for long, while
// one app after the other is deployed, one a minute, and the server is killed with SIGKILL and started again. It says how many
// pages lost their state, and how the memory of the server grows. All kills are in the first half, so that the last server runs
// for long: its memory is looked at from a quarter of its life on.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BenchHost } from './lib/host.js';
import { Page } from './lib/page.js';

/** How often a page runs its script, an app is deployed, and memory is looked at, in ms. */
const RUN_MS = 5_000;
const DEPLOY_MS = 60_000;
const LOOK_MS = 2_000;
/** For how long a page tries to come back, in ms: Streamlit keeps its state for two minutes. */
const BACK_MS = 100_000;
/** How long the server is away, in ms. */
const AWAY_MS = 2_000;

const { values } = parseArgs({
  options: Object.fromEntries(
    Object.entries({ sessions: '300', apps: '20', minutes: '30', kills: '5' }).map(([name, value]) => [
      name,
      { type: 'string', default: value },
    ]),
  ),
});
const [sessions, apps, minutes, kills] = ['sessions', 'apps', 'minutes', 'kills'].map((name) => Number(values[name]));
if (![sessions, apps, minutes].every((value) => value > 0) || !(kills >= 0))
  throw new Error('--sessions, --apps and --minutes are numbers above 0, and --kills is one from 0.');

const counts = { runs: 0, reconnects: 0, lost: 0, deploys: 0, interrupted: 0, failed: 0 };
const problems = [];
let over = false;

const host = await BenchHost.start();
try {
  const projects = [];
  for (let app = 0; app < apps; app += 1) {
    projects.push(await host.project(filesOf(0)));
    await host.push(projects[app], nameOf(app));
  }
  console.log(`${apps} apps serve. ${sessions} pages are open for ${minutes} minutes …`);
  const begun = performance.now();
  const ends = begun + minutes * 60_000;
  const memory = [];
  const all = [
    ...Array.from({ length: sessions }, (_, number) => use(number)),
    deployAll(projects, ends),
    lookAtMemory(memory, begun),
  ];
  for (let kill = 1; kill <= kills; kill += 1) {
    await sleepUntil(begun + (kill / kills) * ((ends - begun) / 2));
    await host.kill();
    await sleep(AWAY_MS);
    await host.begin();
    console.log(`${Math.round((performance.now() - begun) / 1_000)} s: the server was killed and started again.`);
  }
  await sleepUntil(ends);
  over = true;
  await Promise.all(all);
  report(memory);
} finally {
  over = true;
  await host.stop();
}

/** Somebody who has a page open all the time. */
async function use(number) {
  const app = nameOf(number % apps);
  let count = 0;
  /** How many runs were under way when a connection was lost: each may still count, at once or with the next one. */
  let uncertain = 0;
  let page;
  let path;
  await sleep((RUN_MS * number) / sessions);
  while (!over) {
    try {
      if (page === undefined) {
        path = `/apps/${app}/~${(await host.ask('GET', `/apps/${app}`)).release}`;
        page = await Page.open(host.url, path);
        [count, uncertain] = [0, 0];
      } else if (!page.isOpen) {
        page = await back(page, path);
        counts.reconnects += 1;
      }
      const shown = await page.run();
      counts.runs += 1;
      const now = Number(/count=(\d+)/.exec(shown.join(' '))?.[1]);
      const more = now - count - 1;
      if (!(more >= 0 && more <= uncertain))
        throw new Error(`it shows ${shown.join(' ')} instead of count=${count + 1}`);
      count = now;
      uncertain -= more;
      await sleep(RUN_MS);
    } catch (error) {
      if (page?.isOpen === false && error.message === 'the connection was lost') {
        uncertain += 1;
        continue;
      }
      counts.lost += 1;
      problems.push(`page ${number} of ${app}: ${error.message}`);
      await page?.close();
      page = undefined;
      await sleep(RUN_MS);
    }
  }
  await page?.close();
}

async function back({ session }, path) {
  for (const limit = performance.now() + BACK_MS; ; await sleep(250)) {
    try {
      return await Page.open(host.url, path, session);
    } catch (error) {
      if (performance.now() > limit) throw new Error(`it did not come back: ${error.message}`, { cause: error });
    }
  }
}

/** Deploys one app after the other. What a kill has interrupted is pushed again. */
async function deployAll(projects, ends) {
  for (let number = 0; ; number += 1) {
    const next = performance.now() + DEPLOY_MS;
    if (next > ends) return;
    const app = number % apps;
    await host.commit(projects[app], filesOf(number + 1));
    const { pid } = host;
    try {
      await host.push(projects[app], nameOf(app));
      counts.deploys += 1;
    } catch (error) {
      const gone = pid !== host.pid || !isRunning(pid);
      counts[gone ? 'interrupted' : 'failed'] += 1;
      if (!gone) problems.push(`a deploy of ${nameOf(app)}: ${error.message}`);
    }
    await sleepUntil(next);
  }
}

/** Notes the memory of the server again and again. */
async function lookAtMemory(memory, begun) {
  for (; !over; await sleep(LOOK_MS)) {
    const { pid } = host;
    const mb = memoryOf(pid);
    if (mb !== undefined) memory.push({ pid, minute: (performance.now() - begun) / 60_000, mb });
  }
}

function report(memory) {
  const { pid } = host;
  const life = memory.filter((one) => one.pid === pid);
  const [first, last] = [life[0]?.minute ?? 0, life.at(-1)?.minute ?? 0];
  const settled = life.filter(({ minute }) => minute >= first + (last - first) / 4);
  const around = (part) => `${Math.round(part?.mb ?? 0)} MB`;
  console.log(`
pages                 ${sessions} on ${apps} apps for ${minutes} minutes
script runs           ${counts.runs}
kills of the server   ${kills}, with ${counts.reconnects} reconnects
lost pages            ${counts.lost}
deploys               ${counts.deploys} live, ${counts.interrupted} interrupted by a kill, ${counts.failed} failed
memory of the server  ${around(settled[0])} to ${around(settled.at(-1))} PSS in ${(last - (settled[0]?.minute ?? 0)).toFixed(1)} minutes
its slope             ${slopeOf(settled).toFixed(2)} MB/min`);
  for (const problem of problems.slice(0, 20)) console.log(`  ${problem}`);
  if (counts.lost + counts.failed > 0) process.exitCode = 1;
}

/** The least squares. @returns MB per minute */
function slopeOf(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [minute, mb] = [mean((point) => point.minute), mean((point) => point.mb)];
  const spread = mean((point) => (point.minute - minute) ** 2);
  return spread === 0 ? NaN : mean((point) => (point.minute - minute) * (point.mb - mb)) / spread;
}

/** @returns the server's share of the machine's memory, in MB; undefined where it does not run */
function memoryOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]) / 1_024;
  } catch {
    return undefined;
  }
}

function isRunning(pid) {
  return memoryOf(pid) !== undefined;
}

function sleepUntil(time) {
  return sleep(Math.max(0, time - performance.now()));
}

function nameOf(app) {
  return `app-${app}`;
}

function filesOf(version) {
  const lines = [
    'import streamlit as st',
    'st.session_state.count = st.session_state.get("count", 0) + 1',
    'st.text("count=%d" % st.session_state.count)',
    `st.text("version=${version}")`,
  ];
  return { 'app.py': `${lines.join('\n')}\n`, 'requirements.txt': 'streamlit\n' };
}
