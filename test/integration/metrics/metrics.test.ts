import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { ErrorsAnswer } from '../../../src/web/api/errors.js';
import type { MetricsAnswer, UsageAnswer } from '../../../src/web/api/metrics.js';
import { endWithFile, scratch } from '../../helpers/ends.js';
import { startHost, until, type TestHost } from '../../helpers/host.js';
import { Person } from '../../helpers/person.js';
import { Project } from '../../helpers/project.js';
import { pushLive, visit } from '../../helpers/pushing.js';
import { ask } from '../../helpers/web.js';
import { StreamlitClient } from '../../helpers/streamlit-client.js';
import { OPENED } from '../../helpers/forms.js';

// What happens on a server is found again in its metrics: in the API, the command line and after a restart.

const SECRET = 'a-value-that-nobody-may-see';
/** Raises an exception for whoever comes once there is a file. */
const SCRIPT = `import os
import streamlit as st

def load():
    raise ValueError("no data for " + os.environ["API_KEY"])

if os.path.exists(os.path.join(os.environ["STREAMLIT_HOST_STORAGE"], "fail")):
    load()
st.write("measured")
`;
/** Two pages, of which one takes its time. */
const PAGES = `import time
import streamlit as st

def home():
    st.text("home")

def sales():
    time.sleep(0.3)
    st.text("sales")

st.navigation([st.Page(home, default=True), st.Page(sales, url_path="sales")]).run()
`;
const METRICS_TOKEN = 'the-token-of-prometheus';

let host: TestHost;
let client: StreamlitClient;
/** Of the console. */
let cookie: string;

beforeAll(async () => {
  host = await startHost({ env: { STREAMLIT_HOST_METRICS_TOKEN: METRICS_TOKEN } });
  cookie = (await ask(host.loginUrl, { headers: OPENED })).headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  await host.send('POST', '/apps', { name: 'Shop' });
  await host.send('PATCH', '/apps/shop/config', { vars: { API_KEY: SECRET } });
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': SCRIPT }), host, 'shop');
  await visit(host, 'shop');
  await host.send('POST', '/apps/shop/sleep', {});
  // The visit wakes it.
  client = await StreamlitClient.connect(`${host.url}/apps/shop/`);
  await client.run();
});

async function metrics(from = host): Promise<MetricsAnswer> {
  return (await (await from.api('/apps/shop/metrics?range=hour')).json()) as MetricsAnswer;
}

/** A figure is measured every ten seconds. */
const LIMIT_MS = 40_000;

test('deploys, wakes, pages, visitors, requests, memory and CPU are measured', async () => {
  const { total, series, releases } = await until(
    'the figures of two spans',
    async () => {
      const found = await metrics();
      return (
        found.total.wakes > 0 &&
        found.total.log_bytes !== null &&
        found.series.cpu.filter((share) => share !== null).length > 1 &&
        found
      );
    },
    LIMIT_MS,
  );
  expect(total).toMatchObject({ deploys: 1, failed_deploys: 0, wakes: 1, visitors: 1, restarts: 0 });
  expect(total.sessions).toBeGreaterThanOrEqual(2);
  expect(total.requests).toBeGreaterThan(0);
  expect(total.wake_ms).toBeGreaterThan(50);
  expect(total.memory_max_bytes).toBeGreaterThan(20_000_000);
  expect(total.bytes_out).toBeGreaterThan(500);
  expect(Math.max(...series.open_pages.map(Number))).toBeGreaterThanOrEqual(1);
  expect(total.open_files_max).toBeGreaterThan(5);
  expect(total.log_bytes).toBeGreaterThan(0);
  expect(total.storage_bytes).toBeLessThan(1_000_000);
  expect(releases.map(({ release }) => release)).toEqual([1]);
});

test('the command line prints the same', async () => {
  const person = await Person.of(host);
  const shown = await person.run(['metrics', 'shop', '--range', 'hour']);
  expect(shown.stdout).toMatch(
    /^shop, last hour: 1 visitor, \d pages opened \(.+ each\), \d+ requests?\n2 script runs, .+\n\nRELEASE +RAN +CPU/,
  );
  const top = await person.run(['top']);
  expect(top.stdout).toMatch(
    /^CPU [\d.]+% of \d+ cores, load [\s\S]*\n *[\d.]+% +\d+ MB +1 +[\d.]+ +\d+ +\d+ +[\d.]+ [kM]B +running +shop\n$/,
  );
  const usage = JSON.parse((await person.run(['top', '--json'])).stdout) as UsageAnswer;
  expect(usage.box?.memory_total_bytes).toBeGreaterThan(1e8);
  expect(usage.box?.redis_ms).toBeGreaterThan(0);
});

