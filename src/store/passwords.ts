import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import { Refusal } from '../errors.js';
import { Slots } from '../lib/slots.js';

/** How much work one guess is: N = 2^ln, as https://www.rfc-editor.org/rfc/rfc7914 has them. */
export interface Cost {
  ln: number;
  r: number;
  p: number;
}

/** Some 0.2 s and 32 MB for each guess (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html). */
export const COST: Cost = { ln: 15, r: 8, p: 3 };

/** Lengths of a password, in characters. */
const SHORTEST = 10;
const LONGEST = 200;

const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** How many hashes are computed at once; others wait. They share the threads of everything that reads files. */
const AT_ONCE = 2;

/** The most memory (bytes) that a stored hash may ask for. */
const MAX_MEMORY = 256 * 1024 * 1024;

/** `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, in base64 without padding. */
const FORMAT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

const compute = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** What a try with a password has shown. */
export interface Tried {
  right: boolean;
  /** True where the hash was made with another cost than new ones are: it is to be replaced. */
  old: boolean;
}

/** Hashes passwords with scrypt and compares them. Each hash holds its own cost, so that it can be raised later. */
export class Passwords {
  readonly #cost: Cost;
  readonly #slots = new Slots(AT_ONCE);
  /** Compared with where there is no account, so that this takes as long. */
  readonly #nobodys: string;

  constructor(cost = COST) {
    this.#cost = cost;
    this.#nobodys = format(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
  }

  /** @throws Refusal `password-weak` where a password is too short, too long or the e-mail address */
  demandGood(password: string, email: string): void {
    const length = [...password].length;
    if (length >= SHORTEST && length <= LONGEST && password.toLowerCase() !== email) return;
    const sentence = `Use a password of ${SHORTEST} to ${LONGEST} characters that is not the email address.`;
    throw new Refusal('invalid', 'password-weak', sentence, { field: 'password' });
  }

  /** Hashes a password, with a salt of its own. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    return format(this.#cost, salt, await this.#derive(password, salt, this.#cost, HASH_BYTES));
  }

  /** Compares a password with a hash. Takes as long where there is none. @param stored undefined for no account or no password */
  async try(password: string, stored: string | undefined): Promise<Tried> {
    const found = parse(stored ?? this.#nobodys) ?? parse(this.#nobodys);
    if (found === undefined) return { right: false, old: false };
    const { cost, salt, hash } = found;
    const same = timingSafeEqual(await this.#derive(password, salt, cost, hash.length), hash);
    const { ln, r, p } = this.#cost;
    return { right: same && stored !== undefined, old: cost.ln !== ln || cost.r !== r || cost.p !== p };
  }

  async #derive(password: string, salt: Buffer, { ln, r, p }: Cost, bytes: number): Promise<Buffer> {
    // The same text, whichever way a keyboard writes its accents.
    const text = password.normalize('NFKC');
    const options = { N: 2 ** ln, r, p, maxmem: MAX_MEMORY };
    return this.#slots.take('', () => compute(text, salt, bytes, options));
  }
}

function format({ ln, r, p }: Cost, salt: Buffer, hash: Buffer): string {
  const text = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(hash)}`;
}

/** Returns the parts of a hash; undefined where it is none, or would take too much memory. */
function parse(text: string): { cost: Cost; salt: Buffer; hash: Buffer } | undefined {
  const [, ln, r, p, salt = '', hash = ''] = FORMAT.exec(text) ?? [];
  if (ln === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  if (128 * 2 ** cost.ln * cost.r >= MAX_MEMORY) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}
