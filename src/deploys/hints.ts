import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { KnownKeys, MissingKey } from '../domain/project/hints.js';
import { hasCode, Refusal } from '../errors.js';
import type { AppConfig } from '../store/app-config.js';
import type { Repository } from '../store/repository.js';
import { ofCommit } from './inspect.js';
import type { Reader } from './reader.js';
import { COMMITTED, isOfTheApp, lookedAt } from './readings.js';

/**
 * Returns one sentence for each key that the code of a release reads and its config lacks.
 * @param source the release's files
 */
export async function hintsFor(reader: Reader, source: string, config: AppConfig): Promise<string[]> {
  const sized = await Promise.all(
    (await pythonFiles(source)).map(async (path) => ({ path, size: (await stat(join(source, path))).size })),
  );
  const files = new Map<string, Buffer>();
  for (const { path } of lookedAt(sized)) files.set(path, await readFile(join(source, path)));
  const committed = config.secretsToml === '' ? await committedSecrets(source) : undefined;
  return orNone(reader.read('The code', 'hints', files, committed, knownOf(config)));
}

/** Returns the keys that the code of a commit reads and a config lacks. */
export async function missingIn(
  reader: Reader,
  repository: Repository,
  commit: string,
  config: AppConfig,
): Promise<MissingKey[]> {
  return orNone(keysMissing(reader, repository, commit, config));
}

async function keysMissing(
  reader: Reader,
  repository: Repository,
  commit: string,
  config: AppConfig,
): Promise<MissingKey[]> {
  const code = await reader.read(ofCommit(commit), 'codeOf', await repository.tree(commit));
  const wanted = [...new Set([...code.python, ...code.secrets].map(({ object }) => object))];
  const blobs = wanted.length === 0 ? Buffer.alloc(0) : await repository.blobs(wanted);
  return reader.read(ofCommit(commit), 'missing', code, blobs, knownOf(config));
}

/** Returns no hints if they cannot be read within the limits: nothing is refused for that. */
async function orNone<T>(work: Promise<T[]>): Promise<T[]> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

/** What an app's config has, without the values of its vars. */
function knownOf({ vars, secretsToml }: AppConfig): KnownKeys {
  return { vars: Object.keys(vars), secretsToml };
}

async function pythonFiles(source: string): Promise<string[]> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(source.length + 1))
    .filter(isOfTheApp);
}

async function committedSecrets(source: string): Promise<Buffer | undefined> {
  try {
    return await readFile(join(source, COMMITTED));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'EACCES'].some((code) => hasCode(error, code))) return undefined;
    throw error;
  }
}
