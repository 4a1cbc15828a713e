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

/** A change of an app's config; what is left out stays unchanged. */
export interface ConfigChange {
  /** All vars, or a change of some. */
  vars?: { replace: ConfigVars } | { patch: VarsPatch };
  /** secrets.toml; empty = none. */
  secretsToml?: string;
}

/** A change that was stored, and the deploy that applies it, where there is one. */
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
  /** What processes get: a preview's config lies over its app's. */
  effective: Pick<EffectiveConfig, 'read'>;
  sources: AppSources;
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

  /** What changes from one version to the other, by name. @throws Refusal where one of them is gone or cannot be read */
  async diff(id: string, from: number, to: number): Promise<ConfigDiff> {
    const [before, after] = await Promise.all([from, to].map((version) => this.#options.configs.read(id, version)));
    return diffConfigs(valuesOf(before), valuesOf(after));
  }

  /** A new key for everything that is encrypted. */
  async rotateKey(): Promise<Rotation> {
    return this.#options.vault.rotate();
  }

  /** The keys that the newest code asks for and that are not set. @throws Refusal `app-not-found`, those of the vault */
  async missing(id: string): Promise<MissingKey[]> {
    const { store, paths, git, reader, effective, sources } = this.#options;
    const app = store.get(id);
    const config = await effective.read(id, app.config);
    const commit = await sources.of(app).newest(app);
    return commit === undefined ? [] : missingIn(reader, new Repository(paths.repository(id), git), commit, config);
  }

  /** Makes a version the one that new releases get, and sees to it that what serves has it. */
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
