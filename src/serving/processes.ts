import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasOwnLogin } from '../domain/access/identity.js';
import type { ConfigVars } from '../domain/config/vars.js';
import type { Place } from '../domain/in-place/place.js';
import type { ReleaseCage } from '../domain/project/app-cage.js';
import type { Release } from '../domain/app/release.js';
import {
  launchCommand,
  namesPlaces,
  readEarly,
  streamlitCommand,
  streamlitEnvironment,
} from '../domain/streamlit/streamlit.js';
import { chosen, type OptionLimits } from '../domain/streamlit/options.js';
import { Refusal } from '../errors.js';
import { LogFile } from '../logs/log-file.js';
import { AppProcess, type ProcessListener } from '../runtime/app-process.js';
import type { ProcessPlace, ProcessSpec } from '../runtime/process-spec.js';
import type { Confines } from '../runtime/process/cage/spec.js';
import type { Instance, Limits, Runtime } from '../runtime/runtime.js';
import type { AppStore } from '../store/apps.js';
import type { Paths } from '../store/paths.js';
import type { ProcessConfig } from '../app-config/process-config.js';

/** In bytes. */
const MB = 1_000_000;

/** What is expected of the next release of an app. */
export interface ExpectedRelease {
  number: number;
  environment: string;
  config: number;
  /** What it asks of its cage. */
  cage?: ReleaseCage | undefined;
}

export interface ProcessesOptions {
  store: Pick<AppStore, 'find'>;
  paths: Paths;
  /** Runs the processes. */
  runtime: Pick<Runtime, 'lease' | 'begin' | 'adopt'>;
  /** The path of the public URL; empty if it has none. */
  basePath: string;
  /** What an app may reach, given what its release asks of its cage; everything that the server can reach unless given. */
  confines?: (app: string, environment: string, cage: ReleaseCage | undefined) => Promise<Confines | undefined>;
  /** The address of an app. */
  url: (app: string) => string;
  /** PATH for apps. */
  path: string;
  /** HOME for in-place apps; the others have their own. */
  home: string;
  /** The folder of the code that an app's Python runs first. */
  launcher: string;
  /** The memory limit (MB) of a process whose release does not set one; 0 = no limit. */
  memoryLimitMb: number;
  /** The most that apps may choose of Streamlit's options. */
  optionLimits: OptionLimits;
  /** How many processes and threads an app may have, and how many cores it may use; 0 = no limit. */
  taskLimit: number;
  cpuLimit: number;
  /** How long a process may take to answer its health check, in ms. */
  startLimitMs: number;
  /** How long Streamlit keeps the state of a disconnected page, in ms. */
  sessionTtlMs: number;
  /** Provides the config vars and secrets of a process. */
  config: Pick<ProcessConfig, 'prepare' | 'vars'>;
}

/** What else is known of a process that is prepared. */
export interface PrepareOptions {
  replica?: number;
  ahead?: ProcessSpec['ahead'];
}

/** Creates the processes of releases: decides what they run, where, and with which environment. */
export class Processes {
  readonly #options: ProcessesOptions;
  /** The logs of releases that have processes: two objects for one file would both rotate it. */
  readonly #logs = new Map<string, WeakRef<LogFile>>();

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  /**
   * Creates a process of a release, without starting it.
   * @param options.replica which replica of the release it is; the first unless given
   * @param options.ahead finds what was started for it by `startAhead`
   * @throws Refusal where the release was never built
   */
  async prepare(
    app: string,
    release: Release,
    changed: ProcessListener,
    { replica = 1, ahead }: PrepareOptions = {},
  ): Promise<AppProcess> {
    const { store, paths, runtime, basePath, launcher, confines, memoryLimitMb, startLimitMs } = this.#options;
    const { memory, tasks, cpu } = this.#limits(release.memoryLimitMb ?? memoryLimitMb);
    const environment = paths.environmentOf(release);
    if (environment === undefined || release.entrypoint === undefined) {
      throw new Refusal('conflict', 'release-not-built', `Release ${release.number} of ${app} was never built.`);
    }
    await ensureFolder(paths.storage(app), 0o700);
    const place = (): Place | undefined => store.find(app)?.place;
    return new AppProcess(
      {
        app,
        release: release.number,
        replica,
        command: launchCommand(pythonOf(environment), launcher, app),
        order: streamlitCommand(release.entrypoint),
        cwd: paths.sourceOf(app, release),
        files: (key) => [paths.source(app, release.number), dirname(paths.secretsFile(app, release.number, key))],
        // An in-place app belongs to the operator and keeps its rights.
        ...(release.folder === undefined && confines && { confines: () => confines(app, environment, release.cage) }),
        environment: (at) => this.#environment(app, release, environment, at),
        // People look for an app in place where its config.json says, which only one process can be.
        port: release.folder === undefined ? undefined : ((replica === 1 ? place()?.port : undefined) ?? 'any'),
        restarts: () => place()?.restartOnCrash ?? true,
        healthPath: `${basePath}/apps/${app}/_stcore/health`,
        startLimitMs,
        memoryLimit: memory,
        taskLimit: tasks,
        cpuLimit: cpu,
        log: this.#log(paths.runLog(app, release.number)),
        ...(ahead && { ahead }),
      },
      runtime,
      changed,
    );
  }

