import { findRelease, pendingRelease } from '../domain/app/app.js';
import { diffConfigs, type ConfigDiff, type ConfigValues } from '../domain/config/diff.js';
import { checkVars, mergeVars } from '../domain/config/vars.js';
import { Turns } from '../lib/turns.js';
import { NO_CONFIG, varsOf, type AppConfig, type AppConfigs } from '../store/app-config.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import type { EffectiveConfig } from '../app-config/effective.js';
import { missingIn } from '../deploys/hints.js';
import type { Deploy } from '../deploys/ongoing.js';
import type { Reader } from '../deploys/reader.js';
import type { Principal } from '../domain/access/principal.js';
import type { ConfigVars, VarsPatch } from '../domain/config/vars.js';
import type { MissingKey } from '../domain/project/hints.js';
import type { AppSources } from './source.js';
import type { Rotation, Vault } from '../store/vault.js';
import type { Deploys } from '../deploys/deploys.js';

/** A change of an app's config; omitted parts stay unchanged. */
export interface ConfigChange {
  /** All vars, or changes to some. */
  vars?: { replace: ConfigVars } | { patch: VarsPatch };
  /** secrets.toml; empty = none. */
  secretsToml?: string;
}

/** A stored change, and the deploy that applies it, if there is one. */
export interface ConfigChanged {
  config: AppConfig;
  deploy: Deploy | undefined;
}

export interface ConfigsOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  reader: Reader;
  configs: AppConfigs;
  /** Returns what processes get: a preview's config overrides its app's. */
  effective: Pick<EffectiveConfig, 'read'>;
  sources: AppSources;
  vault: Vault;
  deploys: Pick<Deploys, 'request' | 'find'>;
}

/** Changes the config vars and secrets of apps, and deploys the changes. */
export class Configs {
  readonly #options: ConfigsOptions;
  readonly #turns = new Turns();

  constructor(options: ConfigsOptions) {
    this.#options = options;
  }

  /** Returns the config for new releases of an app. @throws Refusal `app-not-found`, those of the vault */
  async of(id: string): Promise<AppConfig> {
    const { store, configs } = this.#options;
    return configs.read(id, store.get(id).config);
  }

  /**
   * Stores a change. If the app is live, the live commit is deployed with it in the same environment. A deploy that
   * has not started its process yet picks up the change.
   * @throws Refusal of names, values and secrets that cannot be; nothing is changed then
   */
  async change(id: string, change: ConfigChange, by: Principal): Promise<ConfigChanged> {
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
      if (change.secretsToml !== undefined)
        await this.#options.reader.read('The secrets', 'secrets', change.secretsToml);
      const config = await configs.change(
        id,
        before.version,
        {
          ...(vars === undefined ? {} : { vars }),
          ...(change.secretsToml === undefined ? {} : { secretsToml: change.secretsToml }),
        },
        by.name,
      );
      return {
        config,
        deploy: config.version === before.version ? undefined : await this.#apply(id, config.version, by),
      };
    });
  }

  /** Returns what differs between two versions, by name. @throws Refusal where one of them is gone or cannot be read */
  async diff(id: string, from: number, to: number): Promise<ConfigDiff> {
    const [before, after] = await Promise.all([from, to].map((version) => this.#options.configs.read(id, version)));
    return diffConfigs(valuesOf(before), valuesOf(after));
  }

  /** Rotates the encryption key. */
  async rotateKey(): Promise<Rotation> {
    return this.#options.vault.rotate();
  }

  /** Returns the keys that the newest code reads and that are not set. @throws Refusal `app-not-found`, those of the vault */
  async missing(id: string): Promise<MissingKey[]> {
    const { store, paths, git, reader, effective, sources } = this.#options;
    const app = store.get(id);
    const config = await effective.read(id, app.config);
    const commit = await sources.of(app).newest(app);
    return commit === undefined ? [] : missingIn(reader, new Repository(paths.repository(id), git), commit, config);
  }

  /** Makes a version the one for new releases, and deploys it if the app is live. */
  async #apply(id: string, version: number, by: Principal): Promise<Deploy | undefined> {
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
