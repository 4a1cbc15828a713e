import { dpkgPackages } from '../domain/commands.js';
import { missingPackages } from '../domain/packages-txt.js';
import { CommandFailed, runCommand } from './run.js';

export interface PackagesCheck {
  names: readonly string[];
  /** PATH of dpkg-query. */
  path: string;
  signal?: AbortSignal | undefined;
  onLine: (line: string) => void | Promise<void>;
}

/**
 * Looks whether the Debian packages that an app names are installed; nothing is installed.
 * @throws Refusal `packages-missing` that names those that are not
 */
export async function checkSystemPackages({ names, path, signal, onLine }: PackagesCheck): Promise<void> {
  if (names.length === 0) return;
  let installed: Set<string>;
  try {
    installed = await installedPackages(path, signal);
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.reason === 'aborted') throw error;
    await onLine(`packages.txt was not checked: ${error.message}`);
    return;
  }
  const missing = names.filter((name) => !installed.has(name));
  if (missing.length > 0) throw missingPackages(missing);
  await onLine(`packages.txt: installed on this server ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`);
}

/** Every name that an installed package answers to: its own, with and without its architecture, and what it provides. */
async function installedPackages(path: string, signal: AbortSignal | undefined): Promise<Set<string>> {
  const names = new Set<string>();
  const onLine = (line: string): void => {
    const [status, name, architecture, provides = ''] = line.split('\t');
    if (status !== 'installed' || name === undefined) return;
    names.add(name).add(`${name}:${architecture}`);
    for (const one of provides.split(',')) names.add(one.replace(/\(.*$/, '').trim());
  };
  await runCommand({
    argv: dpkgPackages(),
    cwd: '/',
    env: { PATH: path, LC_ALL: 'C.UTF-8' },
    timeoutMs: 60_000,
    signal,
    onLine,
  });
  return names;
}
