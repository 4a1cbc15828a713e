import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { parseMetadata, type InstalledPackage } from '../domain/python/lock.js';
import { hasCode } from '../errors.js';
import { readRegular } from '../lib/read-regular.js';
import { replaceFile } from '../lib/replace-file.js';

/** The largest metadata that is read, in bytes: a package's whole README is in it. */
const MAX_METADATA = 4 * 1024 * 1024;

/** The exact packages of environments, by what was asked for. They outlive the environments, which are made of them again. */
export class Locks {
  readonly #root: string;

  /** @param root their folder */
  constructor(root: string) {
    this.#root = root;
  }

  /** Reads a lock, which is noted as its last use; undefined where there is none. */
  async take(key: string): Promise<string | undefined> {
    const file = this.#file(key);
    try {
      const text = await readFile(file, 'utf8');
      await utimes(file, new Date(), new Date());
      return text;
    } catch (error) {
      return ifGone(error);
    }
  }

  /** Keeps a lock, in the place of an earlier one. */
  async keep(key: string, text: string): Promise<void> {
    await ensureFolder(this.#root);
    await replaceFile(this.#file(key), text, { mode: 0o600 });
  }

  /** Removes those that no release names and that were not used for so long (ms). */
  async prune(named: ReadonlySet<string>, unusedMs: number): Promise<void> {
    for (const name of (await readdir(this.#root).catch(ifGone)) ?? []) {
      if (named.has(name.replace(/\.txt$/, ''))) continue;
      const facts = await stat(join(this.#root, name)).catch(ifGone);
      if (facts !== undefined && Date.now() - facts.mtimeMs >= unusedMs)
        await rm(join(this.#root, name), { force: true });
    }
  }

  #file(key: string): string {
    return join(this.#root, `${key}.txt`);
  }
}

/** What is installed in an environment, without the pip that Python's own venv puts there. */
export async function installedPackages(environment: string): Promise<InstalledPackage[]> {
  const found: InstalledPackage[] = [];
  for (const python of await readdir(join(environment, 'lib'))) {
    const folder = join(environment, 'lib', python, 'site-packages');
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory() || !entry.name.endsWith('.dist-info')) continue;
      const metadata = (await readRegular(join(folder, entry.name, 'METADATA'), MAX_METADATA))?.toString('utf8') ?? '';
      const { name, version } = parseMetadata(metadata);
      if (name === 'pip') continue;
      const origin = await readRegular(join(folder, entry.name, 'direct_url.json'), MAX_METADATA);
      found.push({ name, version, origin: origin && parsed(origin) });
    }
  }
  return found;
}

/** What cannot be read leads nowhere that could be found again. */
function parsed(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString('utf8')) ?? {};
  } catch {
    return {};
  }
}

function ifGone(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}
