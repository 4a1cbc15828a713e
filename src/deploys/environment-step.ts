import type { EnvironmentRequest, Environments } from '../environments/environments.js';
import { formatSeconds } from '../lib/units.js';
import type { DeployLog } from './log.js';

/** Makes the environment of a release, and logs it. @returns its hash @throws Refusal as `Environments.ensure` does */
export async function ensureEnvironment(
  environments: Pick<Environments, 'ensure'>,
  request: Omit<EnvironmentRequest, 'onLine' | 'onNote'>,
  log: DeployLog,
): Promise<string> {
  let installs = false;
  const { hash, reused, ms } = await environments.ensure({
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
      ? `Dependencies unchanged: reusing environment ${hash.slice(0, 12)}`
      : `Dependencies installed (${formatSeconds(ms)})`,
  );
  return hash;
}
