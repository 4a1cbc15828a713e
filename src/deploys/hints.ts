import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hints, keysInCode, missingKeys, type FileKeys, type MissingKey } from '../domain/project/hints.js';
import { checkSecrets } from '../domain/config/secrets.js';
import { parseBlobs, parseTree } from '../domain/project/tree.js';
import { hasCode, Refusal } from '../errors.js';
import type { AppConfig } from '../store/app-config.js';
import type { Repository } from '../store/repository.js';

/** How much code is looked at: a hint must not delay a deploy. */
const MAX_FILES = 300;
const MAX_FILE_BYTES = 256 * 1024;
const MAX_BYTES = 2 * 1024 * 1024;

/** What is not the app itself: tests, other people's packages, tools. */
const NOT_THE_APP =
  /(^|\/)(\.[^/]*|tests?|venv|env|node_modules|site-packages|__pycache__)\/|(^|\/)(test_[^/]*|[^/]*_test|conftest|setup|noxfile)\.py$/;

/** Where secrets stand that were committed. */
const COMMITTED = '.streamlit/secrets.toml';

/**
 * One sentence for each key that the code of a release asks for and its config does not have.
 * @param source the release's files
 */
export async function hintsFor(source: string, config: AppConfig): Promise<string[]> {
  const sized = await Promise.all(
    (await pythonFiles(source)).map(async (path) => ({ path, size: (await stat(join(source, path))).size })),
  );
  const files = new Map<string, FileKeys>();
  for (const { path } of lookedAt(sized)) files.set(path, keysInCode(await readFile(join(source, path), 'utf8')));
  const committed = config.secretsToml === '' ? await committedSecrets(source) : '';
  return hints(files, knownOf(config, committed));
}

/** The keys that the code of a commit asks for and a config does not have. */
export async function missingIn(repository: Repository, commit: string, config: AppConfig): Promise<MissingKey[]> {
  const entries = parseTree(await repository.tree(commit)).filter(({ mode }) => mode.startsWith('100'));
  const python = lookedAt(entries.filter(({ path }) => path.endsWith('.py') && !NOT_THE_APP.test(path)));
  const secrets = entries.filter(({ path, size }) => path === COMMITTED && size <= MAX_FILE_BYTES);
  const wanted = [...python, ...secrets];
  const blobs =
    wanted.length === 0
      ? new Map<string, Buffer>()
      : parseBlobs(await repository.blobs([...new Set(wanted.map(({ object }) => object))]));
  const textOf = (object: string): string => blobs.get(object)?.toString('utf8') ?? '';
  const files = new Map(python.map(({ path, object }) => [path, keysInCode(textOf(object))]));
  return missingKeys(files, knownOf(config, secrets.map(({ object }) => readable(textOf(object))).join('')));
}

/** As many of the files as are looked at. */
function lookedAt<T extends { path: string; size: number }>(files: readonly T[]): T[] {
  let bytes = 0;
  return [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .slice(0, MAX_FILES)
    .filter(({ size }) => {
      if (size > MAX_FILE_BYTES || bytes + size > MAX_BYTES) return false;
      bytes += size;
      return true;
    });
}

/** What an app has; secrets that were committed are read by Streamlit where it has none of its own. */
function knownOf(config: AppConfig, committed: string): { vars: string[]; secretsToml: string } {
  return { vars: Object.keys(config.vars), secretsToml: config.secretsToml === '' ? committed : config.secretsToml };
}

async function pythonFiles(source: string): Promise<string[]> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.py'))
    .map((entry) => join(entry.parentPath, entry.name).slice(source.length + 1))
    .filter((path) => !NOT_THE_APP.test(path));
}

async function committedSecrets(source: string): Promise<string> {
  try {
    return readable(await readFile(join(source, COMMITTED), 'utf8'));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'EACCES'].some((code) => hasCode(error, code))) return '';
    throw error;
  }
}

/** The text itself, or nothing where Streamlit could not read it either. */
function readable(toml: string): string {
  try {
    checkSecrets(toml);
    return toml;
  } catch (error) {
    if (error instanceof Refusal) return '';
    throw error;
  }
}
