/** Where something answers HTTP. */
export interface Address {
  /** A name or an IP address; an IPv6 address without brackets. */
  host: string;
  port: number;
}

/** An address as a URL has it: `app.example.com:8501`, `[::1]:8501`. */
export function authorityOf({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
