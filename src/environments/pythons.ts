import { readdir } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { pythonProbe, uvPythons } from '../domain/project/commands.js';
import type { Interpreter } from '../domain/python/python-version.js';
import { Refusal } from '../errors.js';
import type { Variables } from './indexes.js';
import { CommandFailed, runCommand } from './run.js';

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

/** The longest that one look may take, in ms. */
const TIMEOUT_MS = 60_000;

/**
 * The Pythons of this machine: on PATH, pyenv's, and what uv itself has installed before. Nothing is downloaded.
 * @param uv where it is; without it, every Python is asked
 * @throws CommandFailed where that takes too long
 */
export async function findPythons(
  uv: string | undefined,
  env: Variables,
  signal?: AbortSignal,
): Promise<Interpreter[]> {
  const folders = await foldersOf(env);
  if (uv === undefined) return askEach(folders, env, signal);
  const lines: string[] = [];
  await runCommand({
    argv: uvPythons(uv),
    cwd: '/',
    env: { ...env, PATH: folders.join(delimiter), UV_PYTHON_DOWNLOADS: 'never', UV_NO_CONFIG: '1', NO_COLOR: '1' },
    timeoutMs: TIMEOUT_MS,
    signal,
    onLine: (line) => void lines.push(line),
  });
  // cpython-3.12.1-linux-x86_64-gnu    /usr/bin/python3 -> python3.12; other kinds have more to their version.
  return lines.flatMap((line) => {
    const [, version, executable] = /^cpython-(\d+\.\d+\.\d+)-\S+\s+(\/.*?)(?: -> .*)?$/.exec(line) ?? [];
    return version === undefined || executable === undefined ? [] : { version, executable };
  });
}

/** PATH, with the folders of pyenv's versions in place of its shims, which only answer for the version of the day. */
async function foldersOf(env: Variables): Promise<string[]> {
  const path = (env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  const roots = [
    ...path.filter((folder) => basename(folder) === 'shims').map(dirname),
    ...(env.HOME === undefined ? [] : [join(env.HOME, '.pyenv')]),
  ];
  const found = await Promise.all(
    [...new Set(roots)].map(async (root) => {
      const versions = await readdir(join(root, 'versions')).catch(() => []);
      return versions.map((version) => join(root, 'versions', version, 'bin'));
    }),
  );
  return [...path.filter((folder) => basename(folder) !== 'shims'), ...found.flat()];
}

async function askEach(
  folders: readonly string[],
  env: Variables,
  signal: AbortSignal | undefined,
): Promise<Interpreter[]> {
  const found: Interpreter[] = [];
  for (const folder of folders) {
    // A folder of PATH that does not exist is normal.
    const names = (await readdir(folder).catch(() => [])).filter((name) => /^python3\.\d+$/.test(name));
    for (const name of names) {
      const lines: string[] = [];
      const argv = pythonProbe(join(folder, name));
      try {
        await runCommand({
          argv,
          cwd: '/',
          env,
          timeoutMs: TIMEOUT_MS,
          signal,
          onLine: (line) => void lines.push(line),
        });
      } catch (error) {
        // One that cannot be run is none that could be chosen.
        if (error instanceof CommandFailed && error.reason !== 'aborted') continue;
        throw error;
      }
      const { version } = JSON.parse(lines.at(-1) ?? '{}') as { version?: string };
      if (version !== undefined && /^[\d.]+$/.test(version)) found.push({ version, executable: join(folder, name) });
    }
  }
  return found;
}

/**
 * The Python that apps run on unless they ask for another. It is asked once: behind a shim, as pyenv has them, that takes a
 * fifth of a second. One that could not be asked may be installed by the next time.
 * @returns what it is, which throws Refusal `python-unusable`
 */
export function usualPython(executable: string, env: Variables): () => Promise<PythonFacts> {
  let known: Promise<PythonFacts> | undefined;
  return async () => {
    known ??= readPython(executable, env);
    try {
      return await known;
    } catch (error) {
      known = undefined;
      throw error;
    }
  };
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
