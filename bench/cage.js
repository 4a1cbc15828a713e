// npm run bench -- cage [rounds]: what a cage costs a start, from the interpreter's beginning to its health check, and a build,
// with an empty cache (cold) and with a full one (warm): bare and in each cage that works here. All in one run and in turn,
// each time in another order, since machines are shared and noisy: read the differences, each between starts of one round.
import { chmod, chown, mkdir, mkdtemp, open, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, setUp } from '../scripts/lib/setup.js';
import { median, modules, runToEnd } from './measure.js';

const rounds = Number(process.argv[2] ?? 7);
/** How often a build with a full cache is measured. */
const WARM = 3;
/** Some user that is nobody's, where we may become one. */
const UID = 1_900_000_000;

const { uv } = await setUp({ data: join(ROOT, 'data') });
if (uv === undefined) throw new Error('uv is needed for this benchmark');
const { Environments, gatherRequirements, Cage, Child, buildCage } = await modules(
  'environments/environments',
  'environments/requirements',
  'runtime/process/cage/cage',
  'runtime/process/child',
  'server/cage',
);
const work = await mkdtemp(join(tmpdir(), 'bench-cage-'));
try {
  const cages = await openCages();
  await measureStarts(cages);
  await measureBuilds(cages);
} finally {
  await rm(work, { recursive: true, force: true });
}

/** The cages that work here, by name; bare is none. */
async function openCages() {
  // Builds become another user, who must be able to pass it.
  await chmod(work, 0o755);
  const python = await realpath(
    (await runToEnd('python3', ['-c', 'import sys; print(sys.executable)'], { cwd: work, env: process.env })).trim(),
  );
  const cages = new Map([['bare', undefined]]);
  for (const wish of ['bubblewrap', 'landlock']) {
    const inner = join(ROOT, 'python/cage.py');
    const options = { wish, path: process.env.PATH ?? '', inner, data: [work], tmp: work, python };
    const cage = await Cage.open(options).catch((error) => console.log(error.message));
    if (cage !== undefined) cages.set(wish, cage);
  }
  return cages;
}

/** Each with a cache of its own, which is empty at first. */
async function measureBuilds(cages) {
  const variables = /^(PATH|HOME|PIP_.*|UV_.*|https?_proxy|no_proxy|SSL_CERT_.*)$/i;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => variables.test(name)));
  for (const name of ['UV_CACHE_DIR', 'PIP_CACHE_DIR']) delete env[name];
  const sourceDir = join(work, 'source');
  const dependencies = { file: 'requirements.txt', text: 'streamlit\n' };
  const times = new Map([...cages.keys()].map((name) => [name, []]));
  for (let round = 0; round <= WARM; round += 1) {
    for (const [name, cage] of inTurn(cages, round)) {
      const folder = join(work, `builds-${name}`);
      const environments = new Environments({
        root: join(work, `environments-${name}-${round}`),
        tmp: join(folder, 'drafts'),
        cache: folder,
        tools: { uv, python: 'python3' },
        locks: join(folder, `locks-${round}`),
        cage: async () => cage && buildCage(cage, []),
        gather: gatherRequirements,
        env,
      });
      const { ms } = await environments.ensure({ dependencies, sourceDir, localKey: 'bench', onLine: () => undefined });
      times.get(name).push(ms / 1_000);
      // What follows an install is not measured, and must not slow the next one.
      await environments.close();
    }
  }
  console.log(`\nbuild of an environment with Streamlit, cold, and the median of ${WARM} warm ones`);
  for (const [name, [cold, ...warm]] of times)
    console.log(
      `  ${name.padEnd(12)} ${cold.toFixed(1).padStart(6)} s cold  ${median(warm).toFixed(1).padStart(6)} s warm`,
    );
}

