/** Where something answers HTTP: at a port, or at a socket of this machine that has a path. */
export type Address = HostAddress | SocketAddress;

/** A TCP port on a host. */
export interface HostAddress {
  /** A name or an IP address; an IPv6 address without brackets. */
  host: string;
  port: number;
}

/** A Unix socket. */
export interface SocketAddress {
  /** The socket's path. */
  socket: string;
}

/** An address as a URL has it: `app.example.com:8501`, `[::1]:8501`. */
export function authorityOf({ host, port }: HostAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** An address as Node's clients take it. */
export function reach(address: Address): HostAddress | { socketPath: string } {
  return 'socket' in address ? { socketPath: address.socket } : { host: address.host, port: address.port };
}
