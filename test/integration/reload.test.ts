import { cp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { readMeta, ROOT, SHARED, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Project, run } from '../helpers/project.js';
import { pushLive, startPush } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

const SESSIONS = 20;
/** 20 requests a second. */
const PAUSE_MS = 50;

const app = (round: number, start = ''): string => `
import streamlit as st
${start}
st.session_state.setdefault("count", 0)
st.session_state.count += 1
st.text("round=${round}")
st.text(f"count={st.session_state.count}")
`;

/** The process that serves now. */
async function serving(host: TestHost): Promise<number> {
  return (JSON.parse(await readFile(join(host.data, 'run/server.json'), 'utf8')) as { pid: number }).pid;
}

describe('reload', () => {
  let host: TestHost;
  let project: Project;

  beforeAll(async () => {
    host = await startHost();
    project = await Project.create({ 'app.py': app(0), 'requirements.txt': 'streamlit\n' });
    await pushLive(project, host, 'load');
  });

  it(
    'fails no request, closes no page, and ends a push in progress with its result',
    { timeout: 300_000 },
    async () => {
      const url = `${host.url}/apps/load/`;
      const before = (await readMeta(host, 'load')) as { processes: { pid: number }[] };
      const pages = await Promise.all(Array.from({ length: SESSIONS }, () => StreamlitClient.connect(url)));
      for (const [place, page] of pages.entries()) {
        await page.run();
        expect(page.text('count='), `page ${place}`).toBe('1');
      }

      const failures: string[] = [];
      let asked = 0;
      let over = false;
      // One kept connection each, as those of a proxy: none may be closed under a request.
      const ask = async (path: string): Promise<void> => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        while (!over) {
          asked += 1;
          const status = await get(agent, `${host.url}${path}`).catch((error: unknown) => String(error));
          if (status !== 200) failures.push(`${path}: ${status}`);
          await new Promise((resolve) => setTimeout(resolve, 2 * PAUSE_MS));
        }
        agent.destroy();
      };
      const asking = ['/apps/load/', '/apps/load/_stcore/health', '/healthz', '/'].map(ask);

      // The push is under way for as long as its script waits for a file.
      const go = join(SHARED, 'reload-go');
      await rm(go, { force: true });
      const wait = `import os, time\nwhile not os.path.exists(${JSON.stringify(go)}): time.sleep(0.05)`;
      await project.commit({ 'app.py': app(1, wait) }, 'Second');
      const pushing = startPush(project, host, 'load');
      await pushing.says('healthy after');

      let middle = 0;
      // The second time, an earlier server still passes on the pages and the push.
      for (const round of [1, 2]) {
        const old = await serving(host);
        const answer = await host.send('POST', '/server/reload', { wait_seconds: 1 });
        expect(await answer.text(), host.output).toContain('"reloaded":true');
        middle = old;
        const now = await serving(host);
        expect(now).not.toBe(old);
        // The next server can start as soon as this one has stopped, whatever an earlier one still passes on.
        expect([await hasLock(old), await hasLock(now)]).toEqual([false, true]);
        for (const page of pages) await page.run();
        expect(pages.filter((page) => page.isOpen && page.text('count=') === String(round + 1))).toHaveLength(SESSIONS);
        expect(pushing.running).toBe(true);
      }
      await writeFile(go, '');
      const pushed = await pushing.done;
      expect(pushed.output).toContain('load is live');
      expect(pushed.code).toBe(0);
      for (const page of pages) {
        await page.run();
        expect(page.isOpen).toBe(true);
        expect(page.text('count=')).toBe('4');
        expect(page.text('round=')).toBe('0');
      }
      over = true;
      await Promise.all(asking);
      expect(failures).toEqual([]);
      expect(asked).toBeGreaterThan(40);

      // The new server knows of the pages that earlier ones pass on.
      const { releases } = (await readMeta(host, 'load')) as { releases: { number: number; state: string }[] };
      expect(releases.find(({ number }) => number === 1)?.state).toBe('draining');
      // On a connection of its own each time: one that is kept would keep an earlier server.
      const openPages = async (): Promise<number | undefined> => {
        const { deploys } = (await (
          await host.api('/apps/load/deploys', { headers: { connection: 'close' } })
        ).json()) as {
          deploys: { release: number; open_pages: number }[];
        };
        return deploys.find(({ release }) => release === 1)?.open_pages;
      };
      expect(await openPages()).toBe(SESSIONS);
      const after = (await readMeta(host, 'load')) as { processes: { pid: number }[] };
      expect(after.processes.map(({ pid }) => pid)).toContain(before.processes[0]?.pid);
      for (const page of pages) page.socket.close();
      await until('no page is open', async () => (await openPages()) === 0, 15_000);
      // What ended in an earlier server is in the one log, whose chain is whole.
      const found = await host.api('/audit?limit=1000', { headers: { connection: 'close' } });
      const { entries } = (await found.json()) as { entries: { what: string; result: string }[] };
      const done = entries.map(({ what, result }) => `${what} ${result}`);
      expect(done.filter((one) => one === 'POST /server/reload ok')).toHaveLength(2);
      expect(done.filter((one) => one === 'push ok')).toHaveLength(2);
      const verified = await host.api('/audit/verify', { headers: { connection: 'close' } });
      expect(await verified.json()).toMatchObject({ ok: true, entries: entries.length });
      // The first process stays for whoever started it; all others end.
      await until('the middle server ends', () => !isRunning(middle), 15_000);
      expect(isRunning(host.pid)).toBe(true);
    },
  );
});