/** The cages, from another one on in each round: what comes first finds another machine than what comes last. */
function inTurn(cages, round) {
  const all = [...cages];
  const first = (round + all.length) % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

async function measureStarts(cages) {
  const [environment, source, storage] = ['environment', 'source', 'storage'].map((name) => join(work, name));
  for (const folder of [source, storage]) await mkdir(folder);
  await writeFile(join(source, 'app.py'), 'import streamlit as st\n\nst.text("here")\n');
  const run = (...args) => runToEnd(uv, args, { cwd: work, env: process.env });
  await run('venv', '--quiet', environment);
  await run('pip', 'install', '--quiet', '--compile-bytecode', '--python', environment, 'streamlit');
  const python = await realpath(join(environment, 'bin/python'));
  const times = new Map([...cages.keys()].map((name) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, cage] of inTurn(cages, round)) {
      const uid = cage?.changesUser === true ? UID : undefined;
      if (process.getuid?.() === 0) await chown(storage, uid ?? 0, uid ?? 0);
      const confines = {
        python,
        readOnly: [environment, source, join(ROOT, 'python')],
        writable: [storage],
        tmp: storage,
        uid,
      };
      const ms = await startToHealth(
        environment,
        source,
        storage,
        cage && ((what) => cage.wrap({ ...confines, ...what })),
      );
      // The first round fills caches.
      if (round >= 0) times.get(name).push(ms);
    }
  }
  const bare = times.get('bare');
  console.log(`\nstart to health, of ${rounds}, and how much more than the bare one of the same round`);
  for (const [name, all] of times) {
    const more = all.map((ms, round) => ms - bare[round]);
    const told = name === 'bare' ? '' : `median ${shown(median(more))} more, middle half ${middleHalf(more)}`;
    // The fastest has waited least for other work on the machine.
    console.log(
      `  ${name.padEnd(12)} median ${shown(median(all))}  fastest ${shown(Math.min(...all))}  ${told}`.trimEnd(),
    );
  }
}

function shown(ms) {
  return `${ms.toFixed(0).padStart(5)} ms`;
}

/** Between which two values the middle half of some lie: how far the median may be trusted. */
function middleHalf(values) {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (part) => sorted[Math.round(part * (sorted.length - 1))].toFixed(0);
  return `${at(0.25)} to ${at(0.75)} ms`;
}

async function startToHealth(environment, source, storage, wrap) {
  const port = await freePort();
  const output = await open(join(work, 'run.log'), 'a');
  const variables = {
    PATH: `${join(environment, 'bin')}:/usr/bin:/bin`,
    HOME: storage,
    STREAMLIT_SERVER_ADDRESS: '127.0.0.1',
    STREAMLIT_SERVER_PORT: String(port),
    STREAMLIT_SERVER_HEADLESS: 'true',
    STREAMLIT_SERVER_FILE_WATCHER_TYPE: 'none',
    STREAMLIT_BROWSER_SERVER_ADDRESS: 'localhost',
    STREAMLIT_BROWSER_GATHER_USAGE_STATS: 'false',
  };
  const command = [join(environment, 'bin/python'), join(ROOT, 'python/launch.py'), 'bench'];
  const spec = {
    app: 'bench',
    release: 1,
    command,
    cwd: source,
    environment: variables,
    mark: work,
    output: output.fd,
    // Nobody reads the record.
    cage: { kind: 'none', ownUser: false, network: true },
    wrap,
  };
  const begun = performance.now();
  const child = await Child.start(spec);
  try {
    await child.tell({ argv: ['streamlit', 'run', './app.py'], cwd: source, environment: variables, log: '' });
    while (!(await answers(port))) {
      if (performance.now() - begun > 60_000) throw new Error('Streamlit did not start');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return performance.now() - begun;
  } finally {
    await child.end(0);
    await output.close();
  }
}

async function answers(port) {
  try {
    return (await fetch(`http://127.0.0.1:${port}/_stcore/health`)).ok;
  } catch {
    return false; // It does not listen yet.
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
