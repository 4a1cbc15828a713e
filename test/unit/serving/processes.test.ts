import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IDENTITY_HEADERS } from '../../../src/domain/access/identity.js';
import { Processes } from '../../../src/serving/processes.js';
import { newApp, type App } from '../../../src/domain/app/app.js';
import type { Release } from '../../../src/domain/app/release.js';
import type { ProcessPlace, ProcessSpec } from '../../../src/runtime/process-spec.js';
import { Ports } from '../../../src/runtime/process/ports.js';
import { ProcessRuntime } from '../../../src/runtime/process/process-runtime.js';
import { Paths } from '../../../src/store/paths.js';
import { releaseOf } from '../../helpers/release.js';

const BUILT = releaseOf(3, 'starting', { entrypoint: 'app.py', environment: 'abc', config: 7 });

let paths: Paths;
let app: App;
/** The config vars of the app. */
let vars: Record<string, string>;
/** For which process, version and folder the config was asked. */
let asked: unknown[];
/** The server's own limit. */
let memoryLimitMb: number;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'processes-')));
  app = newApp('hello', 'Hello', new Date(0));
  vars = {};
  asked = [];
  memoryLimitMb = 0;
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

const at = (port?: number): ProcessPlace => ({ key: port === undefined ? 'a-key' : String(port), port });

async function specOf(release: Release): Promise<ProcessSpec> {
  const processes = new Processes({
    store: { find: () => app },
    paths,
    runtime: new ProcessRuntime({
      mark: 'mark',
      data: paths.data,
      tmp: paths.tmp,
      sockets: paths.appSockets,
      ports: new Ports({ min: 1, max: 1 }),
    }),
    basePath: '/tools',
    url: (app) => `https://apps.example.com/tools/apps/${app}/`,
    path: '/usr/bin',
    home: '/home/ada',
    launcher: '/host/python/launch.py',
    memoryLimitMb,
    taskLimit: 0,
    cpuLimit: 0,
    optionLimits: { uploadMb: 1_000, messageMb: 1_000 },
    startLimitMs: 1_000,
    sessionTtlMs: 1_500,
    config: {
      prepare: (...of) => {
        asked.push(of);
        return Promise.resolve({ vars, cookieSecret: 'secret', ownLogin: false });
      },
      vars: () => Promise.resolve(vars),
    },
  });
  return (await processes.prepare('hello', release, () => undefined)).spec;
}

describe('the process of a release', () => {
  it('runs its main file in its source, with its environment, below the public URL', async () => {
    const spec = await specOf(BUILT);
    expect(spec).toMatchObject({
      app: 'hello',
      release: 3,
      command: [join(paths.environment('abc'), 'bin/python'), '/host/python/launch.py', 'hello'],
      order: ['streamlit', 'run', './app.py'],
      cwd: paths.source('hello', 3),
      healthPath: '/tools/apps/hello/_stcore/health',
      port: undefined,
    });
    expect(await spec.environment(at())).toMatchObject({
      PATH: `${join(paths.environment('abc'), 'bin')}:/usr/bin`,
      HOME: paths.storage('hello'),
      STREAMLIT_HOST_RELEASE: '3',
      STREAMLIT_SERVER_PORT: '0',
      STREAMLIT_SERVER_BASE_URL_PATH: 'tools/apps/hello',
      STREAMLIT_SERVER_COOKIE_SECRET: 'secret',
      STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL: '2',
      STREAMLIT_BROWSER_SERVER_ADDRESS: 'apps.example.com',
    });
    expect((await stat(paths.storage('hello'))).isDirectory()).toBe(true);
  });

  it("reads its release's config at each start, and no var overrides our variables", async () => {
    const spec = await specOf(BUILT);
    vars = { REGION: 'north', LANG: 'de_DE.UTF-8', STREAMLIT_HOST_APP: 'another', STREAMLIT_SERVER_PORT: '1' };
    expect(await spec.environment(at(9_000))).toMatchObject({
      REGION: 'north',
      LANG: 'de_DE.UTF-8',
      STREAMLIT_HOST_APP: 'hello',
      STREAMLIT_SERVER_PORT: '9000',
    });
    await spec.environment(at(9_001));
    const where = {
      cwd: paths.source('hello', 3),
      redirectUri: 'https://apps.example.com/tools/apps/hello/oauth2callback',
    };
    expect(asked).toEqual(['9000', '9001'].map((key) => [{ app: 'hello', release: 3, key }, 7, where]));
  });

  it('trusts the headers with its visitor unless it answers on a port of the machine', async () => {
    const spec = await specOf(BUILT);
    const trusted = async (port?: number): Promise<unknown> =>
      JSON.parse((await spec.environment(at(port))).STREAMLIT_SERVER_TRUSTED_USER_HEADERS ?? '');
    expect(await trusted()).toEqual(IDENTITY_HEADERS);
    expect(await trusted(8_501)).toEqual({});
  });

  it('of an in-place app uses the home, port and crash rule that the app has now', async () => {
    const place = { key: 'hello', dir: '/srv/hello', port: 8_501, restartOnCrash: true, watch: false };
    app = { ...app, place };
    const spec = await specOf({ ...BUILT, folder: { dir: '/srv/hello', venv: '/srv/hello/venv' } });
    expect(spec).toMatchObject({
      command: ['/srv/hello/venv/bin/python', '/host/python/launch.py', 'hello'],
      order: ['streamlit', 'run', './app.py'],
      cwd: '/srv/hello',
      port: 8_501,
    });
    expect(await spec.environment(at(8_501))).toMatchObject({ HOME: '/home/ada', VIRTUAL_ENV: '/srv/hello/venv' });
    expect(spec.restarts?.()).toBe(true);
    app = { ...app, place: { ...place, restartOnCrash: false } };
    expect(spec.restarts?.()).toBe(false);
  });

  it("gets the memory limit of its release, else the server's, else none", async () => {
    const limits = async (): Promise<unknown[]> =>
      Promise.all(
        [BUILT, { ...BUILT, memoryLimitMb: 512 }].map(async (release) => (await specOf(release)).memoryLimit),
      );
    expect(await limits()).toEqual([undefined, 512_000_000]);
    memoryLimitMb = 1_000;
    expect(await limits()).toEqual([1_000_000_000, 512_000_000]);
  });

  it('is refused if the release was never built', async () => {
    const { environment: _, ...bare } = BUILT;
    await expect(specOf(bare)).rejects.toMatchObject({
      code: 'release-not-built',
      message: 'Release 3 of hello was never built.',
    });
  });
});