  /**
   * Starts the interpreter of a release that does not exist yet. It waits to be told what to run.
   * @returns undefined if it may only be started in the folder of its release
   * @throws Refusal as a start does
   */
  async startAhead(app: string, expected: ExpectedRelease): Promise<Instance | undefined> {
    const { paths, runtime, launcher, config } = this.#options;
    const vars = await config.vars(app, expected.config);
    if (namesPlaces(vars)) return undefined;
    const folder = paths.environment(expected.environment);
    const environment = readEarly(this.#variables(app, expected, folder, vars));
    const command = launchCommand(pythonOf(folder), launcher, app);
    const confines = await this.#options.confines?.(app, folder, expected.cage);
    const { number: release } = expected;
    const limits = this.#limits(this.#options.memoryLimitMb);
    return runtime.begin({ app, release, command, cwd: folder, environment, confines, limits, listener: true });
  }

  #log(path: string): LogFile {
    const known = this.#logs.get(path)?.deref();
    if (known !== undefined) return known;
    for (const [other, log] of this.#logs) if (log.deref() === undefined) this.#logs.delete(other);
    const log = new LogFile(path);
    this.#logs.set(path, new WeakRef(log));
    return log;
  }

  /** @param memoryMb 0 = no limit */
  #limits(memoryMb: number): Limits {
    const { taskLimit, cpuLimit } = this.#options;
    return { memory: memoryMb * MB || undefined, tasks: taskLimit || undefined, cpu: cpuLimit || undefined };
  }

  /** @param environment the folder of the Python environment */
  async #environment(
    app: string,
    release: Release,
    environment: string,
    { key, port }: ProcessPlace,
  ): Promise<Record<string, string>> {
    const { paths, basePath, url, sessionTtlMs, optionLimits, config } = this.#options;
    const cwd = paths.sourceOf(app, release);
    const prepared = await config.prepare({ app, release: release.number, key }, release.config ?? 0, {
      cwd,
      redirectUri: `${url(app)}oauth2callback`,
    });
    const { vars, cookieSecret } = prepared;
    const visitors = new URL(url(app));
    // To a port of the machine, every program of it could send the headers.
    const identity = port === undefined && !prepared.ownLogin && !(await hasLoginIn(cwd));
    return {
      ...this.#variables(app, release, environment, vars),
      ...streamlitEnvironment({
        identity,
        port: port ?? 0,
        basePath: `${basePath}/apps/${app}`.slice(1),
        publicHost: visitors.hostname,
        publicPort: Number(visitors.port || (visitors.protocol === 'https:' ? 443 : 80)),
        disconnectedSessionTtl: Math.ceil(sessionTtlMs / 1000),
        chosen: chosen(release.options, vars),
        limits: optionLimits,
        cookieSecret,
      }),
      // Where an environment finds the project's own packages: it serves releases with other code too.
      STREAMLIT_HOST_SOURCE: cwd,
    };
  }

  /** What does not depend on where it answers. */
  #variables(
    app: string,
    release: Pick<Release, 'number' | 'folder'>,
    environment: string,
    vars: ConfigVars,
  ): Record<string, string> {
    const { paths, path, home } = this.#options;
    const storage = paths.storage(app);
    return {
      LANG: 'C.UTF-8',
      // glibc keeps an arena a thread, which costs a threaded server memory it never gives back.
      MALLOC_ARENA_MAX: '2',
      ...vars,
      // Everything below is set by the server and overrides the vars.
      PATH: `${join(environment, 'bin')}:${path}`,
      // An in-place app keeps its home.
      HOME: release.folder === undefined ? storage : home,
      VIRTUAL_ENV: environment,
      PYTHONUNBUFFERED: '1',
      STREAMLIT_HOST_APP: app,
      STREAMLIT_HOST_RELEASE: String(release.number),
      STREAMLIT_HOST_STORAGE: storage,
    };
  }
}

function pythonOf(environment: string): string {
  return join(environment, 'bin', 'python');
}

/** Returns whether secrets in the project itself name a login of the app's own. */
async function hasLoginIn(source: string): Promise<boolean> {
  try {
    return hasOwnLogin(await readFile(join(source, '.streamlit/secrets.toml'), 'utf8'));
  } catch {
    return false; // There is no such file, or it is not for us to read.
  }
}
