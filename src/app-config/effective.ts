import type { App } from '../domain/app/app.js';
import type { AppConfig, AppConfigs } from '../store/app-config.js';

/** Where to find configs and their apps. */
export interface EffectiveConfigOptions {
  store: { find(id: string): App | undefined };
  configs: Pick<AppConfigs, 'read'>;
}

/** Returns the config for processes: an app's own, or a preview's own over its app's current one. */
export class EffectiveConfig {
  readonly #options: EffectiveConfigOptions;

  constructor(options: EffectiveConfigOptions) {
    this.#options = options;
  }

  /** @param version of the app's own config @throws Refusal as `AppConfigs.read` does */
  async read(id: string, version: number): Promise<AppConfig> {
    const { store, configs } = this.#options;
    const own = await configs.read(id, version);
    const preview = store.find(id)?.preview;
    const parent = preview === undefined ? undefined : store.find(preview.of);
    return parent === undefined ? own : laidOver(await configs.read(parent.id, parent.config), own);
  }
}

/** Merges two configs: vars one by one, secrets as a whole. */
export function laidOver(below: AppConfig, own: AppConfig): AppConfig {
  const secrets = own.secretsToml.trim() === '' ? below : own;
  return {
    ...own,
    vars: { ...below.vars, ...own.vars },
    secretsToml: secrets.secretsToml,
    secretsChanged: secrets.secretsChanged,
  };
}
