import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Place } from '../domain/place.js';
import type { Release } from '../domain/release.js';
import { streamlitCommand, streamlitEnvironment } from '../domain/streamlit.js';
import { Refusal } from '../errors.js';
import { LogFile } from '../logs/log-file.js';
import type { Ports } from '../runtime/ports.js';
import { AppProcess, type ProcessListener } from '../runtime/process.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';
import type { ProcessConfig } from './process-config.js';

export interface ProcessesOptions {
  store: Pick<AppStore, 'find'>;
  paths: Paths;
  ports: Ports;
  /** The public base's own path; empty where it has none. */
  basePath: string;
  publicBase: () => string;
  /** PATH for apps. */
  path: string;
  /** HOME for apps in place; the others get one of their own. */
  home: string;
  /** By which our children are known. */
  mark: string;
  /** How long a process may take to answer its health check, in ms. */
  startLimitMs: number;
  /** For how long Streamlit keeps the state of a page that lost its connection, in ms. */
  sessionTtlMs: number;
  /** What a process gets of its app's config vars and secrets. */
  config: Pick<ProcessConfig, 'begin'>;
}

/** Makes the process of a release: what it runs, where, and with which environment. */
export class Processes {
  readonly #options: ProcessesOptions;

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  /**
   * A process of a release, not started yet.
   * @throws Refusal where the release was never built
   */
  async prepare(app: string, release: Release, changed: ProcessListener): Promise<AppProcess> {
    const { store, paths, ports, basePath, mark, startLimitMs } = this.#options;
    const environment = paths.environmentOf(release);
    if (environment === undefined || release.entrypoint === undefined) {
      throw new Refusal('conflict', 'release-not-built', `release ${release.number} of ${app} was never built`);
    }
    await mkdir(paths.storage(app), { recursive: true });
    const place = (): Place | undefined => store.find(app)?.place;
    return new AppProcess(
      {
        app,
        release: release.number,
        command: streamlitCommand(join(environment, 'bin', 'python'), release.entrypoint),
        cwd: paths.sourceOf(app, release),
        environment: (port) => this.#environment(app, release, environment, port),
        port: release.folder === undefined ? undefined : place()?.port,
        restarts: () => place()?.restartOnCrash ?? true,
        healthPath: `${basePath}/apps/${app}/_stcore/health`,
        startLimitMs,
        mark,
        log: new LogFile(paths.runLog(app, release.number)),
      },
      ports,
      changed,
    );
  }

  /** @param environment the folder of the Python environment */
  async #environment(app: string, release: Release, environment: string, port: number): Promise<Record<string, string>> {
    const { paths, basePath, publicBase, path, home, sessionTtlMs, config } = this.#options;
    const storage = paths.storage(app);
    const { vars, cookieSecret } = await config.begin({ app, release: release.number, port }, release.config ?? 0, {
      cwd: paths.sourceOf(app, release),
      redirectUri: `${publicBase()}/apps/${app}/oauth2callback`,
    });
    return {
      LANG: 'C.UTF-8',
      // glibc keeps an arena a thread, which costs a threaded server memory it never gives back.
      MALLOC_ARENA_MAX: '2',
      ...vars,
      // What stands from here on is the server's, whatever the vars say.
      PATH: `${join(environment, 'bin')}:${path}`,
      // An app in place keeps the home that it had.
      HOME: release.folder === undefined ? storage : home,
      VIRTUAL_ENV: environment,
      PYTHONUNBUFFERED: '1',
      STREAMLIT_HOST_APP: app,
      STREAMLIT_HOST_RELEASE: String(release.number),
      STREAMLIT_HOST_STORAGE: storage,
      ...streamlitEnvironment({
        port,
        basePath: `${basePath}/apps/${app}`.slice(1),
        publicHost: new URL(publicBase()).hostname,
        disconnectedSessionTtl: Math.ceil(sessionTtlMs / 1000),
        maxUploadMb: 200,
        cookieSecret,
      }),
    };
  }
}
