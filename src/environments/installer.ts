import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipInstall, pythonProbe, pythonVenv, uvExport, uvInstall, uvVenv } from '../domain/project/commands.js';
import type { Interpreter } from '../domain/python/python-version.js';
import { Refusal } from '../errors.js';
import { maskUrls } from '../logs/mask.js';
import { readUvSettings, type Variables } from './indexes.js';
import { findPythons } from './pythons.js';
import { runCommand, type Command } from './run.js';

/** The programs that make environments. */
export interface Tools {
  /** Where uv is; without it, Python's own venv and pip do the same, slower. */
  uv?: string | undefined;
  /** The Python that apps run on: a path, or a name on PATH. */
  python: string;
}

/** What a Python is. */
export interface PythonFacts {
  /** Such as 3.12.4. */
  version: string;
  /** Such as cpython. */
  implementation: string;
  /** Such as linux-x86_64. */
  platform: string;
  executable: string;
}

export interface Install {
  /** An empty folder of its own, for everything on the way. */
  draft: string;
  /** Where the environment will be moved to. */
  path: string;
  /** Where it runs: local requirements are looked for from there. */
  folder: string;
  /** The requirements file, by its path from there or in full. */
  requirements: string;
  /** Packages to be added by name. */
  more: readonly string[];
  /** True where the requirements name indexes of their own that hold only some of the packages. */
  allIndexes: boolean;
  python: PythonFacts;
  limits: { totalMs: number; idleMs: number };
  signal: AbortSignal;
  onLine: (line: string) => void | Promise<void>;
  onSpawn: (pid: number) => void;
}

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

/** Runs uv, or where there is none, venv and pip. */
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

  /** True where environments do not hold on to the source that they were made from. */
  get copiesSource(): boolean {
    return this.#tools.uv !== undefined;
  }

  /** The Pythons that are there. @throws CommandFailed */
  async pythons(signal?: AbortSignal): Promise<Interpreter[]> {
    return findPythons(this.#tools.uv, this.#env, signal);
  }

  /**
   * What a Python is.
   * @param executable the one that apps run on unless they ask for another, unless told
   * @throws Refusal `python-unusable`
   */
  async python(executable = this.#tools.python): Promise<PythonFacts> {
    return readPython(executable, this.#env);
  }

  /**
   * The packages of a project's uv.lock as the text of a requirements file. No index is asked.
   * @param tmp an empty folder of its own
   * @throws CommandFailed, Refusal `uv-missing`
   */
  async exportLock(
    tmp: string,
    project: string,
    python: PythonFacts,
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
    const file = join(tmp, 'exported.txt');
    await runCommand({
      argv: uvExport(this.#tools.uv, project, python.executable, file),
      cwd: tmp,
      env: { ...this.#common(tmp), UV_NO_CONFIG: '1', ...this.#env },
      timeoutMs: 60_000,
      signal,
    });
    return readFile(file, 'utf8');
  }

  /** @returns the environment, within the draft. @throws CommandFailed */
  async install(install: Install): Promise<string> {
    const { draft, requirements, more, python, limits } = install;
    const folder = join(draft, 'environment');
    const tmp = join(draft, 'tmp');
    await mkdir(tmp);
    const settings = await readUvSettings(this.#env);
    const env = {
      ...this.#common(tmp),
      // Versions that were chosen over several indexes are looked for in all of them, as pip does.
      ...(install.allIndexes ? { UV_INDEX_STRATEGY: 'unsafe-best-match' } : {}),
      ...settings.env,
      ...this.#env,
      TMPDIR: tmp,
      // Nobody is there to be asked for a password.
      GIT_TERMINAL_PROMPT: '0',
    };
    const deadline = performance.now() + limits.totalMs;
    const run = async (argv: string[]): Promise<void> => {
      const timeoutMs = Math.max(1, Math.round(deadline - performance.now()));
      const command: Command = {
        argv,
        cwd: install.folder,
        env,
        timeoutMs,
        idleMs: limits.idleMs,
        signal: install.signal,
        onSpawn: install.onSpawn,
      };
      await runCommand({ ...command, onLine: (line) => this.#tell(line, install) });
    };
    if (this.#tools.uv === undefined) {
      await run(pythonVenv(python.executable, folder));
      await run(pipInstall(join(folder, 'bin', 'python'), requirements, more));
      await readdress(join(folder, 'bin'), folder, install.path);
    } else {
      await run(uvVenv(this.#tools.uv, python.executable, folder));
      await run(uvInstall(this.#tools.uv, join(folder, 'bin', 'python'), requirements, more, settings.options));
    }
    return folder;
  }

  #common(tmp: string): Record<string, string> {
    return {
      UV_CACHE_DIR: join(this.#cache, 'uv'),
      PIP_CACHE_DIR: join(this.#cache, 'pip'),
      // What an app installs of itself is copied: the environment outlives the release's source.
      UV_NO_EDITABLE: '1',
      // Nothing is downloaded behind the operator's back.
      UV_PYTHON_DOWNLOADS: 'never',
      UV_NO_PROGRESS: '1',
      NO_COLOR: '1',
      PYTHONUNBUFFERED: '1',
      LC_ALL: 'C.UTF-8',
      TMPDIR: tmp,
    };
  }

  /** Hands a line on, without passwords and without places that mean nothing to the reader. */
  #tell(line: string, install: Install): void | Promise<void> {
    if (/^Using Python \S+ environment at/.test(line)) return;
    return install.onLine(maskUrls(line).replaceAll(`${install.folder}/`, '').replaceAll(`${install.draft}/`, ''));
  }
}

/** What a Python is. @throws Refusal `python-unusable` */
export async function readPython(executable: string, env: Variables): Promise<PythonFacts> {
  const lines: string[] = [];
  try {
    const onLine = (line: string): void => void lines.push(line);
    await runCommand({ argv: pythonProbe(executable), cwd: '/', env, timeoutMs: 60_000, onLine });
    return JSON.parse(lines.at(-1) ?? '') as PythonFacts;
  } catch (error) {
    throw new Refusal(
      'unavailable',
      'python-unusable',
      `Cannot run the Python at ${executable}. Install Python 3.10 or newer.`,
      { cause: error },
    );
  }
}

/** Python's own environments name their place in their scripts: says the new one before the move. */
async function readdress(bin: string, from: string, to: string): Promise<void> {
  for (const entry of await readdir(bin, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(bin, entry.name);
    const bytes = await readFile(file);
    if (bytes.includes(0) || !bytes.includes(from)) continue;
    // Written in place, so that it stays executable.
    await writeFile(file, bytes.toString('utf8').replaceAll(from, to));
  }
}
