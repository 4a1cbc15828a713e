// npm run bench -- status [rounds]: how long `streamlit-host status` takes, from its start to its end, on a server with 200
// apps. Beside it, in the same run and in turn, stands what nobody can save: a bare start of node.
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, setUp } from '../scripts/lib/setup.js';
import { median, runToEnd } from './measure.js';

const TOKEN = 'a-token-for-the-benchmark-only';
const APPS = 200;
/** As many as an app keeps. */
const RELEASES = 10;
const LIMIT_MS = 300;
const rounds = Number(process.argv[2] ?? 15);

const { uv } = await setUp({ data: join(ROOT, 'data') });
const work = await mkdtemp(join(tmpdir(), 'bench-status-'));
const data = join(work, 'data');
const env = {
  ...process.env,
  PATH: [...(uv === undefined ? [] : [join(uv, '..')]), join(ROOT, 'data/tools/bin'), process.env.PATH].join(':'),
  STREAMLIT_HOST_PORT: '0',
  STREAMLIT_HOST_DATA: data,
  STREAMLIT_HOST_TOKEN: TOKEN,
  STREAMLIT_HOST_PICTURES: 'off',
  STREAMLIT_HOST_PREBUILD: 'off',
  STREAMLIT_HOST_LOG_LEVEL: 'warn',
  STREAMLIT_HOST_URL: '',
  REDIS_URL: '',
  // Nobody is logged in to another server here.
  HOME: work,
  XDG_CONFIG_HOME: work,
  UV_CACHE_DIR: join(ROOT, 'data/test-cache'),
};
let server;
try {
  await measure();
} finally {
  await server?.stop();
  await rm(work, { recursive: true, force: true });
}

async function measure() {
  await makeRecords();
  server = await startServer();
  await deployOne(server.url);
  const cli = [join(ROOT, 'scripts/streamlit-host.js'), 'status'];
  const times = {
    'node -e 0': [],
    'streamlit-host status': [],
    'streamlit-host --help': [],
    'GET /api/apps, all pages': [],
  };
  for (let round = 0; round < rounds; round += 1) {
    times['node -e 0'].push((await timed(['-e', '0'])).ms);
    const { ms, output } = await timed(cli);
    times['streamlit-host status'].push(ms);
    const lines = output.trimEnd().split('\n');
    if (lines.length !== APPS + 2 || !lines[0].includes('MEMORY'))
      throw new Error(`this is not the table of ${APPS + 1} apps:\n${output}`);
    times['streamlit-host --help'].push((await timed([cli[0], '--help'])).ms);
    times['GET /api/apps, all pages'].push(await listed(server.url));
  }
  const bare = median(times['node -e 0']);
  console.log(`\n${APPS + 1} apps with ${RELEASES} releases each, one of them running; ${rounds} rounds`);
  for (const [name, all] of Object.entries(times)) {
    console.log(
      `  ${name.padEnd(28)} median ${median(all).toFixed(0).padStart(5)} ms   worst ${Math.max(...all)
        .toFixed(0)
        .padStart(5)} ms   ${(median(all) / bare).toFixed(2)} x node`,
    );
  }
  console.log(
    `  ${median(times['streamlit-host status']) <= LIMIT_MS ? 'within' : 'above'} the ${LIMIT_MS} ms that it may take`,
  );
}

/** The apps as a server would have left them: with their releases, and stopped, so that nothing starts. */
async function makeRecords() {
  const bare = join(work, 'bare.git');
  await run('git', ['init', '--quiet', '--bare', '--template=', bare]);
  const at = new Date().toISOString();
  for (let number = 0; number < APPS; number += 1) {
    const id = `app-${String(number).padStart(3, '0')}`;
    const releases = Array.from({ length: RELEASES }, (_, place) => ({
      number: place + 1,
      commit: 'c'.repeat(40),
      branch: 'main',
      source: 'push',
      by: 'admin',
      message: `Change ${place} of the app`,
      state: place + 1 === RELEASES ? 'live' : 'retired',
      createdAt: at,
      finishedAt: at,
      previous: 'b'.repeat(40),
      entrypoint: 'app.py',
      environment: 'e'.repeat(32),
    }));
    const record = {
      id,
      name: `App ${number}`,
      createdAt: at,
      updatedAt: at,
      deployBranch: 'main',
      wanted: 'stopped',
      live: RELEASES,
      lastRelease: RELEASES,
      releases,
    };
    const folder = join(data, 'apps', id);
    await mkdir(folder, { recursive: true });
    await cp(bare, join(folder, 'repo.git'), { recursive: true });
    await writeFile(join(folder, 'meta.json'), JSON.stringify(record));
  }
}

async function startServer() {
  const code = `const { main } = await import(${JSON.stringify(join(ROOT, 'dist/main.js'))}); await main();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: work,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const url = await new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const found = /(http:\S+)\/console\/login/.exec(output);
      if (found !== null) resolve(found[1]);
    });
    void ended.then(() => reject(new Error(`the server did not start:\n${output}`)));
  });
  return {
    url,
    async stop() {
      await ask(url, '/server/stop', { method: 'POST' }).catch(() => child.kill('SIGKILL'));
      await ended;
    },
  };
}

/** One app that runs, so that there is memory to be told. */
async function deployOne(url) {
  const form = new FormData();
  form.append('name', 'Running');
  form.append('files', new Blob(['import streamlit as st\n\nst.write("Hello")\n']), 'app.py');
  form.append('files', new Blob(['streamlit\n']), 'requirements.txt');
  const made = await ask(url, '/apps', { method: 'POST', body: form });
  const log = await (await ask(url, new URL(made.deploy.log_url), {}, true)).text();
  const { state } = await ask(url, '/apps/running');
  if (state !== 'running') throw new Error(`the app is ${state}:\n${log}`);
}

async function listed(url) {
  const begun = performance.now();
  await Promise.all([1, 2, 3].map((page) => ask(url, `/apps?per_page=100&page=${page}`)));
  return performance.now() - begun;
}

async function ask(url, path, init = {}, raw = false) {
  const answer = await fetch(typeof path === 'string' ? `${url}/api${path}` : path, {
    ...init,
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  if (!answer.ok) throw new Error(`${String(path)}: ${answer.status} ${await answer.text()}`);
  return raw ? answer : answer.json();
}

/** Runs node from its start to its end. */
async function timed(args) {
  const begun = performance.now();
  const output = await run(process.execPath, args);
  return { ms: performance.now() - begun, output };
}

function run(command, args) {
  return runToEnd(command, args, { cwd: work, env });
}
