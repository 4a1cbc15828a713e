import { readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { below, fileApp, freePorts, Installation } from '../helpers/installation.js';
import { Project, textApp } from '../helpers/project.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

interface Refreshed {
  notes: string[];
  apps: { app: string; outcome: string; sentence: string }[];
}

interface AppAnswer {
  state: string;
  pid: number | null;
  port: number | null;
  release: number | null;
  folder: string | null;
  last_deploy: { state: string; reason: string | null; by: string } | null;
}

// One old installation and one server that takes it over live through all of it.
let old: Installation;
let ours: Installation;
let host: TestHost;
let ports: number[];
let busy: Server;

beforeAll(async () => {
  [old, ours, ports] = [await Installation.create(), await Installation.create(), await freePorts(3)];
  await ours.write(below('apps/plain', fileApp('the plain one')));
  host = await startHost({ env: ours.env });
});

afterAll(async () => {
  busy?.close();
  await host?.stop();
  await old?.remove();
  await ours?.remove();
});

async function post(path: string, body?: object): Promise<{ status: number; json: Refreshed & { detail?: string; code?: string } }> {
  const answer = await host.api(path, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: answer.status, json: (await answer.json()) as Refreshed & { detail?: string } };
}

async function refresh(): Promise<Refreshed> {
  return (await post('/refresh')).json;
}

async function app(id: string): Promise<AppAnswer> {
  return (await host.app(id)) as unknown as AppAnswer;
}

async function running(id: string): Promise<AppAnswer> {
  return until(`${id} runs`, async () => {
    const answer = await app(id);
    return answer.state === 'running' && answer;
  });
}

async function page(id: string, open?: { session: string; path: string }): Promise<StreamlitClient> {
  return StreamlitClient.connect(`${host.url}/apps/${id}/`, open ?? {});
}

/** What a new visitor sees. */
async function shown(id: string): Promise<string> {
  const client = await page(id);
  try {
    return (await client.run()).join('\n');
  } finally {
    await client.close();
  }
}

describe('a folder of apps', () => {
  it('is found at the start: what lies in it is in config.json, runs in place, and has its address', async () => {
    const { pid, port, folder } = await running('plain');
    const { apps } = await ours.config();
    expect(apps.plain).toEqual({ name: 'plain', url: '/plain/', dir: 'apps/plain', port, description: '', restart_on_crash: true });
    expect(folder).toBe(ours.path('apps/plain'));
    expect(await readlink(`/proc/${pid}/cwd`)).toBe(ours.path('apps/plain'));
    expect(await shown('plain')).toContain('the plain one');
    const moved = await fetch(`${host.url}/plain/page?a=1`, { redirect: 'manual' });
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/apps/plain/page?a=1']);
  });
});
