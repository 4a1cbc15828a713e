import { randomBytes } from 'node:crypto';
import { relative } from 'node:path';
import { hasOwnLogin } from '../domain/access/identity.js';
import type { ConfigVars } from '../domain/config/vars.js';
import { secretsFile } from '../domain/config/secrets.js';
import { Refusal } from '../errors.js';
import { varsOf } from '../store/app-config.js';
import type { CookieSecrets } from '../store/cookie-secret.js';
import type { ProcessPlace, SecretFiles } from '../store/secret-files.js';
import type { EffectiveConfig } from './effective.js';

export interface ProcessConfigOptions {
  configs: Pick<EffectiveConfig, 'read'>;
  cookies: CookieSecrets;
  files: SecretFiles;
  logger: { warn(facts: object, text: string): void };
}

/** Prepares an app's config for a process, at each start. */
export class ProcessConfig {
  readonly #options: ProcessConfigOptions;

  constructor(options: ProcessConfigOptions) {
    this.#options = options;
  }

  /**
   * Returns the config vars of a process, including the path of its secrets.toml, which is written now, and whether that
   * names a login of the app's own.
   * @param version of the config, as the release has recorded it
   * @param at the folder in which the process runs, and where a login comes back to
   * @throws Refusal where the config cannot be read
   */
  async prepare(
    place: ProcessPlace,
    version: number,
    at: { cwd: string; redirectUri: string },
  ): Promise<{ vars: ConfigVars; cookieSecret: string; ownLogin: boolean }> {
    const { configs, files } = this.#options;
    const config = await configs.read(place.app, version);
    const cookieSecret = await this.#cookieSecret(place.app);
    const vars = varsOf(config);
    const ownLogin = hasOwnLogin(config.secretsToml);
    if (config.secretsToml.trim() === '') return { vars, cookieSecret, ownLogin };
    const path = await files.write(
      place,
      secretsFile(config.secretsToml, { redirectUri: at.redirectUri, cookieSecret }),
    );
    return { vars: { ...vars, STREAMLIT_SECRETS_FILES: oneWord(path, at.cwd) }, cookieSecret, ownLogin };
  }

  /** Returns the config vars only. @throws Refusal where the config cannot be read */
  async vars(app: string, version: number): Promise<ConfigVars> {
    return varsOf(await this.#options.configs.read(app, version));
  }

  /** Deletes the secrets of a process that has ended. */
  async clear(place: ProcessPlace): Promise<void> {
    await this.#options.files.remove(place);
  }

  /** Returns the cookie secret. An app that needs nothing else from the vault starts without it, and its visitors have to log in again. */
  async #cookieSecret(app: string): Promise<string> {
    try {
      return await this.#options.cookies.of(app);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#options.logger.warn(
        { app },
        `visitors of this app will be logged out when its process stops: ${error.message}`,
      );
      return randomBytes(32).toString('hex');
    }
  }
}

/**
 * Streamlit reads the variable as a list, split at white space
 * (https://click.palletsprojects.com/en/stable/options/#multiple-options-from-environment-values); the way from the
 * process's own folder has none.
 */
function oneWord(path: string, cwd: string): string {
  return /\s/.test(path) ? relative(cwd, path) : path;
}
