import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of the program: of package.json, templates, hooks and what else it reads of its own. It is looked for from
 * where this module is, as a bundler may have put it anywhere within.
 * @throws Error where there is none
 */
export function programFolder(from = fileURLToPath(import.meta.url)): string {
  const folder = dirname(from);
  if (existsSync(join(folder, 'package.json'))) return folder;
  if (folder === from) throw new Error('The program is incomplete: there is no package.json. Install it again.');
  return programFolder(folder);
}