describe('a reload with a version that does not work', () => {
  let host: TestHost;
  let program: string;
  let page: StreamlitClient;

  /** Reloads with a program that is changed in this way for as long as it takes. */
  async function reloadWith(breaks: (text: string) => string): Promise<Response> {
    const main = join(program, 'dist/parts/run.js');
    const works = await readFile(main, 'utf8');
    const broken = breaks(works);
    expect(broken).not.toBe(works);
    await writeFile(main, broken);
    return host.send('POST', '/server/reload', {}).finally(() => writeFile(main, works));
  }

  beforeAll(async () => {
    program = await scratch('program-');
    for (const name of ['dist', 'scripts', 'package.json', 'public', 'templates', 'python', 'hooks', 'examples'])
      await cp(join(ROOT, name), join(program, name), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(program, 'node_modules'));
    host = await startHost({ program });
    await pushLive(await Project.create({ 'app.py': app(0), 'requirements.txt': 'streamlit\n' }), host, 'stays');
    page = await StreamlitClient.connect(`${host.url}/apps/stays/`);
    await page.run();
  });

  it.each([
    ['cannot be loaded', (text: string) => `throw new Error('a broken version');\n${text}`, 'a broken version'],
    ['ends after it has taken over', endsLate(''), 'exit code 3'],
  ])('says why and keeps serving where it %s', async (_, breaks, why) => {
    const pid = await serving(host);
    const answer = await reloadWith(breaks);
    expect(answer.status).toBe(503);
    const problem = (await answer.json()) as { code: string; detail: string };
    expect(problem.code).toBe('reload-failed');
    expect(problem.detail).toContain(why);

    expect(isRunning(pid)).toBe(true);
    await page.run();
    expect(page.isOpen).toBe(true);
    const project = await Project.create({ 'app.py': app(1), 'requirements.txt': 'streamlit\n' });
    await pushLive(project, host, `after-${pid}-${why.length}`);
    const record = (await readMeta(host, 'stays')) as { processes: unknown[] };
    expect(record.processes).toHaveLength(1);
    // The reload itself came in before the log was handed over, and ended after it was taken back.
    const { entries } = (await (await host.api('/audit?q=reload-failed')).json()) as { entries: object[] };
    expect(entries[0]).toMatchObject({ what: 'POST /server/reload', result: 'refused', code: 'reload-failed' });
    expect(await (await host.api('/audit/verify')).json()).toMatchObject({ ok: true });
  });

  it('works once the version does', async () => {
    const pid = await serving(host);
    const env = { STREAMLIT_HOST_DATA: host.data, STREAMLIT_HOST_TOKEN: TOKEN, STREAMLIT_HOST_URL: '' };
    const { code, output } = await run(
      process.execPath,
      [join(program, 'scripts/streamlit-host.js'), 'reload'],
      ROOT,
      env,
    );
    const now = await serving(host);
    expect(output).toContain(`The server with pid ${now} has taken over.`);
    expect(code).toBe(0);
    expect(now).not.toBe(pid);
    await page.run();
    expect(page.text('count=')).toBe('4');
    page.socket.close();
    await pushLive(await Project.create({ 'app.py': app(2), 'requirements.txt': 'streamlit\n' }), host, 'after-all');
    // A service manager knows the first process only, which outlives a reload that fails.
    expect((await reloadWith(endsLate(''))).status).toBe(503);
    expect(await serving(host)).toBe(now);
    expect(await host.signal('SIGTERM')).toBe(0);
    expect(isRunning(now)).toBe(false);
    // Its apps have gone on.
    host = await startHost({ program, data: host.data });
  });

  it('ends the server, for its service manager to start it again, where the old one cannot continue', async () => {
    const socket = join(host.data, 'run/hooks.sock');
    // No name can be moved to where a folder is.
    const spoils = `await import('node:fs').then((fs) => { fs.rmSync(${JSON.stringify(socket)}); fs.mkdirSync(${JSON.stringify(socket)}); });`;
    await expect(reloadWith(endsLate(spoils))).rejects.toThrow('fetch failed');
    expect(await host.signal('SIGTERM')).toBe(1);
    expect(host.output).toContain('The old server could not resume either');
    await rm(socket, { recursive: true });
    // Its apps have gone on, and end with the next server.
    await startHost({ program, data: host.data });
  });
});

/** A version that ends after it has taken over. @param first what it does before */
function endsLate(first: string): (text: string) => string {
  return (text) => text.replace('await predecessor.serving(', `${first}\nprocess.exit(3);\n$&`);
}

/** Returns whether a process holds a lock of a data folder. */
async function hasLock(pid: number): Promise<boolean> {
  const sockets = (await readFile('/proc/net/unix', 'utf8'))
    .split('\n')
    .filter((line) => line.includes('@streamlit-host/'));
  const locks = new Set(sockets.map((line) => `socket:[${line.trim().split(/\s+/)[6]}]`));
  const folder = `/proc/${pid}/fd`;
  const open = await Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => '')));
  return open.some((one) => locks.has(one));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** @returns the status */
async function get(agent: Agent, url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}