test('Prometheus reads the same with its own token', async () => {
  const scrape = (headers: Record<string, string>): Promise<Response> => fetch(`${host.url}/metrics`, { headers });
  expect((await scrape({})).status).toBe(401);
  const text = await (await scrape({ authorization: `Bearer ${METRICS_TOKEN}` })).text();
  const { total } = await metrics();
  for (const [name, value] of [
    ['up', 1],
    ['release', 1],
    ['wakes_total', total.wakes],
    ['visitors_total', total.visitors],
  ] as const)
    expect(text).toContain(`streamlit_host_app_${name}{app="shop"} ${value}\n`);
  expect(text).toContain('streamlit_host_app_deploys_total{app="shop",result="live"} 1\n');
});

test('views of pages and runs of the script are the same in the API, the command line, the console and Prometheus', async () => {
  await host.send('POST', '/apps', { name: 'Book' });
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': PAGES }), host, 'book');
  const visitor = await StreamlitClient.connect(`${host.url}/apps/book/`);
  expect(await visitor.run()).toEqual(['home']);
  // Twice on the same page is one view.
  expect(await visitor.run('', { page: 'sales' })).toEqual(['sales']);
  expect(await visitor.run('', { page: 'sales' })).toEqual(['sales']);
  expect(await visitor.run()).toEqual(['home']);
  await visitor.close();
  const { pages, total } = await until(
    'four runs',
    async () => {
      const found = (await (await host.api('/apps/book/metrics?range=hour')).json()) as MetricsAnswer;
      return found.total.runs === 4 && found;
    },
    LIMIT_MS,
  );
  expect(pages).toMatchObject([
    { page: '/', views: 2, runs: 2 },
    { page: '/sales', views: 1, runs: 2 },
  ]);
  expect(pages[1]?.run_ms).toBeGreaterThan(300);
  expect(total).toMatchObject({ page_views: 3, messages_in: 4 });
  expect(total.run_max_ms).toBeGreaterThanOrEqual(pages[1]?.run_ms ?? Infinity);
  expect(total.messages_out).toBeGreaterThan(8);
  const { stdout } = await (await Person.of(host)).run(['metrics', 'book', '--range', 'hour']);
  expect(stdout).toMatch(/\n4 script runs, .+ on average, .+ at most\n/);
  expect(stdout).toMatch(/\nVIEWS +RUNS +AVERAGE +PAGE\n +2 +2 +\d+ ms +\/\n +1 +2 +\d+ ms +\/sales\n$/);
  const page = await ask(`${host.url}/console/apps/book/metrics?range=hour`, { headers: { cookie } });
  expect(page.text).toMatch(/<th scope="row">\/sales<\/th><td>1<\/td><td>2<\/td><td>\d+ ms<\/td>/);
  const scraped = await fetch(`${host.url}/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
  const text = await scraped.text();
  expect(text).toContain('streamlit_host_app_page_views_total{app="book",page="/sales"} 1\n');
  expect(text).toContain('streamlit_host_app_script_runs_total{app="book"} 4\n');
  expect(text).toContain('streamlit_host_app_websocket_messages_total{app="book",direction="in"} 4\n');
});

const promtool = await promisify(execFile)('promtool', ['--version']).then(
  () => true,
  () => false, // It comes with Debian's package prometheus.
);

test.skipIf(!promtool)("Debian's Prometheus scrapes it and finds no fault (needs the package prometheus)", async () => {
  const folder = await scratch('prometheus-');
  const text = await (
    await fetch(`${host.url}/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } })
  ).text();
  const checked = promisify(execFile)('promtool', ['check', 'metrics']);
  checked.child.stdin?.end(text);
  expect(await checked).toMatchObject({ stdout: '', stderr: '' });
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [
      {
        job_name: 'streamlit-host',
        authorization: { credentials: METRICS_TOKEN },
        static_configs: [{ targets: [new URL(host.url).host] }],
      },
    ],
  };
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const port = await freePort();
  const argv = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  const prometheus = spawn('prometheus', [...argv, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
  endWithFile(() => prometheus.kill('SIGKILL'));
  const query = `http://127.0.0.1:${port}/api/v1/query?query=streamlit_host_app_up{app="shop"}`;
  const found = await until(
    'the metrics in Prometheus',
    async () => {
      const answer = await fetch(query).catch(() => undefined); // It has just been started.
      const body = (await answer?.json().catch(() => undefined)) as Found | undefined;
      return body?.data?.result.length === 1 && body.data.result[0];
    },
    LIMIT_MS,
  );
  expect(found).toMatchObject({ metric: { app: 'shop', job: 'streamlit-host' }, value: [expect.any(Number), '1'] });
  prometheus.kill('SIGKILL');
});

