/** A host without its port and brackets; undefined where it is none. */
export function nameOf(host: string): string | undefined {
  const [, name] = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\,]+)(?::\d{1,5})?$/i.exec(host) ?? [];
  return name?.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}

/** True for names and addresses of this machine alone. @param name without a port, as from `nameOf` */
export function isLoopback(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

/**
 * True where apps must not share the console's origin: what keeps the two apart on one origin is said by browsers on https
 * and on localhost alone (docs/decisions/0003-one-origin.md).
 * @param bind the address that is listened on
 */
export function needsTwoOrigins(bind: string, publicBase: string): boolean {
  const { protocol, host } = new URL(publicBase);
  return protocol === 'http:' && !(isLoopback(bind) && isLoopback(nameOf(host) ?? ''));
}

/** What an operator is told where apps share the console's origin and must not. */
export function unsafeOrigin(publicBase: string): string {
  return `Apps share the console's origin, ${publicBase}, over plain HTTP. When an operator opens an app, its scripts can use the console. Serve over HTTPS, or set STREAMLIT_HOST_APPS_PORT to give apps their own port.`;
}

/** A base URL with another port, without a trailing slash. */
export function withPort(base: string, port: number): string {
  const url = new URL(base);
  url.port = String(port);
  return url.href.replace(/\/+$/, '');
}

/**
 * The base of the apps' own origin, for a visitor who came to the console's under some name of ours: a visitor who knows the
 * server by a number may not know it by its name.
 * @param host as in the Host header
 */
export function appsBaseFor(host: string | undefined, publicBase: string, appsBase: string): string {
  const url = new URL(appsBase);
  const name = nameOf(host ?? '');
  const usual = nameOf(new URL(publicBase).host);
  if (name === undefined || name === usual || usual !== nameOf(url.host) || url.protocol !== 'http:') return appsBase;
  url.hostname = name.includes(':') ? `[${name}]` : name;
  return url.href.replace(/\/+$/, '');
}
