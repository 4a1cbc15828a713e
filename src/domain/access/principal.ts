import type { Scope } from './scopes.js';

/** What a token is for. */
export interface Limits {
  scope: Scope;
  /** The apps that it is for, with their previews; undefined = all. */
  apps: readonly string[] | undefined;
}

/** Who acts: a person, a token (a script), or the server itself. Every door names one, and every record keeps its name. */
export interface Principal {
  readonly kind: 'person' | 'token' | 'system';
  /** As commits and the list of deploys show it. */
  readonly name: string;
  /** The id of the account that acts; undefined for the admin token and the server itself. */
  readonly account?: string;
  /** True where everything is allowed. */
  readonly admin?: boolean;
  /** The groups of the account. */
  readonly groups?: readonly string[];
  /** What a token is limited to, of what its person may do. */
  readonly limits?: Limits;
  /** The app that a deploy token belongs to, which is its developer. */
  readonly deploys?: string;
}

/** The holder of the admin token. @param kind a script, or a person who logged in with it */
export function adminToken(kind: 'token' | 'person'): Principal {
  return { kind, name: 'admin', admin: true };
}

/** The server acting by itself. @param name what records show, such as `streamlit-host` */
export function system(name = 'streamlit-host'): Principal {
  return { kind: 'system', name, admin: true };
}

/** Returns whether somebody may do all that they ever may: a token of a person or an app is for less, and for a time. */
export function isWhole({ limits, deploys }: Principal): boolean {
  return limits === undefined && deploys === undefined;
}

/** Who a token belongs to; undefined where it is nobody's. Takes the same time for every token. */
export type CheckToken = (token: string) => Principal | undefined;

/** The longest `Authorization` header worth decoding; a longer one is nobody's. */
const MAX_HEADER = 4_096;

/**
 * The token that an `Authorization` header carries: `Bearer <token>`, or `Basic` with any user name and the token as
 * the password, which is what git and `curl -u` can send. Anything else is not a token; nothing throws.
 * @see https://www.rfc-editor.org/rfc/rfc7617
 */
export function tokenOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length > MAX_HEADER) return undefined;
  const [, scheme = '', rest = ''] = /^([a-z]+) +([^\s]+) *$/i.exec(header) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return present(rest);
    case 'basic':
      return password(rest);
    default:
      return undefined;
  }
}

/** Who an `Authorization` header speaks for; undefined where it speaks for nobody. */
export function authenticate(header: string | undefined, check: CheckToken): Principal | undefined {
  const token = tokenOf(header);
  return token === undefined ? undefined : check(token);
}

function password(encoded: string): string | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : present(pair.slice(colon + 1));
}

function present(token: string): string | undefined {
  return token === '' ? undefined : token;
}
