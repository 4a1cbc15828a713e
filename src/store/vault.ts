import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { replaceFile } from '../lib/replace-file.js';
import { z } from 'zod';
import { Turns } from '../lib/turns.js';
import { hasCode, messageOf, Refusal } from '../errors.js';
import type { Paths } from './paths.js';

/** Stands for an app where a file belongs to the machine; no app can have this id. */
export const MACHINE = ':machine';

/** What the names of encrypted files end with. */
const SEALED = '.enc';
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
/** What GCM was made for (NIST SP 800-38D, 5.2.1.1). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const base64 = z.string().regex(/^[A-Za-z0-9+/]+=*$/);

/** data/vault.key: the key for whatever is written now, and those that older files still need while keys are changed. */
const ringSchema = z.object({ version: z.literal(1), current: z.string(), keys: z.record(z.string(), base64) });

/** An encrypted file: which key, and the cipher text with its tag behind it. */
const sealedSchema = z.object({ version: z.literal(1), key: z.string(), nonce: base64, data: base64 });

type Ring = z.infer<typeof ringSchema>;

/** What a change of keys came to. */
export interface Rotation {
  /** The id of the new key. */
  key: string;
  /** The number of files that were encrypted again. */
  files: number;
  /** One sentence for each file that could not be read; the key that it names is kept. */
  problems: string[];
}

/**
 * Small files of apps and of the machine, encrypted with AES-256-GCM under a key that lies beside them in the data folder, readable by its
 * owner alone. Each is bound to its app and its name, so that none can be put in another's place. The key is read for every
 * use: it is needed rarely, and a key file that is put back heals everything at once.
 */
