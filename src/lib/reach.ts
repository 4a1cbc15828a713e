import { lookup as resolve, type LookupAddress } from 'node:dns';
import { request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { hasCode } from '../errors.js';

/** How long (ms) a destination has to answer. */
const LIMIT_MS = 10_000;
/** How much (bytes) of an answer is read. */
const MAX_ANSWER = 16 * 1024;

/** A request that is posted. */
export interface Posted {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** The answer to a request, or its beginning. */
interface Answered {
  status: number;
  body: string;
}

/** Why a destination was not reached, in one sentence that says nothing of a network that its owner may not see. */
export class Unreached extends Error {
  override readonly name = 'Unreached';
}

/** Returns whether an IP address is one that everybody on the internet may ask: not this machine, not its network. */
export function isPublic(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}

/** Returns whether a secret can be sent in a header, as one word: of visible ASCII characters alone, or empty. */
export function fitsHeader(secret: string): boolean {
  return /^[\x21-\x7e]*$/.test(secret);
}

/**
 * Sends a request and returns the status and the beginning of the answer. Redirects are not followed.
 * @param anywhere false where only public addresses may be reached, which is checked when the connection is made: a name may mean
 *   another address then
 * @throws Unreached
 */
export async function post(
  { url, headers, body }: Posted,
  { anywhere, limitMs = LIMIT_MS }: { anywhere: boolean; limitMs?: number },
): Promise<Answered> {
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (!anywhere && isIP(host) !== 0 && !isPublic(host)) throw notPublic();
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    ...(anywhere ? {} : { lookup: publicLookup }),
  };
  const { status, body: answer } = await send(target, options, { body, limitMs, most: MAX_ANSWER });
  return { status, body: answer };
}

/**
 * Gets a document from a server that an admin has named, or that is known. Redirects are not followed.
 * @param most how large (bytes) the answer may be
 * @throws Unreached also where the answer is larger
 */
export async function get(
  url: string,
  { limitMs = LIMIT_MS, most }: { limitMs?: number; most: number },
): Promise<Answered> {
  const { cut, ...answer } = await send(new URL(url), { headers: { accept: 'application/json' } }, { limitMs, most });
  if (cut) throw new Unreached('Its answer is too large.');
  return answer;
}

/** @param most how much (bytes) of the answer is read */
function send(
  target: URL,
  options: RequestOptions,
  { body, limitMs, most }: { body?: string; limitMs: number; most: number },
): Promise<Answered & { cut: boolean }> {
  const all = {
    ...options,
    agent: false as const,
    headers: { ...options.headers, 'user-agent': 'streamlit-host' },
    signal: AbortSignal.timeout(limitMs),
  };
  return new Promise<Answered & { cut: boolean }>((settle, reject) => {
    const asked = (target.protocol === 'https:' ? requestHttps : requestHttp)(target, all, (answer) => {
      const parts: Buffer[] = [];
      let size = 0;
      const done = (): void => {
        const read = Buffer.concat(parts).toString('utf8', 0, most);
        settle({ status: answer.statusCode ?? 0, body: read, cut: size > most });
        answer.destroy();
      };
      answer.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > most) done();
      });
      answer.on('end', done);
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  }).catch((error: unknown) => {
    // Also where the request could not even be made, such as with a header that Node refuses.
    throw unreached(error instanceof Error ? error : new Error(String(error)), limitMs);
  });
}

/** Resolves a name to its public addresses alone. */
export const publicLookup: LookupFunction = (host, options, callback) => {
  resolve(host, { ...options, all: true }, (error, found: LookupAddress[]) => {
    if (error !== null) return callback(error, '', 0);
    const allowed = found.filter(({ address }) => isPublic(address));
    const [first] = allowed;
    if (first === undefined) return callback(notPublic(), '', 0);
    if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};

/** The refusal of an address that is not public. */
export function notPublic(): Unreached {
  return new Unreached('Its address is not public. Only an admin can add a destination in a private network.');
}

/** Says why a connection failed, without naming addresses. */
export function unreached(error: Error, limitMs = LIMIT_MS): Unreached {
  if (error instanceof Unreached) return error;
  if (error.name === 'TimeoutError' || error.name === 'AbortError')
    return new Unreached(`It did not answer within ${limitMs / 1_000} s.`);
  if (hasCode(error, 'ENOTFOUND') || hasCode(error, 'EAI_AGAIN'))
    return new Unreached('Its host name cannot be resolved.');
  if (hasCode(error, 'ERR_INVALID_CHAR')) return new Unreached('Its secret has a character that cannot be sent.');
  if (hasCode(error, 'ECONNREFUSED')) return new Unreached('It refuses connections.');
  if ('code' in error && /CERT|SSL|TLS|SELF_SIGNED|LEAF/.test(String(error.code)))
    return new Unreached('Its certificate is not valid.');
  return new Unreached('The connection failed.');
}
