import { join } from 'node:path';
import { folderOf } from '../domain/project/layout.js';
import type { Dependencies } from '../domain/python/dependencies.js';
import type { Environments } from '../environments/environments.js';
import type { EnvironmentRequest } from '../environments/request.js';
import { formatSeconds } from '../lib/units.js';
import type { DeployLog } from './log.js';

/**
 * Where a list of packages is read from, and the path of that folder in the root. Tools start from the folder of their own
 * lists; pip from the one in which it is run, which is the project's root.
 */
export function atItsFolder(
  dependencies: Dependencies,
  root: string,
): Pick<EnvironmentRequest, 'sourceDir' | 'dependencies'> & { within: string } {
  const folder = folderOf(dependencies.file);
  if (folder === '' || dependencies.format === 'requirements') return { dependencies, sourceDir: root, within: '' };
  const file = dependencies.file.slice(folder.length + 1);
  return { dependencies: { ...dependencies, file }, sourceDir: join(root, folder), within: folder };
}

/** Makes the environment of a release, and logs it. @returns its names @throws Refusal as `Environments.ensure` does */
export async function ensureEnvironment(
  environments: Pick<Environments, 'ensure'>,
  request: Omit<EnvironmentRequest, 'onLine' | 'onNote'>,
  log: DeployLog,
): Promise<{ environment: string; lock: string }> {
  let installs = false;
  const { hash, lock, reused, ms } = await environments.ensure({
    ...request,
    onNote: (line) => log.step(line),
    onLine: (line) => {
      if (!installs) log.step('Installing dependencies');
      installs = true;
      log.output(line);
    },
  });
  log.step(
    reused
      ? `Dependencies already installed: reusing environment ${hash.slice(0, 12)}`
      : `Dependencies installed (${formatSeconds(ms)})`,
  );
  return { environment: hash, lock };
}
