import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hints, keysInCode, type FileKeys } from '../domain/hints.js';
import { checkSecrets } from '../domain/secrets.js';
import { hasCode, Refusal } from '../errors.js';
import type { AppConfig } from '../store/app-config.js';

/** How much code is looked at: a hint must not delay a deploy. */
const MAX_FILES = 300;
const MAX_FILE_BYTES = 256 * 1024;
const MAX_BYTES = 2 * 1024 * 1024;

/** What is not the app itself: tests, other people's packages, tools. */
const NOT_THE_APP = /(^|\/)(\.[^/]*|tests?|venv|env|node_modules|site-packages|__pycache__)\/|(^|\/)(test_[^/]*|[^/]*_test|conftest|setup|noxfile)\.py$/;

/**
 * One sentence for each key that the code of a release asks for and its config does not have.
 * @param source the release's files
 */
export async function hintsFor(source: string, config: AppConfig): Promise<string[]> {
  const files = new Map<string, FileKeys>();
  let bytes = 0;
  for (const path of await pythonFiles(source)) {
    const { size } = await stat(join(source, path));
    if (size > MAX_FILE_BYTES || bytes + size > MAX_BYTES) continue;
    bytes += size;
    files.set(path, keysInCode(await readFile(join(source, path), 'utf8')));
  }
  const secretsToml = config.secretsToml === '' ? await committedSecrets(source) : config.secretsToml;
  return hints(files, { vars: Object.keys(config.vars), secretsToml });
}

async function pythonFiles(source: string): Promise<string[]> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.py'))
    .map((entry) => join(entry.parentPath, entry.name).slice(source.length + 1))
    .filter((path) => !NOT_THE_APP.test(path))
    .sort()
    .slice(0, MAX_FILES);
}

/** The secrets that stand in the repository itself, which Streamlit reads where the app has none of its own. */
async function committedSecrets(source: string): Promise<string> {
  try {
    const text = await readFile(join(source, '.streamlit', 'secrets.toml'), 'utf8');
    checkSecrets(text);
    return text;
  } catch (error) {
    // None, or none that Streamlit could read either.
    if (error instanceof Refusal || ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'EACCES'].some((code) => hasCode(error, code))) return '';
    throw error;
  }
}
