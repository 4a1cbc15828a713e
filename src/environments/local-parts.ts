import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { tableOf, textsOf } from '../domain/python/wanted.js';
import { readRegular } from '../lib/read-regular.js';

/** What of a project decides which packages its requirements install from it. */
export interface LocalParts {
  /** The same as long as they install the same packages; those of folders may have other code. */
  facts: string[];
  /** The folders that are installed, by their paths in the project. */
  folders: string[];
}

/** The most that is read to tell one state of them from another, in bytes and in entries of folders. */
const MAX_BYTES = 128 * 1024 * 1024;
const MAX_ENTRIES = 2_000;

/** The largest file that a build is expected to read for the metadata, in bytes. */
const MAX_SETTINGS = 1024 * 1024;

/** Where a build that does not have it in its settings finds the version. */
const VERSION_FILE = /^(?:__init__|__about__|about|_?version|__version__)\.py$/;

/** Modules that builds run. */
const BUILD_SCRIPTS = ['setup.py', 'build.py', 'hatch_build.py'];

/**
 * Looks which packages of its own a project's requirements install: files by their content, folders by what says which packages
 * they need and what they are called. Their code does not count.
 * @param lines the lines that name files or folders of the project, such as `-e .`
 * @param links the folders in which packages are looked for
 * @returns undefined where anything of the project may count
 */
export async function localParts(
  lines: readonly string[],
  links: readonly string[],
  project: string,
): Promise<LocalParts | undefined> {
  const look = new Look(project);
  const [facts, folders]: [string[], Set<string>] = [[], new Set()];
  for (const line of lines) {
    const path = pathOf(line);
    const entry = path === undefined ? undefined : await lstat(join(project, path)).catch(() => undefined);
    if (path === undefined || entry === undefined || !(entry.isFile() || entry.isDirectory())) return undefined;
    const found = entry.isFile() ? await look.file(path) : await look.folder(path);
    if (found === undefined) return undefined;
    if (entry.isDirectory()) folders.add(path);
    facts.push(...found);
  }
  for (const path of links) {
    const found = await look.files(path);
    if (found === undefined) return undefined;
    facts.push(...found);
  }
  return { facts, folders: [...folders] };
}

/** The path that a line names, as far as it is a plain one; undefined where it is not, or leaves the project. */
export function pathOf(line: string): string | undefined {
  const place = line
    .replace(/^-e /, '')
    .replace(/^[\w.-]+ ?(?:\[[^\]]*\])? ?@ ?/, '')
    .replace(/^file:(?!\/)/, '');
  const [word = ''] = place.split(/[ ;]/, 1);
  const plain = word.replace(/\[[^\]]*\]$/, '');
  if (plain === '') return undefined;
  const path = posix.normalize(plain).replace(/(?<=.)\/$/, '');
  return /^(?:\/|~|\.\.(?:\/|$))|[#%$\\"':]/.test(path) ? undefined : path;
}

/** Reads a project, as far as the limits allow. */
class Look {
  readonly #project: string;
  #bytes = MAX_BYTES;
  #entries = MAX_ENTRIES;

  constructor(project: string) {
    this.#project = project;
  }

  /** A file by its content; undefined where it cannot be read whole. */
  async file(path: string): Promise<string[] | undefined> {
    const bytes = await readRegular(join(this.#project, path), this.#bytes);
    if (bytes === undefined) return undefined;
    this.#bytes -= bytes.length;
    return [path, createHash('sha256').update(bytes).digest('hex')];
  }

  /** The files of a folder by their content. */
  async files(path: string): Promise<string[] | undefined> {
    const names = await this.#list(path);
    return names && this.#all(names.filter(({ file }) => file).map(({ name }) => posix.join(path, name)));
  }

  /** A folder that is installed, by what says how; undefined where a script of the project's own does. */
  async folder(path: string): Promise<string[] | undefined> {
    const names = await this.#list(path);
    const files = names?.filter(({ file }) => file).map(({ name }) => name) ?? [];
    const settings = ['pyproject.toml', 'setup.cfg', 'setup.py'].filter((name) => files.includes(name));
    const says = settings.length === 0 ? undefined : await this.#kindOf(path, settings);
    if (says === undefined) return undefined;
    if (says === 'static') return this.#all(settings.map((name) => posix.join(path, name)));
    // A long list of data is not what a version is read from.
    const read = files.filter((name) => !name.endsWith('.py') || BUILD_SCRIPTS.includes(name));
    const versions = await this.#versions(path, 0);
    return versions && this.#all([...read.map((name) => posix.join(path, name)), ...versions], MAX_SETTINGS);
  }

  /** How a folder's settings say what it is called and needs: by themselves, or with the help of other files. */
  async #kindOf(path: string, settings: readonly string[]): Promise<'static' | 'dynamic' | undefined> {
    const text = async (name: string): Promise<string> =>
      settings.includes(name)
        ? ((await readRegular(join(this.#project, path, name), MAX_SETTINGS))?.toString('utf8') ?? '')
        : '';
    let pyproject: Record<string, unknown>;
    try {
      pyproject = tableOf(parseToml(await text('pyproject.toml')));
    } catch {
      return undefined; // The install will say so.
    }
    if (tableOf(pyproject['build-system'])['backend-path'] !== undefined) return undefined;
    const helped =
      settings.includes('setup.py') ||
      textsOf(tableOf(pyproject.project).dynamic).length > 0 ||
      /^\s*\w+\s*=\s*(?:attr|file)\s*:/m.test(await text('setup.cfg'));
    return helped ? 'dynamic' : 'static';
  }

  /** The files below a folder that usually hold a version. */
  async #versions(path: string, depth: number): Promise<string[] | undefined> {
    const found: string[] = [];
    for (const { name, file } of (await this.#list(path)) ?? []) {
      if (file && VERSION_FILE.test(name)) found.push(posix.join(path, name));
      if (file || depth === 3 || /^\.|^node_modules$/.test(name)) continue;
      const below = await this.#versions(posix.join(path, name), depth + 1);
      if (below === undefined) return undefined;
      found.push(...below);
    }
    return this.#entries < 0 ? undefined : found;
  }

  /** @param most what is larger than this (in bytes) is passed over */
  async #all(paths: readonly string[], most?: number): Promise<string[] | undefined> {
    const facts: string[] = [];
    for (const path of paths) {
      if (most !== undefined && (await lstat(join(this.#project, path))).size > most) continue;
      const found = await this.file(path);
      if (found === undefined) return undefined;
      facts.push(...found);
    }
    return facts;
  }

  /** What is directly in a folder, links left out; undefined where that is too much. */
  async #list(path: string): Promise<{ name: string; file: boolean }[] | undefined> {
    const entries = await readdir(join(this.#project, path), { withFileTypes: true }).catch(() => undefined);
    this.#entries -= entries?.length ?? 0;
    if (entries === undefined || this.#entries < 0) return undefined;
    return entries
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => ({ name: entry.name, file: entry.isFile() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
