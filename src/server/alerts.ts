import { Alerts } from '../alerts/alerts.js';
import type { Logger } from '../logger.js';
import type { Config } from '../settings.js';
import type { Paths } from '../store/paths.js';
import type { Composed } from './compose.js';

/** Composes what tells people of problems. Nothing is watched, read or sent before it begins. */
export function openAlerts(options: {
  config: Pick<Config, 'mail' | 'diskFloor'>;
  paths: Paths;
  composed: Pick<Composed, 'store' | 'serving' | 'vault' | 'redis'>;
  publicBase: () => string;
  logger: Logger;
}): Alerts {
  const { config, paths, composed, publicBase, logger } = options;
  return new Alerts({
    ...{ folder: paths.alerts, vault: composed.vault, apps: composed.store, serving: composed.serving, logger },
    ...{ mail: config.mail, diskFloor: config.diskFloor.bytes, redis: composed.redis },
    urlOf: (app) => `${publicBase()}/console/${app === undefined ? 'alerts' : `apps/${app}/alerts`}`,
  });
}
