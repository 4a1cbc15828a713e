// npm run bench -- deploy [rounds]: what a deploy costs over what nobody can save: a push to the same server that deploys
// nothing, pip's own work and Streamlit's own start. All in one run and in turn, since machines are shared and noisy:
// read the ratios.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, setUp } from '../scripts/lib/setup.js';
import { median, runToEnd } from './measure.js';

const TOKEN = 'a-token-for-the-benchmark-only';
const REQUIREMENTS = 'streamlit\n';
/** A project that installs itself, and a wheel that is among its files. */
const OWN_PROJECT =
  '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "own"\nversion = "1"\n';
const OWN_REQUIREMENTS = `-e .\n./wheels/six-1.17.0-py2.py3-none-any.whl\n${REQUIREMENTS}`;
const rounds = Number(process.argv[2] ?? 7);

const { uv } = await setUp({ data: join(ROOT, 'data') });
if (uv === undefined) throw new Error('uv is needed for this benchmark');
const work = await mkdtemp(join(tmpdir(), 'bench-deploy-'));
const cache = join(work, 'uv-cache');
const children = new Set();
/** Where the server is that is measured: its apps outlive it, so it has to be asked to end them. */
let address;
try {
  await measure();
} finally {
  if (address !== undefined) await stopServer(address);
  for (const child of children) child.kill('SIGKILL');
  await rm(work, { recursive: true, force: true });
}

async function measure() {
  const server = await startServer();
  address = server.url;
  const project = await makeProject('app');
  const remote = (id) => `${server.url.replace('http://', `http://x:${TOKEN}@`)}/git/${id}.git`;
  // Fills uv's cache, and makes the app that is pushed to again and again.
  await push(project, remote('warm'));

  const own = await makeProject('own');
  await installItself(own);
  await push(own, remote('own'));

  const bare = await bareRepository();
  const times = {
    'push to a bare folder': [],
    'push that deploys nothing': [],
    'process start to health': [],
    'process start to script run': [],
    'uv pip install': [],
    'first deploy': [],
    'code-only push': [],
    'code-only push with -e .': [],
    'same requirements, new app': [],
    rollback: [],
  };
  const measured = async (name, action) => {
    // What the last measurement set off (old processes that end) is not this one's.
    await settled(server.url);
    const begun = performance.now();
    await action();
    times[name].push(performance.now() - begun);
  };
  for (let round = 0; round < rounds; round += 1) {
    await commit(project, round);
    await measured('push to a bare folder', () => run('git', ['push', '--quiet', bare, 'main'], project));
    // The same commit, to a branch that is stored only: git, HTTP, both hooks and all that the server asks before it stores.
    await measured('push that deploys nothing', () =>
      run('git', ['push', '--quiet', remote('warm'), `main:stored-${round}`], project),
    );
    const environment = join(work, 'bare-environment');
    await rm(environment, { recursive: true, force: true });
    await run(uv, ['venv', '--quiet', environment], work);
    await measured('uv pip install', () =>
      run(
        uv,
        [
          'pip',
          'install',
          '--quiet',
          '--compile-bytecode',
          '--python',
          environment,
          '-r',
          join(project, 'requirements.txt'),
        ],
        work,
      ),
    );
    await commit(project, `code ${round}`);
    await measured('process start to script run', () =>
      startToHealth(environment, project, '/_stcore/script-health-check'),
    );
    await measured('code-only push', () => push(project, remote('warm')));
    await commit(own, `code ${round}`);
    await measured('code-only push with -e .', () => push(own, remote('own')));
    await settled(server.url, 'own');
    await measured('process start to health', () => startToHealth(environment, project));
    await measured('rollback', () => rollback(server.url, 'warm'));
    await measured('same requirements, new app', () => push(project, remote(`same-${round}`)));
    await api(server.url, `same-${round}`);
    // A requirement that only this round has makes an environment of its own; uv's cache is as it was for the bare install.
    await writeFile(
      join(project, 'requirements.txt'),
      `# ${round}\n${REQUIREMENTS}six==1.${17 - (round % 2)}.0 ; python_version >= "3.${round}"\n`,
    );
    await commit(project, `first ${round}`);
    await measured('first deploy', () => push(project, remote(`first-${round}`)));
    await api(server.url, `first-${round}`);
    await writeFile(join(project, 'requirements.txt'), REQUIREMENTS);
    await commit(project, `back ${round}`);
    await push(project, remote('warm'));
  }
  report(Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)])));
}

function report(ms) {
  const [nothing, start, install] = [
    ms['push that deploys nothing'],
    ms['process start to health'],
    ms['uv pip install'],
  ];
  // A push runs the script before it serves, which has to wait for Streamlit's own check of it.
  const run = ms['process start to script run'] - start;
  const floors = {
    'first deploy': install + start,
    'code-only push': nothing + start,
    'code-only push with -e .': nothing + start,
    'same requirements, new app': nothing + start,
    rollback: start,
  };
  console.log(`\nmedian of ${rounds}`);
  for (const [name, value] of Object.entries(ms)) {
    const floor = floors[name];
    const ratio =
      floor === undefined ? '' : `   ${(value / floor).toFixed(2)} x (${floor.toFixed(0)} ms that nobody can save)`;
    const checked =
      floor === undefined || name === 'rollback'
        ? ''
        : `, ${(value / (floor + run)).toFixed(2)} x with the script's run`;
    console.log(`  ${name.padEnd(28)} ${value.toFixed(0).padStart(7)} ms${ratio}${checked}`);
  }
  const own = ms['code-only push with -e .'] / ms['code-only push'];
  console.log(`  with "-e ." and a wheel of the project's, a code-only push takes ${own.toFixed(2)} x`);
}

