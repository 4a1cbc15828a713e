import { findRelease, pendingRelease } from '../domain/app/app.js';
import { diffConfigs, type ConfigDiff, type ConfigValues } from '../domain/config/diff.js';
import { checkVars, mergeVars } from '../domain/config/vars.js';
import { checkSecrets } from '../domain/config/secrets.js';
import { Turns } from '../lib/turns.js';
import { Refusal } from '../errors.js';
import { NO_CONFIG, varsOf, type AppConfig, type AppConfigs } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import type { CookieSecrets } from '../store/cookie-secret.js';
import type { Rotation, Vault } from '../store/vault.js';
import { createMask } from '../logs/mask.js';
import type { ConfigChange, ConfigChanged, Deploy } from '../host/apps.js';
import type { Deploys } from '../deploys/deploys.js';

export interface ConfigsOptions {
  store: AppStore;
  configs: AppConfigs;
  cookies: CookieSecrets;
  vault: Vault;
  deploys: Pick<Deploys, 'request' | 'find'>;
}

/** The config vars and secrets of apps, and how a change of them gets to the visitors. */
export class Configs {
  readonly #options: ConfigsOptions;
  readonly #turns = new Turns();

  constructor(options: ConfigsOptions) {
    this.#options = options;
  }

  /** What new releases of an app get. @throws Refusal `app-not-found`, those of the vault */
  async of(id: string): Promise<AppConfig> {
    const { store, configs } = this.#options;
    return configs.read(id, store.get(id).config);
  }

  /**
   * Stores a change. Where the app is live, the live commit is deployed with it, in its environment as it is; a deploy that
   * is under way and has not started its process yet takes the change along.
   * @throws Refusal of names, values and secrets that cannot be; nothing is changed then
   */
  async change(id: string, change: ConfigChange, by: string): Promise<ConfigChanged> {
    return this.#turns.take(id, async () => {
      const { configs } = this.#options;
      const before = await this.of(id);
      const vars =
        change.vars === undefined
          ? undefined
          : 'patch' in change.vars
            ? mergeVars(varsOf(before), change.vars.patch)
            : mergeVars({}, change.vars.replace);
      if (vars !== undefined) checkVars(vars);
      if (change.secretsToml !== undefined) checkSecrets(change.secretsToml);
      const config = await configs.change(
        id,
        before.version,
        {
          ...(vars === undefined ? {} : { vars }),
          ...(change.secretsToml === undefined ? {} : { secretsToml: change.secretsToml }),
        },
        by,
      );
      return {
        config,
        deploy: config.version === before.version ? undefined : await this.#apply(id, config.version, by),
      };
    });
  }

  /** What changes from one version to the other, by name. @throws Refusal where one of them is gone or cannot be read */
  async diff(id: string, from: number, to: number): Promise<ConfigDiff> {
    const [before, after] = await Promise.all([from, to].map((version) => this.#options.configs.read(id, version)));
    return diffConfigs(valuesOf(before), valuesOf(after));
  }

  /** A new key for everything that is encrypted. */
  async rotateKey(): Promise<Rotation> {
    return this.#options.vault.rotate();
  }

  /**
   * Hides an app's values in text, also those that are set later.
   * @throws Refusal where they cannot be read, and so cannot be hidden
   */
  async mask(id: string): Promise<(text: string) => string> {
    const { configs, cookies, store } = this.#options;
    const hide = await configs.mask(id);
    if (store.find(id) === undefined) return hide;
    // An app whose cookie secret cannot be read runs with one of the moment.
    const secret = await cookies.of(id).catch((error: unknown) => {
      if (error instanceof Refusal) return undefined;
      throw error;
    });
    const hideSecret = createMask(secret === undefined ? [] : [secret]);
    // A preview knows what its app knows.
    const { preview } = store.find(id) ?? {};
    const hideBelow = preview === undefined ? (text: string): string => text : await this.mask(preview.of);
    return (text) => hideBelow(hideSecret(hide(text)));
  }

  /** Forgets the versions that no kept release names. */
  async tidy(id: string): Promise<void> {
    const { store, configs } = this.#options;
    if (store.find(id) === undefined) return;
    await configs.tidy(id, () => {
      const app = store.find(id);
      return app === undefined ? [] : [app.config, ...app.releases.map((release) => release.config ?? 0)];
    });
  }

  /** Forgets what is in memory of an app that was removed. */
  forget(id: string): void {
    this.#options.configs.forget(id);
  }

  /** Makes a version the one that new releases get, and sees to it that what serves has it. */
  async #apply(id: string, version: number, by: string): Promise<Deploy | undefined> {
    const { store, deploys } = this.#options;
    for (;;) {
      const app = await store.update(id, (current) => {
        const pending = pendingRelease(current);
        return {
          ...current,
          config: version,
          // Its process is not made yet.
          releases: current.releases.map((one) =>
            one === pending && one.state !== 'starting' ? { ...one, config: version } : one,
          ),
        };
      });
      const pending = pendingRelease(app);
      const underWay = pending === undefined ? undefined : deploys.find(id, pending.number);
      if (pending !== undefined && pending.config === version) return underWay;
      // One that is just being started and checked goes first: to supersede it would lose somebody's push.
      if (underWay !== undefined) {
        await underWay.done;
        continue;
      }
      const live = findRelease(app, app.live);
      if (live === undefined || live.config === version) return undefined;
      return deploys.request({ app: id, commit: live.commit, branch: live.branch, by, source: 'config', of: live });
    }
  }
}

function valuesOf(config: AppConfig = NO_CONFIG): ConfigValues {
  return { vars: varsOf(config), secretsToml: config.secretsToml };
}
