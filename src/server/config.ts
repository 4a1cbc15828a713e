import { EffectiveConfig } from '../app-config/effective.js';
import { Masks } from '../app-config/masks.js';
import { ProcessConfig } from '../app-config/process-config.js';
import type { Logger } from '../logger.js';
import { AppConfigs } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import { CookieSecrets } from '../store/cookie-secret.js';
import type { Paths } from '../store/paths.js';
import { SecretFiles } from '../store/secret-files.js';
import { Vault } from '../store/vault.js';
import type { Later } from './later.js';
import { sealSecrets } from './seal-secrets.js';

/** The config and secrets of apps, and everything that reads them. */
export interface OpenedConfig {
  /** What encrypts small files. */
  vault: Vault;
  appConfigs: AppConfigs;
  /** With what a preview has from its app. */
  effective: EffectiveConfig;
  /** What a process gets. */
  processConfig: ProcessConfig;
  /** What is hidden in logs. */
  masks: Masks;
}

/** Opens the vault, and encrypts what an earlier version has left in plain text. */
export async function openConfig(options: {
  store: Pick<AppStore, 'list' | 'find'>;
  paths: Paths;
  later: Pick<Later, 'attempt'>;
  logger: Logger;
}): Promise<OpenedConfig> {
  const { store, paths, later, logger } = options;
  const vault = new Vault(paths);
  for (const problem of await vault.open()) logger.error(problem);
  const appConfigs = new AppConfigs(vault);
  const effective = new EffectiveConfig({ store, configs: appConfigs });
  const cookies = new CookieSecrets(paths, vault);
  const files = new SecretFiles(paths);
  await later.attempt('encrypt the secrets of an earlier version', () =>
    sealSecrets({ store, cookies, files, logger }),
  );
  return {
    vault,
    appConfigs,
    effective,
    processConfig: new ProcessConfig({ configs: effective, cookies, files, logger }),
    masks: new Masks({ store, configs: appConfigs, cookies, logger }),
  };
}
