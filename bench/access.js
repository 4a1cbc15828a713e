// npm run bench -- access [rounds]: what it costs that the gateway asks who may open an app, with and without rules in turn in one
// run: of a page that it serves itself and of a request that it forwards. Beside requests a second stands the processor time of the
// server for each, which counts, since what else the machine does is not in it. A rule is compared with a public app that the same
// browser asks for, with the same cookie; what a login costs by itself, since apps are told who visits, is the first line of those.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { URLSearchParams } from 'node:url';
import { join } from 'node:path';
import { ROOT, setUp } from '../scripts/lib/setup.js';
import { median } from './measure.js';

const TOKEN = 'a-token-for-the-benchmark-only';
const PASSWORD = 'a password for the benchmark';
/**
 * How many requests are under way at once, and how long one measurement takes, in ms: short, and often, since what a machine does
 * changes from one second to the next. What is compared was measured in the same round.
 */
const AT_ONCE = 16;
const SPAN_MS = 250;
/** How many accounts, roles and share links there are beside those that are asked for. */
const OTHERS = 100;
/** How much slower it may be, in per cent. */
const LIMIT = 5;
const rounds = Number(process.argv[2] ?? 60);

const { uv } = await setUp({ data: join(ROOT, 'data') });
const work = await mkdtemp(join(tmpdir(), 'bench-access-'));
const env = {
  ...process.env,
  PATH: [...(uv === undefined ? [] : [join(uv, '..')]), join(ROOT, 'data/tools/bin'), process.env.PATH].join(':'),
  STREAMLIT_HOST_PORT: '0',
  STREAMLIT_HOST_DATA: join(work, 'data'),
  STREAMLIT_HOST_TOKEN: TOKEN,
  STREAMLIT_HOST_PICTURES: 'off',
  STREAMLIT_HOST_PREBUILD: 'off',
  STREAMLIT_HOST_LOG_LEVEL: 'warn',
  REDIS_URL: '',
  HOME: work,
  UV_CACHE_DIR: join(ROOT, 'data/test-cache'),
};
let server;
try {
  server = await startServer();
  await measure(server.url);
} finally {
  await server?.stop();
  await rm(work, { recursive: true, force: true });
}

async function measure(url) {
  await deploy(url);
  const cookies = await prepare(url);
  const ways = [
    { name: 'public, nobody logged in', opens: 'public', cookie: '' },
    { name: 'public, logged in', opens: 'public', cookie: cookies.session, like: 'public, nobody logged in' },
    { name: 'signed-in', opens: 'signed-in', cookie: cookies.session, like: 'public, logged in', rule: true },
    { name: 'people', opens: 'people', cookie: cookies.session, like: 'public, logged in', rule: true },
    { name: 'public, by a share link', opens: 'public', cookie: cookies.share, like: 'public, nobody logged in' },
    {
      name: 'people, by a share link',
      opens: 'people',
      cookie: cookies.share,
      like: 'public, by a share link',
      rule: true,
    },
  ];
  const paths = { 'a page of the gateway': '/', 'a request to the app': '/_stcore/health' };
  const results = new Map();
  const add = (key, value) => results.set(key, [...(results.get(key) ?? []), value]);
  for (let round = 0; round <= rounds; round += 1) {
    // Another one begins each time, so that none is always the first.
    for (let place = 0; place < ways.length; place += 1) {
      const { name, opens, cookie } = ways[(place + round) % ways.length];
      await ask(url, '/apps/shop/access', { method: 'PATCH', body: { opens } });
      for (const [what, path] of Object.entries(paths)) {
        const before = await processorTime();
        const done = await load(`${url}/apps/shop${path}`, cookie);
        // The first round warms up.
        if (round === 0) continue;
        add(`${what}: ${name}`, {
          perSecond: done / (SPAN_MS / 1_000),
          each: ((await processorTime()) - before) / done,
        });
      }
    }
  }
  console.log(`\n${AT_ONCE} requests at once, ${rounds} rounds of ${SPAN_MS / 1_000} s; medians`);
  let worst = 0;
  for (const what of Object.keys(paths)) {
    const figures = (name, key) => results.get(`${what}: ${name}`).map((one) => one[key]);
    const figure = (name, key) => median(figures(name, key));
    for (const { name, like = name, rule } of ways) {
      const others = figures(like, 'each');
      const more = 100 * (median(figures(name, 'each').map((each, round) => each / others[round])) - 1);
      if (rule) worst = Math.max(worst, more);
      const label = `${what}: ${name}`.padEnd(48);
      const [rate, each] = [figure(name, 'perSecond').toFixed(0), figure(name, 'each').toFixed(0)];
      console.log(
        `  ${label} ${rate.padStart(6)} requests/s ${each.padStart(6)} µs each ${more.toFixed(1).padStart(6)} % more than ${like}`,
      );
    }
  }
  console.log(`  ${worst <= LIMIT ? 'within' : 'above'} the ${LIMIT} % that it may cost`);
}

