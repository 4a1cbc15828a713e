import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Who is at the other end of a request, as far as that can be known. */
export interface Visitor {
  /** The IP address; empty once the connection is closed. */
  address: string;
  /** By which protocol the visitor came to the proxy; undefined where no trusted proxy says so. */
  proto: 'http' | 'https' | undefined;
}

/** The proxies whose word about visitors counts: addresses and networks (`10.0.0.0/8`). */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #empty: boolean;

  /** @param entries each as `isProxyEntry` has them */
  constructor(entries: readonly string[]) {
    this.#empty = entries.length === 0;
    for (const entry of entries) {
      const [address = '', prefix] = entry.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  has(address: string): boolean {
    // With every request: a check takes several µs, and most servers have none.
    if (this.#empty) return false;
    const plain = withoutMapping(address);
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }

  /**
   * Who asks. Each proxy adds the address that it was asked from at the right end of the list, so whatever stands left of
   * the first one that is not trusted is a claim. `Forwarded` (https://www.rfc-editor.org/rfc/rfc7239) counts before
   * `X-Forwarded-For`.
   */
  visitor({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): Visitor {
    const peer = withoutMapping(socket.remoteAddress ?? '');
    if (!this.has(peer)) return { address: peer, proto: undefined };
    const hops = hopsOf(headers);
    let address = peer;
    let proto: Visitor['proto'];
    for (const hop of hops.reverse()) {
      proto = hop.proto ?? proto;
      // Hidden or unknown (RFC 7239, section 6): the proxy's own address is the last that is known.
      if (hop.address === undefined) break;
      address = hop.address;
      if (!this.has(address)) break;
    }
    return { address, proto: proto ?? protoOf(headers['x-forwarded-proto']) };
  }
}

/** True for an IP address, or a network such as `10.0.0.0/8`. */
export function isProxyEntry(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 6 ? 128 : 32));
}

interface Hop {
  address: string | undefined;
  proto: Visitor['proto'];
}

/** From the visitor to the nearest proxy. */
function hopsOf(headers: IncomingMessage['headers']): Hop[] {
  const { forwarded } = headers;
  if (forwarded !== undefined) return forwarded.split(',').map(parseForwarded);
  const list = headers['x-forwarded-for'];
  if (list === undefined) return [];
  return [list]
    .flat()
    .flatMap((line) => line.split(',').map((one) => ({ address: parseAddress(one), proto: undefined })));
}

/** One element of the header, such as `for="[2001:db8::1]:4711";proto=https`. */
function parseForwarded(element: string): Hop {
  const hop: Hop = { address: undefined, proto: undefined };
  for (const pair of element.split(';')) {
    const [name = '', value = ''] = pair.split('=', 2).map((part) => part.trim());
    const plain = value.replace(/^"|"$/g, '');
    if (/^for$/i.test(name)) hop.address = parseAddress(plain);
    else if (/^proto$/i.test(name)) hop.proto = protoOf(plain);
  }
  return hop;
}

/** An address with or without a port and brackets. */
function parseAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const [, bracketed, v4] = /^\[([0-9a-f:.]+)\](?::\d+)?$|^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/i.exec(trimmed) ?? [];
  const address = withoutMapping(bracketed ?? v4 ?? trimmed);
  return isIP(address) === 0 ? undefined : address;
}

/** What the nearest proxy says. */
function protoOf(header: string | string[] | undefined): Visitor['proto'] {
  const last = [header].flat().at(-1)?.split(',').at(-1)?.trim().toLowerCase();
  return last === 'http' || last === 'https' ? last : undefined;
}

/** An IPv4 address as IPv6 sockets have it (`::ffff:10.0.0.1`). */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/**
 * The network within which a client can choose its address freely: of IPv6 the 64 bits that each customer is given
 * (https://www.rfc-editor.org/rfc/rfc6177), of IPv4 the address itself. What is counted for each address is counted by this.
 */
export function networkOf(address: string): string {
  const bare = withoutMapping(address);
  if (isIP(bare) !== 6) return bare;
  const [head = '', tail] = (bare.split('%', 1)[0] ?? '').split('::');
  const groups = (text = ''): string[] => text.split(':').filter((group) => group !== '');
  const [left, right] = [groups(head), groups(tail)];
  // The last two may be written as an IPv4 address.
  const missing = 8 - left.length - right.length - (bare.includes('.') ? 1 : 0);
  const all = [...left, ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...right];
  return `${all
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