async function startServer() {
  const data = join(work, 'data');
  await mkdir(data);
  const env = {
    ...process.env,
    PATH: `${join(uv, '..')}:${join(ROOT, 'data/tools/bin')}:${process.env.PATH}`,
    STREAMLIT_HOST_PORT: '0',
    STREAMLIT_HOST_DATA: data,
    STREAMLIT_HOST_TOKEN: TOKEN,
    STREAMLIT_HOST_PICTURES: 'off',
    STREAMLIT_HOST_PREBUILD: 'off',
    REDIS_URL: '',
    UV_CACHE_DIR: cache,
    STREAMLIT_HOST_LOG_LEVEL: 'warn',
  };
  const code = `const { main } = await import(${JSON.stringify(join(ROOT, 'dist/main.js'))}); await main();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: work,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
    const found = /(http:\S+)\/console\/login/.exec(output);
    if (found !== null) return { url: found[1] };
  }
  throw new Error(`the server did not start:\n${output}`);
}

async function makeProject(name) {
  const folder = join(work, name);
  await mkdir(folder);
  await writeFile(join(folder, 'app.py'), 'import streamlit as st\n\nst.write("Hello")\n');
  await writeFile(join(folder, 'requirements.txt'), REQUIREMENTS);
  await run('git', ['init', '--quiet', '--initial-branch', 'main'], folder);
  await commit(folder, 'begin');
  return folder;
}

/** Has a project install itself, with all that it imports, and a wheel that lies in it. */
async function installItself(folder) {
  await mkdir(join(folder, 'src/own'), { recursive: true });
  await mkdir(join(folder, 'wheels'));
  await writeFile(join(folder, 'pyproject.toml'), OWN_PROJECT);
  await writeFile(join(folder, 'src/own/__init__.py'), '');
  await writeFile(join(folder, 'requirements.txt'), OWN_REQUIREMENTS);
  const tools = join(work, 'pip-environment');
  await run(uv, ['venv', '--quiet', '--seed', tools], work);
  const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', join(folder, 'wheels'), 'six==1.17.0'];
  await run(join(tools, 'bin/python'), download, work);
  await commit(folder, 'install itself');
}

async function bareRepository() {
  const folder = join(work, 'bare.git');
  await run('git', ['init', '--quiet', '--bare', '--template=', folder], work);
  await mkdir(join(folder, 'hooks'));
  await writeFile(join(folder, 'hooks/pre-receive'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  return folder;
}

async function commit(folder, round) {
  await writeFile(join(folder, 'app.py'), `import streamlit as st\n\nst.write("Round ${round}")\n`);
  await run('git', ['add', '--all'], folder);
  await run('git', ['commit', '--quiet', '--allow-empty', '-m', `Round ${round}`], folder);
}

function push(folder, remote) {
  return run('git', ['push', '--quiet', remote, 'main'], folder);
}

async function stopServer(url) {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/api/server/stop`, { method: 'POST', headers, body: '{"keep_apps":false}' });
  if (!answer.ok) throw new Error(`the server did not stop: ${answer.status}`);
  await Promise.all(
    [...children].map((child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve))),
  );
}

/** Brings the release before the live one back, and waits until it serves. */
async function rollback(url, app) {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const { release } = await (await fetch(`${url}/api/apps/${app}`, { headers })).json();
  const asked = await fetch(`${url}/api/apps/${app}/rollback`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ release: release - 1 }),
  });
  const { log_url: log } = await asked.json();
  const said = await (await fetch(log, { headers })).text();
  if (!said.includes('"state":"live"')) throw new Error(`the rollback did not go live:\n${said}`);
}

/** Waits until an app has one process, which is live: what came before it has ended. */
async function settled(url, app = 'warm') {
  const headers = { authorization: `Bearer ${TOKEN}` };
  for (;;) {
    const { deploys } = await (await fetch(`${url}/api/apps/${app}/deploys`, { headers })).json();
    if (!deploys.some(({ state }) => state === 'draining')) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Ends an app that was measured, so that the next measurement has the machine to itself. */
async function api(url, app) {
  const answer = await fetch(`${url}/api/apps/${app}?confirm=${app}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  if (!answer.ok) throw new Error(`${app} was not deleted: ${answer.status}`);
}

/** Starts Streamlit as it is. @param then what is asked once it is healthy */
async function startToHealth(environment, project, then) {
  const port = await freePort();
  const [library] = await readdir(join(environment, 'lib'));
  if (library === undefined) throw new Error('the environment is empty');
  const child = spawn(
    join(environment, 'bin/python'),
    [
      '-m',
      'streamlit',
      'run',
      'app.py',
      '--server.port',
      String(port),
      '--server.headless',
      'true',
      '--server.address',
      '127.0.0.1',
      '--browser.gatherUsageStats',
      'false',
      '--server.fileWatcherType',
      'none',
      '--server.scriptHealthCheckEnabled',
      'true',
      '--logger.hideWelcomeMessage',
      'true',
    ],
    { cwd: project, stdio: 'ignore' },
  );
  children.add(child);
  try {
    for (;;) {
      const ok = await fetch(`http://127.0.0.1:${port}/_stcore/health`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ok) {
        if (then !== undefined && !(await fetch(`http://127.0.0.1:${port}${then}`)).ok)
          throw new Error(`${then} is not well`);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    child.kill('SIGKILL');
    children.delete(child);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function run(command, args, cwd) {
  const env = {
    ...process.env,
    UV_CACHE_DIR: cache,
    UV_SYSTEM_CERTS: '1',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
  };
  return runToEnd(command, args, { cwd, env });
}