/** What Prometheus answers to a query. */
interface Found {
  data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('exceptions are found in the API, on the command line and in the console, without secrets', async () => {
  await writeFile(join(host.data, 'apps/shop/storage/fail'), '');
  for (const _ of [1, 2]) {
    const visitor = await StreamlitClient.connect(`${host.url}/apps/shop/`);
    await visitor.run();
    await visitor.close();
  }
  const { errors } = await until(
    'both exceptions',
    async () => {
      const found = (await (await host.api('/apps/shop/errors')).json()) as ErrorsAnswer;
      return found.errors[0]?.count === 2 && found;
    },
    LIMIT_MS,
  );
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ type: 'ValueError', file: 'app.py', line: 5, function: 'load', first_release: 1 });
  expect(errors[0]?.traceback).toContain('  File "app.py", line 8, in <module>');
  const { stdout } = await (await Person.of(host)).run(['errors', 'shop']);
  expect(stdout).toMatch(/^COUNT +LAST SEEN .*\n +2 +\d+s ago +\d+s ago +1 +app\.py:5 +ValueError: no data for /);
  const page = await ask(`${host.url}/console/apps/shop/errors`, { headers: { cookie } });
  expect(page.text).toContain('New in this release');
  for (const text of [JSON.stringify(errors), stdout, page.text]) expect(text).not.toContain(SECRET);
});

test('the console, the API, the command line and Prometheus have the same figures', async () => {
  const person = await Person.of(host);
  /** What each of them says of the same events, by the names of the API. */
  const everywhere = async () => {
    const { total } = await metrics();
    const { wakes, visitors, exceptions, restarts, sessions } = total;
    const cli = JSON.parse(
      (await person.run(['metrics', 'shop', '--range', 'hour', '--json'])).stdout,
    ) as MetricsAnswer;
    const { text } = await ask(`${host.url}/console/apps/shop/metrics?range=hour`, { headers: { cookie } });
    const tile = (label: string): string =>
      new RegExp(`<dt>${label}</dt><dd>([^<]*)(?:<small>([^<]*))?`).exec(text)?.slice(1).join('') ?? '';
    const scraped = await fetch(`${host.url}/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
    const lines = await scraped.text();
    const series = (name: string): number =>
      Number(new RegExp(`^streamlit_host_app_${name}\\{app="shop"\\} (\\d+)$`, 'm').exec(lines)?.[1]);
    return {
      api: { wakes, visitors, exceptions, restarts, sessions },
      cli: cli.total,
      console: {
        wakes: parseInt(tile('Wakes'), 10),
        visitors: parseInt(tile('Visitors'), 10),
        exceptions: parseInt(tile('Exceptions'), 10),
        restarts: parseInt(tile('Restarts'), 10),
        sessions: Number(/ (\d+) pages opened/.exec(tile('Visitors'))?.[1]),
      },
      prometheus: {
        wakes: series('wakes_total'),
        visitors: series('visitors_total'),
        exceptions: series('exceptions_total'),
        restarts: series('restarts_total'),
        sessions: series('sessions_total'),
      },
    };
  };
  // What happened last is counted with the next span, and each of them is asked at another moment.
  await until('the exceptions in all figures', async () => (await metrics()).total.exceptions === 2, LIMIT_MS);
  const { api, cli, console: shown, prometheus } = await everywhere();
  expect(api).toMatchObject({ wakes: 1, exceptions: 2, restarts: 0 });
  expect(cli).toMatchObject(api);
  expect(shown).toEqual(api);
  expect(prometheus).toEqual(api);
});

test("another server continues them, and recognises today's visitors", async () => {
  await client.close();
  const before = await until(
    'the page that was closed',
    async () => {
      const { total } = await metrics();
      return total.session_ms !== null && total.session_ms > 5_000 && total;
    },
    LIMIT_MS,
  );
  await host.stop({ keepData: true, keepApps: true });
  const next = await startHost({ data: host.data });
  const after = await metrics(next);
  expect(after.total.deploys).toBe(1);
  expect(after.total.requests).toBeGreaterThanOrEqual(before.requests);
  const again = await StreamlitClient.connect(`${next.url}/apps/shop/`);
  await again.run();
  const { total } = await until(
    'the next page',
    async () => {
      const found = await metrics(next);
      return found.total.sessions > before.sessions && found;
    },
    LIMIT_MS,
  );
  expect(total.visitors).toBe(1);
  expect(next.output).not.toContain('etrics');
  await again.close();
});
