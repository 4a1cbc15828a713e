import {
  cp,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import type { Dependencies } from '../domain/python/dependencies.js';
import { isSource, parseRequirements } from '../domain/python/requirements.js';
import { hasCode, Refusal } from '../errors.js';
import { isWithin } from '../lib/within.js';
import type { Requirements } from './requirements.js';

/** The file that an environment keeps about itself. */
export const FACTS = 'streamlit-host.json';

/** The largest list of versions that is read, in bytes. */
const MAX_VERSIONS = 1024 * 1024;

/** The name of a requirements file that was not written by the app's author. */
const WRITTEN = 'streamlit-host-requirements.txt';

/**
 * Where an install runs, and the file it reads: a copy, since what several deploys may want must not need the files of one of
 * them, which go when it gives up. Only requirements that name files of the project run there.
 * @param copies a folder to be made for them
 */
export async function placeOf(
  requirements: Requirements,
  dependencies: { file: string; format?: Dependencies['format'] },
  sourceDir: string,
  copies: string,
): Promise<{ folder: string; requirements: string }> {
  const written = (dependencies.format ?? 'requirements') !== 'requirements';
  let file: string | undefined;
  for (const [path, text] of requirements.copies) {
    const name = written && file === undefined ? WRITTEN : path;
    file ??= name;
    await ensureFolder(dirname(join(copies, name)));
    await writeFile(join(copies, name), text);
  }
  return requirements.local
    ? { folder: sourceDir, requirements: join(copies, file ?? '') }
    : { folder: copies, requirements: file ?? '' };
}

/** Copies a project, for builds that write into it. */
export async function copySource(from: string, to: string): Promise<string> {
  await cp(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  return to;
}

/**
 * Looks at what packages have put into an environment while they were built: the server reads files of it, and would follow
 * their links with its own rights. Wheels have no links, so that none is missed.
 * @param python the machine's Python that it was made from
 * @throws Refusal `build-failed` where a link leads anywhere else than to that Python or to what is in the environment
 */
export async function refuseLinks(environment: string, python: string): Promise<void> {
  const [home, interpreter] = await Promise.all([realpath(environment), realpath(python)]);
  for (const entry of await readdir(environment, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const link = join(entry.parentPath, entry.name);
    // Where it ends, by way of other links too. Where there is nothing yet, an app could put something later.
    const target = await realpath(link).catch(() => undefined);
    if (target !== undefined && (target === interpreter || isWithin(target, home))) continue;
    const [place, named] = [relative(environment, link), resolve(entry.parentPath, await readlink(link))];
    const sentence = `A package installed the link ${place}, which leads to ${target ?? named}, outside of the environment.`;
    throw new Refusal('invalid', 'build-failed', sentence);
  }
}

/**
 * Writes which wheels of indexes a resolution wants, with their exact versions.
 * @param versions what uv wrote; whatever was built meanwhile could write it as well, or put something else there
 * @param folder where nothing of that name can be written through
 * @returns the file; undefined where there are none
 */
export async function writeWheels(versions: string, folder: string): Promise<string | undefined> {
  const facts = await lstat(versions);
  if (!facts.isFile() || facts.size > MAX_VERSIONS) return undefined;
  const lines = parseRequirements(await readFile(versions, 'utf8')).filter(
    (line) => line.kind === 'package' && !isSource(line),
  );
  if (lines.length === 0) return undefined;
  const file = join(folder, `wheels-${randomUUID()}.txt`);
  await writeFile(file, lines.map((line) => `${line.text}\n`).join(''), { flag: 'wx' });
  return file;
}

/** Environments are moved into place when they are complete; what can happen to one later is that its Python goes. */
export async function isComplete(path: string): Promise<boolean> {
  try {
    await Promise.all([stat(join(path, FACTS)), stat(join(path, 'bin', 'python'))]);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** The Python that an environment was made from; undefined where the environment does not say. */
export async function machinePython(path: string): Promise<string | undefined> {
  try {
    const facts = JSON.parse(await readFile(join(path, FACTS), 'utf8')) as { python?: { executable?: unknown } };
    const executable = facts.python?.executable;
    return typeof executable === 'string' ? await realpath(executable) : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Moves a folder into its place; one that is there, and cannot be used, goes aside. */
export async function replace(path: string, made: string, aside: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await rename(made, path);
}

/**
 * Removes an environment that was not wanted for so long (ms). It leaves its place whole and at once: the half of one that
 * a kill leaves there would be taken for a whole one.
 * @param aside a folder that is emptied at every start, on the same file system
 * @returns false where it stays, or is gone already
 */
export async function discard(path: string, aside: string, unusedMs: number): Promise<boolean> {
  const facts = await stat(path).catch(ifGone);
  if (facts === undefined || Date.now() - facts.mtimeMs < unusedMs) return false;
  await ensureFolder(aside);
  const folder = await mkdtemp(join(aside, 'discarded-'));
  try {
    return (await rename(path, join(folder, 'environment')).then(() => true, ifGone)) === true;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function ifGone(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}

/** Returns whether a module can be imported in an environment, whatever the package is called that it came with. */
export async function hasModule(environment: string, name: string): Promise<boolean> {
  for (const python of await readdir(join(environment, 'lib'))) {
    const modules = await readdir(join(environment, 'lib', python, 'site-packages'));
    if (modules.includes(name) || modules.includes(`${name}.py`)) return true;
  }
  return false;
}

/** Python's own environments name their place in their scripts: says the new one before the move. */
export async function relocate(bin: string, from: string, to: string): Promise<void> {
  for (const entry of await readdir(bin, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(bin, entry.name);
    const bytes = await readFile(file);
    if (bytes.includes(0) || !bytes.includes(from)) continue;
    // Written in place, so that it stays executable.
    await writeFile(file, bytes.toString('utf8').replaceAll(from, to));
  }
}
