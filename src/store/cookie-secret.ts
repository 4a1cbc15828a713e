import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Turns } from '../lib/turns.js';
import { hasCode } from '../errors.js';
import type { Paths } from './paths.js';
import type { Vault } from './vault.js';

/** The name of the encrypted file, without its ending. */
const FILE = 'cookie-secret';

/**
 * Each app's own secret for signing its visitors' cookies, made once: with a new one at every start, Streamlit would log
 * everybody out whenever the app restarts.
 */
export class CookieSecrets {
  readonly #paths: Paths;
  readonly #vault: Vault;
  readonly #turns = new Turns();

  constructor(paths: Paths, vault: Vault) {
    this.#paths = paths;
    this.#vault = vault;
  }

  /** @throws Refusal where it cannot be read */
  async of(app: string): Promise<string> {
    return this.#turns.take(app, async () => {
      const plain = await this.#plain(app);
      const known = plain === undefined ? await this.#vault.read(app, FILE) : undefined;
      if (known !== undefined) return known;
      const secret = plain ?? randomBytes(32).toString('hex');
      await this.#vault.write(app, FILE, secret);
      await rm(this.#plainFile(app), { force: true });
      return secret;
    });
  }

  /** Encrypts what an earlier version of the server has left as plain text. @throws Refusal where the vault cannot be written */
  async seal(app: string): Promise<void> {
    if ((await this.#plain(app)) !== undefined) await this.of(app);
  }

  async #plain(app: string): Promise<string | undefined> {
    try {
      return (await readFile(this.#plainFile(app), 'utf8')).trim();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  #plainFile(app: string): string {
    return join(this.#paths.app(app), 'cookie-secret');
  }
}
