import type { App } from '../domain/app/app.js';
import type { AppConfig, AppConfigs } from '../store/app-config.js';

/** Where configs and the apps that they belong to are found. */
export interface EffectiveConfigOptions {
  store: { find(id: string): App | undefined };
  configs: Pick<AppConfigs, 'read'>;
}

/** The config that processes get: an app's own or, for a preview, its own laid over that of its app as it is now. */
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

/** One config over another: each var by itself, the secrets as a whole. */
export function laidOver(below: AppConfig, own: AppConfig): AppConfig {
  const secrets = own.secretsToml.trim() === '' ? below : own;
  return {
    ...own,
    vars: { ...below.vars, ...own.vars },
    secretsToml: secrets.secretsToml,
    secretsChanged: secrets.secretsChanged,
  };
}
