import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Tools } from './installer.js';

/**
 * uv as set-up has provided it, or the one on PATH, and the Python on PATH. Without uv, environments are made with venv and
 * pip.
 * @param binaries the folder of what set-up has provided
 */
export async function findTools(binaries: string, path: string): Promise<Tools> {
  const folders = path.split(delimiter);
  const uv = await findCommand('uv', [binaries, ...folders]);
  return { ...(uv === undefined ? {} : { uv }), python: (await findCommand('python3', folders)) ?? 'python3' };
}

async function findCommand(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const file = join(folder, name);
    const usable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== '' && usable) return file;
  }
  return undefined;
}
