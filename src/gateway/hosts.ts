import { isIP } from 'node:net';
import { isLoopback, nameOf } from '../domain/access/origins.js';
import type { TrustedProxies } from '../domain/access/visitor.js';

/** Under which names the server answers. */
export interface HostRule {
  publicBase: string;
  /** The address it listens on. */
  bind: string;
  /** Names that the operator adds. */
  named: readonly string[];
}

/**
 * True where a request may name this host: the public base's, loopback's, and those that the operator adds. A page of
 * another site whose name is made to lead here (DNS rebinding) gives itself away by that name. A number cannot be made
 * to lead elsewhere, so any is fine where the server can be reached by numbers. Ports do not matter to any of this.
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
 * True for the address of a proxy: one that is trusted, or one on this machine, where people use the server under another
 * name and come from here all the same.
 */
export function isManyBehind(address: string, publicBase: string, proxies: Pick<TrustedProxies, 'has'>): boolean {
  if (proxies.has(address)) return true;
  return isLoopback(address.replace(/^::ffff:/, '')) && !isLoopback(nameOf(new URL(publicBase).host) ?? '');
}
