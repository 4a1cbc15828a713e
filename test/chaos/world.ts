import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { endWithFile } from '../helpers/ends.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { Disk } from './disk.js';
import { APPS, type AppName } from './plan.js';

/** For how long the state of a page that lost its connection is kept, in s. */
export const TTL_S = 5;
const SETTINGS = {
  STREAMLIT_HOST_SESSION_TTL_SECONDS: String(TTL_S),
  STREAMLIT_HOST_DISK_FLOOR_MB: '0',
  // Why an app did not respond is worth knowing here.
  STREAMLIT_HOST_LOG_LEVEL: 'debug',
  // What builds download is kept on the run's own disk, so that it can be linked.
  UV_CACHE_DIR: undefined,
};

/** What a pusher sent, and was told. */
export interface Sent {
  app: AppName;
  commit: string;
  /** Undefined while it waits. */
  told: { code: number; output: string } | undefined;
  /** True where the branch was deleted afterwards, and its preview with it. */
  deleted: boolean;
}

/** An app of a run, with its pusher's repository and a page that stays open. */
export interface ChaosApp {
  id: AppName;
  project: Project;
  branch: string;
  /** Counts what was pushed, so that each version shows another text. */
  version: number;
  wanted: 'running' | 'stopped' | 'gone';
  page: Page | undefined;
}

/** A page: it must keep its counter as long as the process behind it lives. */
export interface Page {
  client: StreamlitClient;
  release: number;
  pid: number;
  count: number;
  /** When it lost its connection, in ms since 1970. */
  lostAt: number;
}

/** Everything that a run's rounds share. */
export class World {
  host: TestHost;
  readonly disk: Disk | undefined;
  readonly data: string;
  /** What the marks of this data folder's processes begin with. */
  readonly mark: string;
  readonly apps = new Map<AppName, ChaosApp>();
  /** What this round's pushers sent. */
  sent: Sent[] = [];
  /** How long each kind of activity took last, in ms. */
  readonly usual = new Map<string, number>();

  /** What those servers of the round have logged that are gone, and how much of the current one's log is older. */
  #earlier = '';
  #logged = 0;

  private constructor(host: TestHost, disk: Disk | undefined, mark: string) {
    this.host = host;
    this.data = host.data;
    this.disk = disk;
    this.mark = mark;
  }

  static async create(): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'chaos-'));
    const disk = await Disk.mount(folder);
    endWithFile(async () => {
      await disk?.unmount();
      await rm(folder, { recursive: true, force: true });
    });
    const data = join(folder, 'data');
    await lend(data);
    const host = await startHost({ data, env: SETTINGS });
    const mark = createHash('sha256')
      .update(await realpath(data))
      .digest('hex')
      .slice(0, 16);
    const world = new World(host, disk, mark);
    for (const id of APPS) {
      const project = await Project.create(files(id, 0));
      const app: ChaosApp = {
        id,
        project,
        branch: 'main',
        version: 0,
        wanted: 'running',
        page: undefined,
      };
      world.apps.set(id, app);
      await pushLive(project, host, id);
    }
    return world;
  }

  app(id: AppName): ChaosApp {
    const app = this.apps.get(id);
    if (app === undefined) throw new Error(`there is no ${id}`);
    return app;
  }

  /** Starts a server on the same data folder. */
  async restart(): Promise<void> {
    this.#earlier += this.host.output.slice(this.#logged);
    this.#logged = 0;
    this.host = await startHost({ data: this.data, env: SETTINGS });
  }

  /** Begins a round: nobody has sent anything in it. */
  begin(): void {
    this.sent = [];
    this.#earlier = '';
    this.#logged = this.host.output.length;
  }

  /** What this round's servers have logged, each of them. */
  get log(): string {
    return this.#earlier + this.host.output.slice(this.#logged);
  }

  /** Stops the server, whose apps go on, and starts another. */
  async replace(): Promise<void> {
    await this.host.signal('SIGTERM');
    await this.restart();
  }

  /** The server's processes: the one that was started and, after a reload, the one that has taken over. */
  async servers(): Promise<number[]> {
    const record = await readFile(join(this.data, 'run/server.json'), 'utf8');
    return [this.host.pid, (JSON.parse(record) as { pid: number }).pid];
  }

  /** Asks again for what a fault has kept from being asked for: that all apps run, and were pushed. */
  async keepWanted(): Promise<void> {
    for (const app of this.apps.values()) {
      app.wanted = 'running';
      const { status } = await this.host.api(`/apps/${app.id}`);
      const known = status === 404 ? {} : await this.host.app(app.id);
      if (typeof known.deploy_branch === 'string') app.branch = known.deploy_branch;
      if (typeof known.release === 'number') {
        await this.host.api(`/apps/${app.id}/start`, { method: 'POST' });
        continue;
      }
      app.version += 1;
      await app.project.commit(files(app.id, app.version), `Version ${app.version}`);
      await pushLive(app.project, this.host, app.id, `+HEAD:refs/heads/${app.branch}`);
    }
  }

  /** A page on the live release of an app. */
  async openPage(app: ChaosApp): Promise<void> {
    await app.page?.client.close();
    const { release, pid } = await this.host.app(app.id);
    const path = `/apps/${app.id}/~${String(release)}`;
    const client = await StreamlitClient.connect(`${this.host.url}/apps/${app.id}/`, { path });
    const page = { client, release: Number(release), pid: Number(pid), count: 1, lostAt: 0 };
    client.socket.once('close', () => (page.lostAt = Date.now()));
    app.page = page;
    await client.run();
  }
}

/** The files of a version of an app. */
export function files(id: AppName, version: number): Record<string, string> {
  return {
    'app.py': [
      'import streamlit as st',
      'st.session_state.count = st.session_state.get("count", 0) + 1',
      'st.text("count=%d" % st.session_state.count)',
      `st.text("version=${id}-${version}")`,
      '',
    ].join('\n'),
    'requirements.txt': 'streamlit\n',
  };
}

/** Gives a data folder what builds of the tests have downloaded, compiled and installed before. */
async function lend(data: string): Promise<void> {
  const { cacheDir, environments } = inject('tools');
  const builders = (await readdir(cacheDir)).filter((name) => name.startsWith('builds-'));
  const folders = ['builds/uv', 'environments'].map((name) => join(data, name));
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const [downloads = '', made = ''] = folders;
  // With its owner, who is the only one that builds trust.
  const copy = async (from: string, to: string): Promise<void> => {
    // Drafts of builds that other tests run come and go meanwhile: the rest is copied all the same, and is all that is needed.
    await promisify(execFile)('cp', ['-a', from, to]).catch(() => undefined);
  };
  for (const name of builders) await copy(join(cacheDir, name), downloads);
  for (const name of (await readdir(environments)).slice(0, 2)) await copy(join(environments, name), made);
}
