import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isRunning, startTimeOf } from '../../src/runtime/process/proc.js';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

/** An app that counts the runs of a session, says which process it is, and plays a sound that only this process has. */
const files = (round: number): Record<string, string> => ({
  'requirements.txt': 'streamlit\n',
  'app.py': `import os
import streamlit as st

@st.cache_resource
def me():
    return os.urandom(8).hex()

st.session_state.setdefault("count", 0)
st.session_state.count += 1
st.text(f"count={st.session_state.count}")
st.text("me=" + me())
st.text("round=${round}")
st.audio(bytes(range(256)) * 8 + me().encode(), format="audio/wav")
`,
});

interface Replica {
  replica: number;
  state: string;
  draining: boolean;
  sessions: number;
  pid: number;
  memory_bytes: number | null;
}

let host: TestHost;

beforeAll(async () => void (host = await startHost()));

async function live(id: string, replicas: number): Promise<Project> {
  const project = await Project.create({ ...files(1), 'streamlit-host.toml': `replicas = ${replicas}\n` });
  await pushLive(project, host, id);
  return project;
}

async function replicasOf(id: string): Promise<Replica[]> {
  return ((await host.app(id)).processes ?? []) as Replica[];
}

async function scale(id: string, replicas: number): Promise<Record<string, unknown>> {
  const answer = await host.send('PATCH', `/apps/${id}`, { replicas });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

/** A page as a browser has it: bound to a process by what its HTML says. */
class Tab {
  readonly path: string;
  client: StreamlitClient;
  runs = 0;

  constructor(path: string, client: StreamlitClient) {
    this.path = path;
    this.client = client;
  }

  static async open(id: string): Promise<Tab> {
    const pin = /"\/~([\d-]+)"/.exec(await page(`${host.url}/apps/${id}/`))?.[1] ?? 'no pin';
    const path = `/apps/${id}/~${pin}`;
    const tab = new Tab(path, await StreamlitClient.connect(`${host.url}/apps/${id}/`, { path }));
    onTestFinished(() => tab.client.close());
    await tab.run();
    return tab;
  }

  /** Names the process that ran the script last; a pid would be that of its own namespace. */
  get process(): string {
    return this.client.text('me=');
  }

  async run(): Promise<void> {
    await this.client.run();
    this.runs += 1;
  }

  /** As the page does by itself once its connection is gone: it tries again where the server has not noticed a crash yet. */
  async reconnect(): Promise<void> {
    await this.client.close();
    const { session } = this.client;
    this.client = await until('the page has a connection again', () =>
      StreamlitClient.connect(host.url, { path: this.path, session }).catch(() => undefined),
    );
    onTestFinished(() => this.client.close());
    await this.run();
  }

  /** Uses everything that only its own process can answer, and must come to the same session as before. */
  async mustWork(): Promise<void> {
    await this.run();
    expect(this.client.text('count='), this.path).toBe(String(this.runs));
    expect(await this.upload(), this.path).toBe(204);
    const media = /\/media\/[0-9a-f]+\.wav/.exec(this.client.received.toString('latin1'))?.[0] ?? 'no media';
    const answer = await fetch(`${host.url}${this.path}${media}`, { headers: { range: 'bytes=0-2047' } });
    expect([answer.status, (await answer.arrayBuffer()).byteLength], this.path).toEqual([206, 2048]);
  }

  async upload(): Promise<number | undefined> {
    const health = await fetch(`${host.url}${this.path}/_stcore/health`);
    const xsrf = /_streamlit_xsrf=([^;]+)/.exec(health.headers.get('set-cookie') ?? '')?.[1] ?? '';
    const body = `--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--b--\r\n`;
    const asked = httpRequest(`${host.url}${this.path}/_stcore/upload_file/${this.client.session}/a-file`, {
      method: 'PUT',
      agent: false,
      headers: {
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': body.length,
        cookie: `_streamlit_xsrf=${xsrf}`,
        'x-xsrftoken': xsrf,
      },
    });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  }
}

/** The HTML of a page, as a browser that navigates gets it. */
async function page(url: string): Promise<string> {
  const asked = httpRequest(url, { agent: false, headers: { accept: 'text/html' } });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return text(answer);
}

/** Opens pages one after the other. */
async function open(id: string, count: number): Promise<Tab[]> {
  const tabs: Tab[] = [];
  for (let number = 0; number < count; number += 1) tabs.push(await Tab.open(id));
  return tabs;
}

const processes = (tabs: readonly Tab[]): Set<string> => new Set(tabs.map(({ process }) => process));

describe('replicas', () => {
  it('an app with one process has the addresses, records and answers that apps have always had', async () => {
    const project = await Project.create(files(1));
    await pushLive(project, host, 'single');
    const [tab] = await open('single', 1);
    expect(tab?.path).toBe('/apps/single/~1');
    await tab?.mustWork();
    const meta = await readMeta(host, 'single');
    expect(meta).not.toHaveProperty('replicas');
    expect((meta.processes as object[])[0]).not.toHaveProperty('replica');
    const app = await host.app('single');
    expect(app).not.toHaveProperty('replicas');
    expect(app).not.toHaveProperty('processes');
  });

  it('pages are spread, and each stays with its replica for its session, uploads, media and reconnects', async () => {
    await live('spread', 3);
    const replicas = await replicasOf('spread');
    expect(replicas.map(({ replica, state }) => [replica, state])).toEqual([
      [1, 'ready'],
      [2, 'ready'],
      [3, 'ready'],
    ]);
    const tabs = await open('spread', 6);
    expect(processes(tabs).size).toBe(3);
    expect(tabs.map(({ path }) => path).sort()).toEqual(
      ['', '', '-2', '-2', '-3', '-3'].map((replica) => `/apps/spread/~1${replica}`),
    );
    const before = tabs.map(({ process }) => process);
    for (const tab of tabs) await tab.mustWork();
    for (const tab of tabs) await tab.reconnect();
    for (const tab of tabs) await tab.mustWork();
    expect(tabs.map(({ process }) => process)).toEqual(before);
    const after = await replicasOf('spread');
    expect(after.map(({ sessions }) => sessions)).toEqual([2, 2, 2]);
    for (const { memory_bytes: memory } of after) expect(memory).toBeGreaterThan(10_000_000);
    const app = await host.app('spread');
    expect(app.replicas).toBe(3);
    expect(app.memory_bytes).toBeGreaterThan(3 * 10_000_000);
    // All of them write to one log.
    const log = await readFile(join(host.data, 'apps/spread/run.log'), 'utf8');
    expect(log).toMatch(/^\[.*\] started pid=\d+/m);
    expect(log).toMatch(/^\[.*\] replica 3: started pid=\d+/m);
  });

  it('the pages of a replica that is killed continue on one other replica, and the others do not notice', async () => {
    await live('killed', 3);
    const tabs = await open('killed', 6);
    const lost = tabs.filter(({ path }) => path.endsWith('-2'));
    const others = tabs.filter((tab) => !lost.includes(tab));
    const victim = (await replicasOf('killed')).find(({ replica }) => replica === 2);
    expect([lost.length, others.length]).toEqual([2, 4]);
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await until('their connections are gone', () => lost.every(({ client }) => !client.isOpen));
    for (const tab of lost) {
      tab.runs = 0;
      await tab.reconnect();
      await tab.mustWork();
    }
    expect(processes(lost).size).toBe(1);
    expect([...processes(others)]).toContain(lost[0]?.process);
    // It is replaced, by one that nobody takes for it.
    const replicas = await until('three serve again', async () => {
      const all = await replicasOf('killed');
      return all.length === 3 && all.every(({ state }) => state === 'ready') && all;
    });
    expect(replicas.map(({ replica }) => replica)).toEqual([1, 3, 4]);
    for (const tab of tabs) await tab.mustWork();
    for (const { client } of others) expect(client.isOpen).toBe(true);
    const fresh = await open('killed', 1);
    expect(fresh[0]?.path).toBe('/apps/killed/~1-4');
  });

  it('scaling up and down loses no session and makes no release', async () => {
    await live('scaled', 1);
    const early = await open('scaled', 2);
    expect((await scale('scaled', 3)).replicas).toBe(3);
    const late = await open('scaled', 4);
    expect(processes([...early, ...late]).size).toBe(3);
    for (const tab of [...early, ...late]) await tab.mustWork();
    const down = await scale('scaled', 1);
    expect(down.release).toBe(1);
    expect((await replicasOf('scaled')).map(({ replica, draining }) => [replica, draining])).toEqual([
      [1, false],
      [2, true],
      [3, true],
    ]);
    for (const tab of [...early, ...late]) await tab.mustWork();
    for (const tab of late) await tab.reconnect();
    for (const tab of late) await tab.mustWork();
    // New pages get what stays.
    const [fresh] = await open('scaled', 1);
    expect(fresh?.process).toBe(early[0]?.process);
    expect((await host.app('scaled')).last_deploy).toMatchObject({ release: 1 });
    expect(await readMeta(host, 'scaled')).not.toHaveProperty('replicas');
    const audit = (await (await host.api('/audit?app=scaled')).json()) as { entries: { about?: string }[] };
    expect(audit.entries.map(({ about }) => about)).toEqual(expect.arrayContaining(['3 replicas', '1 replica']));
  });

  it('a replica that is not wanted any more ends once nobody has a page on it', async () => {
    await live('ends', 3);
    const before = await replicasOf('ends');
    const [, , third = 0] = before.map(({ pid }) => pid);
    const identity = { pid: third, startTime: startTimeOf(third) ?? 'gone' };
    await scale('ends', 2);
    await until('the third has ended', () => !isRunning(identity));
    expect((await replicasOf('ends')).map(({ pid }) => pid)).toEqual(before.slice(0, 2).map(({ pid }) => pid));
    // Its number is not given to another one.
    await scale('ends', 3);
    expect((await replicasOf('ends')).map(({ replica }) => replica)).toEqual([1, 2, 4]);
  });

  it('a deploy starts all replicas before it switches, and drains all of the old release', async () => {
    const project = await live('deployed', 2);
    const tabs = await open('deployed', 4);
    await project.commit(files(2), 'Second');
    const pushed = await project.git('push', host.remote('deployed'), 'main');
    expect(pushed.code, pushed.output).toBe(0);
    expect(pushed.output.match(/The script ran without an exception/g)).toHaveLength(1);
    expect(pushed.output).toContain('All 2 replicas started');
    for (const tab of tabs) {
      await tab.mustWork();
      expect(tab.client.text('round=')).toBe('1');
    }
    const fresh = await open('deployed', 2);
    expect(fresh.map(({ path }) => path).sort()).toEqual(['/apps/deployed/~2', '/apps/deployed/~2-2']);
    for (const tab of fresh) expect(tab.client.text('round=')).toBe('2');
    const deploy = (await (await host.api('/apps/deployed/deploys/1')).json()) as object;
    expect(deploy).toMatchObject({ state: 'draining', open_pages: 4 });
  });

  it('a preview has one process', async () => {
    const project = await live('several', 2);
    expect((await host.send('PATCH', '/apps/several', { previews_on: true })).status).toBe(200);
    await project.git('checkout', '--quiet', '-b', 'idea');
    const pushed = await project.git('push', host.remote('several'), 'idea');
    expect(pushed.code, pushed.output).toBe(0);
    expect(await host.app('several--idea')).toMatchObject({ state: 'running' });
    expect(await readMeta(host, 'several--idea')).not.toHaveProperty('replicas');
    expect((await readMeta(host, 'several--idea')).processes).toHaveLength(1);
  });

  it('all replicas sleep, and all wake', async () => {
    await live('tired', 2);
    await host.send('POST', '/apps/tired/sleep', {});
    expect(await replicasOf('tired')).toEqual([]);
    const [tab] = await open('tired', 1);
    await tab?.mustWork();
    await until(
      'both serve',
      async () => (await replicasOf('tired')).filter(({ state }) => state === 'ready').length === 2,
    );
    await host.send('POST', '/apps/tired/restart', {});
    expect((await replicasOf('tired')).map(({ replica, state }) => [replica, state])).toEqual([
      [1, 'ready'],
      [2, 'ready'],
    ]);
  });

  it('the API refuses numbers that make no sense, and replicas that do not start change nothing', async () => {
    for (const replicas of [0, 17, 1.5, '3']) {
      const answer = await host.send('PATCH', '/apps/single', { replicas });
      expect([answer.status, await answer.text()]).toEqual([422, expect.stringContaining('from 1 to 16')]);
    }
    expect(await host.app('single')).not.toHaveProperty('replicas');
  });
});

it('a server that is killed leaves all replicas, and the next one adopts them with their pages', async () => {
  const first = await startHost();
  host = first;
  await live('adopted', 3);
  const tabs = await open('adopted', 6);
  const before = await replicasOf('adopted');
  await scale('adopted', 2);
  await first.signal('SIGKILL');
  for (const { pid } of before) expect(isRunning({ pid, startTime: startTimeOf(pid) ?? 'gone' })).toBe(true);
  host = await startHost({ data: first.data });
  const after = await until('they are adopted', async () => {
    const all = await replicasOf('adopted');
    return all.length === 3 && all;
  });
  expect(after.map(({ pid, draining }) => [pid, draining])).toEqual(before.map(({ pid }, at) => [pid, at === 2]));
  for (const tab of tabs) {
    await tab.reconnect();
    await tab.mustWork();
  }
});
