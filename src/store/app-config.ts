import { z } from 'zod';
import type { ConfigVars } from '../domain/config/vars.js';
import { secretValues } from '../domain/config/secrets.js';
import { Turns } from '../lib/turns.js';
import { Refusal } from '../errors.js';
import { createMask } from '../logs/mask.js';
import type { Vault } from './vault.js';

const change = { changedAt: z.string(), changedBy: z.string() };

const configSchema = z.object({
  /** 1, 2, 3 … per app; 0 is the empty one that every app begins with. */
  version: z.number().int(),
  vars: z.record(z.string(), z.object({ value: z.string(), ...change })),
  /** The secrets.toml as set; empty where there is none. */
  secretsToml: z.string(),
  /** The last change of the secrets, apart from that of the vars. */
  secretsChanged: z.object(change).nullable(),
  ...change,
});

/** The config vars and secrets of an app at one moment. A version is never changed: a release runs with the one that it names. */
export type AppConfig = z.infer<typeof configSchema>;

const fileSchema = z.object({ versions: z.array(configSchema) });

/** What an app has before anything is set. */
export const NO_CONFIG: AppConfig = {
  version: 0,
  vars: {},
  secretsToml: '',
  secretsChanged: null,
  changedAt: '',
  changedBy: '',
};

/** The name of the encrypted file, without its ending. */
const FILE = 'config';

/** The configs of all apps, encrypted, each app's versions in one file. */
export class AppConfigs {
  readonly #vault: Vault;
  readonly #turns = new Turns();
  /** Hides the values of all versions; renewed with every change, so that long-lived log filters hide new values too. */
  readonly #masks = new Map<string, (text: string) => string>();
  /** What was read last: a deploy asks for it from several sides. The masks hold its values anyway. */
  readonly #kept = new Map<string, { stamp: string; versions: readonly AppConfig[] }>();

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /**
   * One version.
   * @throws Refusal `config-missing` where it is not kept any more; those of the vault where it cannot be read
   */
  async read(app: string, version: number): Promise<AppConfig> {
    if (version === NO_CONFIG.version) return NO_CONFIG;
    const found = (await this.#load(app)).find((config) => config.version === version);
    if (found === undefined) {
      throw new Refusal(
        'conflict',
        'config-missing',
        `Version ${version} of the config of ${app} is no longer stored. Set the config again.`,
      );
    }
    return found;
  }

  /**
   * Keeps a new version, made of an older one.
   * @param from the version that is changed
   * @param next what it becomes; where that is the same, no version is made
   */
  async change(
    app: string,
    from: number,
    next: { vars?: ConfigVars; secretsToml?: string },
    by: string,
  ): Promise<AppConfig> {
    return this.#turns.take(app, async () => {
      const before = await this.read(app, from);
      const stamp = { changedAt: new Date().toISOString(), changedBy: by };
      const vars = next.vars === undefined ? before.vars : stamped(before.vars, next.vars, stamp);
      const secretsToml = next.secretsToml ?? before.secretsToml;
      if (same(before.vars, vars) && secretsToml === before.secretsToml) return before;
      const versions = await this.#load(app);
      const config: AppConfig = {
        version: 1 + Math.max(0, ...versions.map((each) => each.version)),
        vars,
        secretsToml,
        secretsChanged: secretsToml === before.secretsToml ? before.secretsChanged : stamp,
        ...stamp,
      };
      await this.#save(app, [...versions, config]);
      return config;
    });
  }

  /**
   * Forgets the versions that nobody can come back to.
   * @param wanted the versions to keep, looked at when it is the turn of this; the newest one is always kept
   */
  async tidy(app: string, wanted: () => readonly number[]): Promise<void> {
    await this.#turns.take(app, async () => {
      const versions = await this.#load(app);
      const keep = new Set(wanted());
      // One that was just made is not named by anything yet.
      const newest = Math.max(...keep);
      const kept = versions.filter(({ version }) => keep.has(version) || version > newest);
      if (kept.length < versions.length) await this.#save(app, kept);
    });
  }

  /**
   * Hides the app's values in text, those of every kept version. What is returned goes on to hide those that are set later.
   * @throws Refusal where the values cannot be read
   */
  async mask(app: string): Promise<(text: string) => string> {
    const versions = await this.#load(app);
    this.#renewMask(app, versions);
    return (text) => this.#masks.get(app)?.(text) ?? text;
  }

  /** Forgets an app that was removed; its file went with its folder. */
  forget(app: string): void {
    this.#masks.delete(app);
    this.#kept.delete(app);
  }

  /** Decrypts only what has changed on disk, or has another key there. */
  async #load(app: string): Promise<readonly AppConfig[]> {
    const stamp = await this.#vault.stamp(app, FILE);
    const kept = this.#kept.get(app);
    if (kept?.stamp === stamp) return kept.versions;
    const text = await this.#vault.read(app, FILE);
    const versions = text === undefined ? [] : fileSchema.parse(JSON.parse(text)).versions;
    this.#kept.set(app, { stamp, versions });
    return versions;
  }

  async #save(app: string, versions: AppConfig[]): Promise<void> {
    // First, so that nothing is said with a value that is not hidden yet.
    this.#renewMask(app, versions);
    await this.#vault.write(app, FILE, JSON.stringify({ versions }));
    this.#kept.delete(app);
  }

  #renewMask(app: string, versions: readonly AppConfig[]): void {
    this.#masks.set(app, createMask(versions.flatMap(valuesOf)));
  }
}

/** The values themselves, by name. */
export function varsOf(config: AppConfig): ConfigVars {
  return Object.fromEntries(Object.entries(config.vars).map(([name, { value }]) => [name, value]));
}

function valuesOf(config: AppConfig): string[] {
  return [...Object.values(config.vars).map(({ value }) => value), ...secretValues(config.secretsToml)];
}

/** Only what has another value has another time. */
function stamped(
  before: AppConfig['vars'],
  values: ConfigVars,
  stamp: { changedAt: string; changedBy: string },
): AppConfig['vars'] {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const known = Object.hasOwn(before, name) ? before[name] : undefined;
      return [name, known?.value === value ? known : { value, ...stamp }];
    }),
  );
}

function same(a: AppConfig['vars'], b: AppConfig['vars']): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name]?.value === b[name]?.value);
}
