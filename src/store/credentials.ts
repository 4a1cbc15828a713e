import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { replaceFile } from '../lib/replace-file.js';
import { adminToken, type Principal } from '../domain/access/principal.js';
import { hasCode } from '../errors.js';

/** What a token in the file looks like; the same as for one that is given in the settings. */
const TOKEN = /^[\x21-\x7e]{16,256}$/;

/**
 * The admin token, of which only a hash is kept in memory. Given in the settings, it is used as it is; otherwise it is
 * made once and kept in a file that nobody else may read.
 */
export class Credentials {
  /** Names the token without telling it: sessions that began under another token are over. */
  readonly fingerprint: string;
  /** Signs what browsers keep that have logged in before. */
  readonly browserKey: string;
  readonly #hash: Buffer;

  /** @param token the admin token */
  constructor(token: string) {
    this.#hash = sha256(token);
    this.fingerprint = sha256(`streamlit-host session key of ${token}`).toString('hex').slice(0, 32);
    this.browserKey = sha256(`streamlit-host browser key of ${token}`).toString('hex');
  }

  /**
   * The admin token's credentials.
   * @param file where a token that was not given is kept
   * @throws Error where the file cannot be read or written, or does not hold a token
   */
  static async load(file: string, given?: string): Promise<Credentials> {
    return new Credentials(given ?? (await readToken(file)) ?? (await makeToken(file)));
  }

  /** Who a token belongs to. */
  check(token: string): Principal | undefined {
    return timingSafeEqual(sha256(token), this.#hash) ? adminToken('token') : undefined;
  }
}

async function readToken(file: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
    // A copy or a restored backup may have left it open to others.
    if (((await stat(file)).mode & 0o077) !== 0) await chmod(file, 0o600);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const token = text.trim();
  if (!TOKEN.test(token)) {
    throw new Error(`${file} does not hold a token of 16 to 256 printable characters. Delete it to get a new one.`);
  }
  return token;
}

async function makeToken(file: string): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  await mkdir(dirname(file), { recursive: true });
  await replaceFile(file, `${token}\n`, { mode: 0o600 });
  return token;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
