import { readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { randomUUID } from 'node:crypto';
import { pipInstall, pythonVenv, uvCompile, uvExport, uvInstall, uvVenv } from '../domain/project/commands.js';
import type { Wishes } from '../domain/python/for-installer.js';
import { lockLines } from '../domain/python/lock.js';
import type { Member } from '../domain/python/workspace.js';
import type { Interpreter } from '../domain/python/python-version.js';
import { Refusal } from '../errors.js';
import { Deadline } from '../lib/deadline.js';
import { maskUrls } from '../lib/mask-urls.js';
import { readRegular } from '../lib/read-regular.js';
import { cachesIn, openCaches } from './caches.js';
import { installedPackages } from './locks.js';
import { copyPipFiles, readUvSettings, type Variables } from './indexes.js';
import { findPythons, readPython, type PythonFacts } from './pythons.js';
import { hasModule, relocate, refuseLinks, writeWheels } from './places.js';
import { CommandFailed } from './run.js';
import type { Workshop } from './workshop.js';

/** The programs that make environments. */
export interface Tools {
  /** Where uv is; without it, Python's own venv and pip do the same, slower. */
  uv?: string | undefined;
  /** The Python that apps run on: a path, or a name on PATH. */
  python: string;
}

/** Packages to install into an environment that is being built. */
export interface Install {
  /** Where it is made. */
  workshop: Workshop;
  /** Where the environment will be moved to. */
  path: string;
  /** Where it runs: local requirements are looked for from there. */
  folder: string;
  /** The requirements file, by its path from there or in full. */
  requirements: string;
  /** True where the requirements are those of a lock: exact, and with streamlit. */
  locked: boolean;
  /** The lines of the requirements that say where packages come from. */
  indexes: string;
  /** True where packages bring others along, such as the project does. */
  resolves: boolean;
  /** What to say when Streamlit is added, because no package has brought it; undefined where a line names it. */
  adding: string | undefined;
  /** True where some of it may have to be built, whatever the indexes have. */
  sources: boolean;
  /** True where the requirements say what hash each file has. */
  hashed: boolean;
  /** What the requirements ask for beside their packages. */
  wishes: Wishes;
  /** True where indexes are asked again for what was downloaded before. */
  refresh: boolean;
  /** The app's config vars that builds get. */
  vars: Variables;
  python: PythonFacts;
  limits: { totalMs: number; idleMs: number };
  signal: AbortSignal;
  onLine: (line: string) => void | Promise<void>;
  onSpawn: (pid: number) => void;
}

/** What an install has made. */
export interface Installed {
  /** The environment, within the workshop. */
  folder: string;
  /**
   * Asks what hashes the packages of an index have, while the workshop is open: as lines of a requirements file, or
   * undefined where one of them has no wheel on any. Not there where a lock was installed, or where there is no uv.
   * @param environment where the environment is by then
   * @param signal ends it
   */
  hashes: ((environment: string, signal: AbortSignal) => Promise<string | undefined>) | undefined;
}

type Tell = (line: string) => void | Promise<void>;

/**
 * Runs one step: with the cache that builds share, with copies of what is in it, or with one of its own.
 * @param later ends a step that nobody waits for: it yields to everything, and nobody is told its process
 */
type Run = (argv: string[], onLine: Tell, cache: 'shared' | 'copied' | 'own', later?: AbortSignal) => Promise<void>;

/** Settings of the surroundings that would lead an install somewhere else. */
const ASTRAY = [
  'UV_PYTHON',
  'UV_PYTHON_DOWNLOADS',
  'UV_SYSTEM_PYTHON',
  'UV_BREAK_SYSTEM_PACKAGES',
  'UV_WORKING_DIR',
  'UV_PROJECT',
  'UV_PROJECT_ENVIRONMENT',
  'UV_VENV_SEED',
  'PIP_TARGET',
  'PIP_PREFIX',
  'PIP_ROOT',
  'PIP_USER',
  'PIP_PYTHON',
  'PIP_DRY_RUN',
  'PIP_REQUIREMENT',
  'PIP_EDITABLE',
];

/** What uv and pip say where a package has no wheel that fits. */
const NO_WHEELS = /building (from source|source distributions)\b.* disabled|No matching distribution found for/i;

/** The largest list of hashes that is read, in bytes. */
const MAX_HASHED = 16 * 1024 * 1024;

/** Where an error begins, as uv and pip print it. */
const ERROR = /^\s*(error:|×|ERROR:)/;

/**
 * Runs uv, or where there is none, venv and pip. Downloads are kept between builds, and every build can write to them, so no
 * package's code runs beside them: only wheels are installed from there, and what has to be built gets a cache of its own,
 * which goes with the build.
 */
export class Installer {
  readonly #tools: Tools;
  readonly #cache: string;
  readonly #env: Variables;

  /**
   * @param cache what installers may keep between builds
   * @param env PATH, HOME and what the surroundings say of indexes, proxies and certificates
   */
  constructor(tools: Tools, cache: string, env: Variables) {
    this.#tools = tools;
    this.#cache = cache;
    this.#env = Object.fromEntries(Object.entries(env).filter(([name]) => !ASTRAY.includes(name)));
  }

  /** The names of the variables that every build has. */
  get known(): string[] {
    return Object.keys(this.#env);
  }

  /** True where environments do not hold on to the source that they were made from. */
  get copiesSource(): boolean {
    return this.#tools.uv !== undefined;
  }

  /** The Pythons that are there. @throws CommandFailed */
  async pythons(signal?: AbortSignal): Promise<Interpreter[]> {
    return findPythons(this.#tools.uv, this.#env, signal);
  }

  /** What a Python is. @throws Refusal `python-unusable` */
  async python(executable: string): Promise<PythonFacts> {
    return readPython(executable, this.#env);
  }

  /**
   * The packages of a project's uv.lock as the text of a requirements file. No index is asked.
   * @throws CommandFailed, Refusal `uv-missing`
   */
  async exportLock(
    workshop: Workshop,
    project: string,
    python: PythonFacts,
    member: Member | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    if (this.#tools.uv === undefined) {
      throw new Refusal(
        'unavailable',
        'uv-missing',
        'Only uv can read uv.lock, and it is not installed on this server. Ask the operator to install it, or push a requirements.txt.',
        { field: 'uv.lock' },
      );
    }
    const uv = await realpath(this.#tools.uv);
    const file = join(workshop.folder, 'exported.txt');
    await workshop.give();
    await workshop.run(
      {
        argv: uvExport(uv, project, python.executable, file, member),
        cwd: workshop.folder,
        env: { ...COMMON, UV_NO_CONFIG: '1', ...this.#env, ...cachesIn(workshop.folder) },
        timeoutMs: 60_000,
        signal,
      },
      { readOnly: [uv, project] },
    );
    return readFile(file, 'utf8');
  }

  /** Makes an environment. @throws CommandFailed */
  async install(install: Install): Promise<Installed> {
    const { workshop, requirements, sources, wishes, python, limits, signal, onSpawn } = install;
    const folder = join(workshop.folder, 'environment');
    const uv = this.#tools.uv === undefined || wishes.pip !== undefined ? undefined : await realpath(this.#tools.uv);
    const settings = await readUvSettings({ ...this.#env, ...install.vars });
    if (install.refresh) settings.options.push('--refresh');
    if (!install.resolves) settings.options.push('--no-deps');
    const shared = await openCaches(this.#cache, this.#env, workshop);
    if (uv === undefined && workshop.cage !== undefined) await copyPipFiles(this.#env, workshop.home);
    await workshop.give();
    const deadline = new Deadline(limits.totalMs);
    const asked = askedOf(wishes, install.folder, { ...settings.env, ...this.#env });
    const run: Run = async (argv, onLine, cache, later) => {
      const env = {
        ...COMMON,
        // pip looks in all indexes for the newest version.
        ...(wishes.manyIndexes ? { UV_INDEX_STRATEGY: 'unsafe-best-match' } : {}),
        ...(shared.linked ? {} : { UV_LINK_MODE: 'copy' }),
        ...settings.env,
        ...this.#env,
        ...asked,
        ...(cache === 'own' ? cachesIn(workshop.folder) : shared.variables),
        // What is built next to them can write to an environment's files, which others must not share.
        ...(cache === 'copied' ? { UV_LINK_MODE: 'copy' } : {}),
        // Nobody is there to be asked for a password.
        GIT_TERMINAL_PROMPT: '0',
      };
      const timeoutMs = Math.max(1, Math.round(deadline.left));
      const { idleMs } = limits;
      await workshop.run(
        {
          ...{ argv, cwd: install.folder, env, timeoutMs, idleMs, signal: later ?? signal, onLine },
          ...(later === undefined ? { onSpawn } : { rank: 'compile' }),
        },
        {
          vars: install.vars,
          readOnly: [install.folder, ...(uv === undefined ? [] : [uv])],
          writable: cache === 'own' ? (workshop.cage?.shared ?? []) : shared.folders,
        },
      );
    };
    const tell: Tell = (line) => this.#tell(line, install);
    const venv = uv === undefined ? pythonVenv(python.executable, folder) : uvVenv(uv, python.executable, folder);
    const installing = (file: string, builds: boolean, added: readonly string[], options: readonly string[] = []) => {
      const what = { python: join(folder, 'bin', 'python'), requirements: file, more: added, builds };
      return uv === undefined
        ? pipInstall(what, install.resolves ? [] : ['--no-deps'])
        : uvInstall(uv, what, [...settings.options, ...options]);
    };
    const isAdded = async (): Promise<boolean> => {
      if (install.adding === undefined || install.locked || (await hasModule(folder, 'streamlit'))) return false;
      await tell(install.adding);
      return true;
    };
    const fromWheels = !sources && (await this.#fromWheels(run, venv, installing(requirements, false, []), tell));
    if (fromWheels) {
      if (await isAdded()) await run(installing(requirements, false, ADDED), tell, 'shared');
    } else {
      let wheels: string | undefined;
      if (uv !== undefined && !install.hashed) {
        const to = join(workshop.folder, 'versions.txt');
        await tell('Resolving versions');
        await run(
          uvCompile(uv, { python: python.executable, files: [requirements], to }, settings.options),
          tell,
          'own',
        );
        await workshop.clean();
        wheels = await writeWheels(to, workshop.folder);
      }
      // What was built so far could write to one that was there already, and would run with its Python.
      await rm(folder, { recursive: true, force: true });
      await run(venv, tell, 'copied');
      if (wheels !== undefined) {
        const file = wheels;
        // What fails here is tried again below.
        await attempt((onLine) => run(installing(file, false, [], ['--no-deps']), onLine, 'copied'), tell);
      }
      await run(installing(requirements, true, []), tell, 'own');
      if (await isAdded()) await run(installing(requirements, true, ADDED), tell, 'own');
      // What it has left running could go on changing what is looked at.
      await workshop.end();
      await refuseLinks(folder, python.executable);
    }
    if (uv === undefined) await relocate(join(folder, 'bin'), folder, install.path);
    if (uv === undefined || install.locked) return { folder, hashes: undefined };
    return {
      folder,
      hashes: async (environment, later) => {
        if (!fromWheels) await workshop.clean();
        return this.#hashesOf(environment, uv, install, run, settings.options, later);
      },
    };
  }

  /** Asks what hashes the installed packages of indexes have. @returns undefined where one has no wheel on any */
  async #hashesOf(
    environment: string,
    uv: string,
    { workshop, indexes, python }: Install,
    run: Run,
    options: readonly string[],
    later: AbortSignal,
  ): Promise<string | undefined> {
    const { pinned } = lockLines(await installedPackages(environment));
    if (pinned.length === 0) return undefined;
    const [from, to] = ['pinned', 'hashed'].map((name) => join(workshop.folder, `${name}-${randomUUID()}.txt`));
    if (from === undefined || to === undefined) return undefined;
    await writeFile(from, indexes + pinned.map((line) => `${line}\n`).join(''), { flag: 'wx' });
    await workshop.give(from);
    const what = { python: python.executable, files: [from], to };
    const argv = uvCompile(uv, what, [...options, '--no-deps', '--no-build', '--generate-hashes']);
    const failure = await attempt(
      (onLine) => run(argv, onLine, 'shared', later),
      () => undefined,
    );
    return failure === undefined ? (await readRegular(to, MAX_HASHED))?.toString('utf8') : undefined;
  }

  /** Installs wheels alone. @returns false where some packages have none @throws CommandFailed */
  async #fromWheels(run: Run, venv: string[], install: string[], tell: Tell): Promise<boolean> {
    await run(venv, tell, 'shared');
    const failure = await attempt((onLine) => run(install, onLine, 'shared'), tell);
    if (failure === undefined) return true;
    if (!failure.error.lines.some((line) => NO_WHEELS.test(line))) {
      for (const line of failure.held) await tell(line);
      throw failure.error;
    }
    await tell('Some packages have no wheels. Building them from source.');
    return false;
  }

  /** Hands a line on, without passwords and without places that mean nothing to the reader. */
  #tell(line: string, install: Install): void | Promise<void> {
    if (/^Using Python \S+ environment at/.test(line)) return;
    return install.onLine(
      maskUrls(line).replaceAll(`${install.folder}/`, '').replaceAll(`${install.workshop.folder}/`, ''),
    );
  }
}

/** What an app that names no Streamlit gets. */
const ADDED = ['streamlit'];

/** What requirements ask for and uv and pip are told by variables, since not both read it in files. */
function askedOf(
  { prereleases, trustedHosts, folders }: Wishes,
  project: string,
  env: Variables,
): Record<string, string> {
  const joined = (name: string, separator: string, more: readonly string[]): Record<string, string> =>
    more.length === 0 ? {} : { [name]: [...(env[name] === undefined ? [] : [env[name]]), ...more].join(separator) };
  const places = folders.map((folder) => resolve(project, folder));
  return {
    ...(prereleases ? { UV_PRERELEASE: 'allow', PIP_PRE: '1' } : {}),
    ...joined('UV_INSECURE_HOST', ' ', trustedHosts),
    ...joined('PIP_TRUSTED_HOST', ' ', trustedHosts),
    ...joined('UV_FIND_LINKS', ',', places),
    ...joined('PIP_FIND_LINKS', ' ', places),
  };
}

/** What every install is told. */
const COMMON = {
  // What an app installs of itself is copied: the environment outlives the release's source.
  UV_NO_EDITABLE: '1',
  // Nothing is downloaded behind the operator's back.
  UV_PYTHON_DOWNLOADS: 'never',
  UV_NO_PROGRESS: '1',
  NO_COLOR: '1',
  PYTHONUNBUFFERED: '1',
  LC_ALL: 'C.UTF-8',
};

/**
 * Runs an install that may not be enough. What it prints from its first error on is held back, since another one may follow.
 * @returns what it failed with; undefined where it did not
 * @throws CommandFailed where it was ended
 */
async function attempt(
  run: (onLine: Tell) => Promise<void>,
  tell: Tell,
): Promise<{ error: CommandFailed; held: string[] } | undefined> {
  const held: string[] = [];
  try {
    await run((line) => {
      if (held.length === 0 && !ERROR.test(line)) return tell(line);
      held.push(line);
    });
    for (const line of held) await tell(line);
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.reason !== 'exit') throw error;
    return { error, held };
  }
}