/** How long (µs) the server's main thread has computed so far: the first figure of schedstat, in ns. */
async function processorTime() {
  return Number((await readFile(`/proc/${server.pid}/schedstat`, 'utf8')).split(' ', 1)[0]) / 1_000;
}

/** @returns how many requests were answered @throws Error where one is refused */
async function load(url, cookie) {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const until = performance.now() + SPAN_MS;
  let done = 0;
  const one = () =>
    new Promise((resolve, reject) => {
      const headers = { accept: 'text/html', ...(cookie === '' ? {} : { cookie }) };
      request(url, { agent, headers }, (answer) => {
        answer.resume();
        answer.once('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))));
      })
        .once('error', reject)
        .end();
    });
  const worker = async () => {
    while (performance.now() < until) {
      await one();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  agent.destroy();
  return done;
}

/** Somebody with a role, a share link, and many others. @returns the cookies of both */
async function prepare(url) {
  for (let number = 0; number < OTHERS; number += 1) {
    const email = `person-${number}@example.com`;
    await ask(url, '/users', { method: 'POST', body: { email, groups: ['sales', `group-${number}`] } });
    await ask(url, `/apps/shop/roles/${email}`, { method: 'PUT', body: { role: 'viewer' } });
  }
  await ask(url, '/users', {
    method: 'POST',
    body: { email: 'ada@example.com', groups: ['north'], password: PASSWORD },
  });
  await ask(url, '/apps/shop/roles/group:north', { method: 'PUT', body: { role: 'viewer' } });
  const session = await sessionOf(url);
  await ask(url, '/apps/shop/access', { method: 'PATCH', body: { opens: 'people' } });
  const { url: link } = await ask(url, '/apps/shop/shares', { method: 'POST', body: { name: 'Client' } });
  const share = await cookieBy(link);
  return { session, share };
}

/** Logs in with a plain request: fetch says of itself that it is a script. */
function sessionOf(url) {
  // As from a browser that was shown the form: the secret of its cookie, and the field that fits.
  const secret = 'a'.repeat(43);
  const csrf = createHmac('sha256', secret).update('form /console/login').digest('base64url');
  const body = new URLSearchParams({ csrf, email: 'ada@example.com', password: PASSWORD }).toString();
  const cookie = `streamlit_host_form=${secret}`;
  const type = 'application/x-www-form-urlencoded';
  const headers = { origin: url, cookie, 'content-type': type, 'content-length': body.length };
  return new Promise((resolve, reject) => {
    request(`${url}/console/login`, { method: 'POST', headers }, (answer) => {
      answer.resume();
      resolve(answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '');
    })
      .once('error', reject)
      .end(body);
  });
}

function cookieBy(link) {
  return new Promise((resolve, reject) => {
    request(link, { headers: { accept: 'text/html' } }, (answer) => {
      answer.resume();
      resolve(answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '');
    })
      .once('error', reject)
      .end();
  });
}

async function deploy(url) {
  const form = new FormData();
  form.append('name', 'Shop');
  form.append('files', new Blob(['import streamlit as st\n\nst.write("Hello")\n']), 'app.py');
  form.append('files', new Blob(['streamlit\n']), 'requirements.txt');
  const headers = { authorization: `Bearer ${TOKEN}` };
  const made = await (await fetch(`${url}/api/apps`, { method: 'POST', body: form, headers })).json();
  const log = await (await fetch(made.deploy.log_url, { headers })).text();
  const { state } = await ask(url, '/apps/shop');
  if (state !== 'running') throw new Error(`the app is ${state}:\n${log}`);
}

async function ask(url, path, { method = 'GET', body } = {}) {
  const answer = await fetch(`${url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
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
    pid: child.pid,
    async stop() {
      await ask(url, '/server/stop', { method: 'POST', body: { keep_apps: false } }).catch(() => child.kill('SIGKILL'));
      await ended;
    },
  };
}
