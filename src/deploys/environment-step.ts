import type { EnvironmentRequest, Environments } from '../environments/environments.js';
import { formatSeconds } from '../lib/units.js';
import type { DeployLog } from './log.js';

/** Makes the environment of a release, and says so in its log. @returns its hash @throws Refusal as `Environments.ensure` does */
export async function ensureEnvironment(
  environments: Pick<Environments, 'ensure'>,
  request: Omit<EnvironmentRequest, 'onLine'>,
  log: DeployLog,
): Promise<string> {
  log.step('Environment:');
  const { hash, reused, ms } = await environments.ensure({ ...request, onLine: (line) => log.output(line) });
  log.step(reused ? 'Environment ready: nothing to install' : `Environment ready after ${formatSeconds(ms)}`);
  return hash;
}
