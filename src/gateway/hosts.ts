import { isIP } from 'node:net';
import { isLoopback, nameOf } from '../domain/access/origins.js';
import type { TrustedProxies } from '../domain/access/visitor.js';

/** The host names that the server accepts. */
export interface HostRule {
  publicBase: string;
  /** The address it listens on. */
  bind: string;
  /** Names added by the operator. */
  named: readonly string[];
}

/**
 * Returns whether a request may use this host: the public URL's, a loopback name, or one added by the operator. With
 * DNS rebinding, a page of another site uses its own name. An IP address cannot be rebound, so any is accepted if the
 * server can be reached by address. Ports do not matter.
 * @param host as in the Host header; undefined in HTTP/1.0, which no browser speaks
 */
export function isOurHost(host: string | undefined, { publicBase, bind, named }: HostRule): boolean {
  if (host === undefined) return true;
  const name = nameOf(host);
  if (name === undefined) return false;
  if (isLoopback(name) || (isIP(name) !== 0 && !isLoopback(bind))) return true;
  return [new URL(publicBase).host, ...named].some((ours) => nameOf(ours) === name);
}

/**
 * Returns whether an address stands for many clients: a trusted proxy, or this machine, if people use the server
 * under another name.
 */
export function isManyBehind(address: string, publicBase: string, proxies: Pick<TrustedProxies, 'has'>): boolean {
  if (proxies.has(address)) return true;
  return isLoopback(address.replace(/^::ffff:/, '')) && !isLoopback(nameOf(new URL(publicBase).host) ?? '');
}