export class Vault {
  readonly #paths: Paths;
  /** One change at a time, so that none is written with a key that is just being taken away. */
  readonly #turns = new Turns();

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /**
   * Makes the key where there is nothing encrypted yet, and ends a change of keys that was interrupted.
   * @returns one sentence for each thing that cannot be read
   */
  async open(): Promise<string[]> {
    return this.#turns.take('', async () => {
      try {
        await this.#sweep();
        const known = await this.#readRing();
        if (known === undefined && (await this.#files()).length === 0) {
          await this.#writeRing(withNewKey({}));
          return [];
        }
        await chmod(this.#paths.vaultKey, 0o600).catch(() => undefined);
        const ring = known ?? missing(this.#paths.vaultKey);
        return Object.keys(ring.keys).length > 1 ? (await this.#finish(ring)).problems : [];
      } catch (error) {
        if (error instanceof Refusal) return [error.message];
        throw error;
      }
    });
  }

  /**
   * The text of an app's file; undefined where there is no such file.
   * @param name without the ending that encrypted files have
   * @throws Refusal `vault-key-missing`, `vault-key-unreadable`, `vault-key-wrong`, `vault-file-damaged`
   */
  async read(app: string, name: string): Promise<string | undefined> {
    const sealed = await readIfThere(this.#path(app, name));
    return sealed === undefined ? undefined : unseal(sealed, app, name, await this.#ring()).text;
  }

  /**
   * Tells an app's file and the key from what they were: the same for as long as both are as they were on disk, so that
   * what was read under a stamp may be used again. It must be taken before the file is read.
   */
  async stamp(app: string, name: string): Promise<string> {
    return (await Promise.all([this.#path(app, name), this.#paths.vaultKey].map(stampOf))).join(' ');
  }

  /**
   * Writes an app's file, whole or not at all.
   * @throws Refusal `vault-key-missing`, `vault-key-unreadable`; `app-not-found` where the app's folder is gone
   */
  async write(app: string, name: string, text: string): Promise<void> {
    await this.#turns.take('', async () => {
      const sealed = seal(text, app, name, await this.#ring());
      try {
        await replaceFile(this.#path(app, name), sealed, { mode: 0o600 });
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
        throw new Refusal('not-found', 'app-not-found', `There is no app "${app}".`);
      }
    });
  }

  /**
   * Makes a new key, encrypts everything with it and throws the old one away. Both keys are known until the last file
   * is done, so everything can be read at every moment, and `open` ends what a crash interrupts.
   * @throws Refusal `vault-key-missing`, `vault-key-unreadable`
   */
  async rotate(): Promise<Rotation> {
    return this.#turns.take('', async () => {
      const ring = withNewKey((await this.#ring()).keys);
      await this.#writeRing(ring);
      return this.#finish(ring);
    });
  }

  /** Encrypts whatever is under an older key with the current one, then forgets the keys that nothing needs any more. */
  async #finish(ring: Ring): Promise<Rotation> {
    const needed = new Set([ring.current]);
    const problems: string[] = [];
    let files = 0;
    for (const { app, name } of await this.#files()) {
      const path = this.#path(app, name);
      const sealed = await readIfThere(path);
      if (sealed === undefined) continue;
      try {
        const { text, key } = unseal(sealed, app, name, ring);
        if (key === ring.current) continue;
        await replaceFile(path, seal(text, app, name, ring), { mode: 0o600 });
        files += 1;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) continue; // The app was removed meanwhile.
        if (!(error instanceof Refusal)) throw error;
        problems.push(error.message);
        // Whatever is wrong with the file: the key that it names must not go.
        const named = keyOf(sealed);
        if (named !== undefined) needed.add(named);
      }
    }
    const keys = Object.fromEntries(Object.entries(ring.keys).filter(([id]) => needed.has(id)));
    if (Object.keys(keys).length < Object.keys(ring.keys).length) await this.#writeRing({ ...ring, keys });
    return { key: ring.current, files, problems };
  }

  async #ring(): Promise<Ring> {
    return (await this.#readRing()) ?? missing(this.#paths.vaultKey);
  }

  /** @throws Refusal `vault-key-unreadable` */
  async #readRing(): Promise<Ring | undefined> {
    const path = this.#paths.vaultKey;
    try {
      const text = await readIfThere(path);
      if (text === undefined) return undefined;
      const ring = ringSchema.parse(JSON.parse(text));
      const sized = Object.values(ring.keys).every((key) => Buffer.from(key, 'base64').length === KEY_BYTES);
      if (sized && Object.hasOwn(ring.keys, ring.current)) return ring;
    } catch (error) {
      // What the parser says may quote the key.
      if (!(error instanceof SyntaxError || error instanceof z.ZodError)) {
        throw new Refusal(
          'unavailable',
          'vault-key-unreadable',
          `Cannot read the key file ${path}: ${messageOf(error)}.`,
        );
      }
    }
    throw new Refusal(
      'unavailable',
      'vault-key-unreadable',
      `${path} is not a key file. Restore the one that belongs to this data folder.`,
    );
  }

  async #writeRing(ring: Ring): Promise<void> {
    // It may be a link to where keys are kept.
    const path = await realpath(this.#paths.vaultKey).catch(ifThere(this.#paths.vaultKey));
    await replaceFile(path, `${JSON.stringify(ring)}\n`, { mode: 0o600 });
  }

  /** Every encrypted file of every app. */
  async #files(): Promise<{ app: string; name: string }[]> {
    const folders = await readdir(this.#paths.apps, { withFileTypes: true }).catch(ifThere([]));
    const apps = folders.filter((folder) => folder.isDirectory()).map(({ name }) => name);
    const found = await Promise.all(
      [...apps, MACHINE].map(async (app) =>
        (await readdir(this.#folder(app)).catch(ifThere<string[]>([])))
          .filter((file) => file.endsWith(SEALED))
          .map((file) => ({ app, name: file.slice(0, -SEALED.length) })),
      ),
    );
    return found.flat();
  }

  /** Half-written copies of the key file, which a crash has left. */
  async #sweep(): Promise<void> {
    const path = this.#paths.vaultKey;
    for (const file of await readdir(dirname(path)).catch(ifThere<string[]>([]))) {
      if (/^\.\d+$/.test(file.slice(basename(path).length)) && file.startsWith(basename(path)))
        await rm(join(dirname(path), file), { force: true });
    }
  }

  #path(app: string, name: string): string {
    return join(this.#folder(app), `${name}${SEALED}`);
  }

  #folder(app: string): string {
    return app === MACHINE ? this.#paths.alerts : this.#paths.app(app);
  }
}

function withNewKey(keys: Ring['keys']): Ring {
  const id = randomBytes(6).toString('hex');
  return { version: 1, current: id, keys: { ...keys, [id]: randomBytes(KEY_BYTES).toString('base64') } };
}

function seal(text: string, app: string, name: string, ring: Ring): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, Buffer.from(ring.keys[ring.current] ?? '', 'base64'), nonce, {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(bindingOf(app, name));
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${JSON.stringify({ version: 1, key: ring.current, nonce: nonce.toString('base64'), data: data.toString('base64') })}\n`;
}

function unseal(sealed: string, app: string, name: string, ring: Ring): { text: string; key: string } {
  const file = parseSealed(sealed);
  if (file === undefined) throw damaged(app, name);
  const key = Object.hasOwn(ring.keys, file.key) ? ring.keys[file.key] : undefined;
  if (key === undefined) {
    throw new Refusal(
      'unavailable',
      'vault-key-wrong',
      `The file ${name}${SEALED} of ${app} was encrypted with a key that is not in vault.key. Restore the key file that belongs to this data folder.`,
    );
  }
  const data = Buffer.from(file.data, 'base64');
  const nonce = Buffer.from(file.nonce, 'base64');
  if (data.length < TAG_BYTES || nonce.length !== NONCE_BYTES) throw damaged(app, name);
  const decipher = createDecipheriv(CIPHER, Buffer.from(key, 'base64'), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(bindingOf(app, name));
  decipher.setAuthTag(data.subarray(-TAG_BYTES));
  try {
    return {
      text: Buffer.concat([decipher.update(data.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8'),
      key: file.key,
    };
  } catch {
    throw damaged(app, name); // All that OpenSSL says is that the tag does not fit.
  }
}

function keyOf(sealed: string): string | undefined {
  return parseSealed(sealed)?.key;
}

function parseSealed(sealed: string): z.infer<typeof sealedSchema> | undefined {
  try {
    return sealedSchema.parse(JSON.parse(sealed));
  } catch {
    return undefined; // Not one of our files, or cut off.
  }
}

/** What the cipher text is bound to. */
function bindingOf(app: string, name: string): Buffer {
  return Buffer.from(JSON.stringify(['streamlit-host', 1, app, name]));
}

function damaged(app: string, name: string): Refusal {
  return new Refusal(
    'unavailable',
    'vault-file-damaged',
    `The file ${name}${SEALED} of ${app} was damaged or changed on disk. Restore it from a backup.`,
  );
}

function missing(path: string): never {
  throw new Refusal(
    'unavailable',
    'vault-key-missing',
    `The key file ${path} is missing, but apps have files encrypted with it. Restore the one that belongs to this data folder.`,
  );
}

async function stampOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(ifThere(undefined));
  return found === undefined ? '-' : [found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':');
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(ifThere<string | undefined>(undefined));
}

/** What to go on with where a file or folder does not exist. */
function ifThere<T>(otherwise: T): (error: unknown) => T {
  return (error) => {
    if (hasCode(error, 'ENOENT')) return otherwise;
    throw error;
  };
}
