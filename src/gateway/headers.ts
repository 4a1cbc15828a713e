import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { IDENTITY_HEADERS, identityHeaders, type Identity } from '../domain/access/identity.js';
import { OUR_COOKIES } from '../store/sessions.js';

/** Headers of one connection, not of the message (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1). */
const HOP_BY_HOP = ['keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'];

/**
 * The headers that reach an app: those that HTTP, browsers, Streamlit and its components need. An app may trust any
 * other header to identify the visitor, and then every visitor could send it.
 */
const PASSES = new RegExp(
  `^(${[
    // The message (RFC 9110 to 9112).
    'host|connection|upgrade|transfer-encoding|content-.+|accept|accept-.+|range|if-.+|date|prefer|priority|want-.+',
    'cache-control|pragma|cookie|user-agent|origin|referer|last-event-id|idempotency-key|max-forwards',
    // Browsers.
    'sec-websocket-.+|sec-fetch-.+|sec-ch-.+|sec-gpc|sec-purpose|dnt|save-data|upgrade-insecure-requests',
    'access-control-request-.+|x-requested-with|x-http-method-override',
    // Streamlit's and other frameworks' proof of their own page; its agent API.
    'x-xsrftoken|x-xsrf-token|x-csrftoken|x-csrf-token|mcp-.+',
    // Who follows a request through several programs.
    'traceparent|tracestate|baggage|x-request-id|x-correlation-id',
  ].join('|')})$`,
);

/** Headers that a message may not remove with Connection: its framing, its target and its visitor's state. */
const KEPT = ['host', 'content-length', 'transfer-encoding', 'cookie', 'set-cookie'];

/**
 * What an app may not tell a browser about the origin that it shares with the platform and with other apps: all that a browser
 * keeps for the origin, not for the one answer.
 */
const ORIGIN_WIDE = [
  'clear-site-data',
  'cross-origin-opener-policy',
  // It would report to the app where a tab goes from its page.
  'cross-origin-opener-policy-report-only',
  'service-worker-allowed',
  'strict-transport-security',
  'alt-svc',
  // Network error logging (https://www.w3.org/TR/network-error-logging/) would report every address of the origin to the app.
  'nel',
  'report-to',
  // Client hints, which the browser then sends with every request (https://www.rfc-editor.org/rfc/rfc8942).
  'accept-ch',
  'critical-ch',
  'origin-agent-cluster',
  // A dictionary for answers to other addresses (https://www.rfc-editor.org/rfc/rfc9842).
  'use-as-dictionary',
  // A session bound to the device, for which requests to the origin would wait (https://www.w3.org/TR/dbsc/).
  'secure-session-registration',
  'sec-session-registration',
  'secure-session-challenge',
  'sec-session-challenge',
  'set-login',
  'public-key-pins',
  'expect-ct',
];

/** What an app is told about a request. */
export interface Forwarded {
  /** The visitor's address. */
  address: string;
  proto: string;
  /** Additional headers that the operator allows, in lower case; "x-sso-*" matches a prefix. */
  also?: readonly string[];
  /** Who the visitor is, where they are logged in. */
  identity?: Identity | undefined;
}

/** Reduces a request's headers to those that an app may see, in place. */
export function cleanRequest(request: IncomingMessage, forwarded: Forwarded): void {
  const headers = request.headers;
  removeHopByHop(headers, headers.upgrade !== undefined && connectionNames(headers).includes('upgrade'));
  const also = (name: string): boolean =>
    forwarded.also?.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one)) ?? false;
  for (const name of Object.keys(headers)) if (!PASSES.test(name) && !also(name)) delete headers[name];
  const cookie = forApp(headers.cookie);
  if (cookie === undefined) delete headers.cookie;
  else headers.cookie = cookie;
  headers['x-forwarded-for'] = forwarded.address;
  headers['x-forwarded-proto'] = forwarded.proto;
  if (headers.host !== undefined) headers['x-forwarded-host'] = headers.host;
  // Whatever a client or a proxy sends under these names is not ours.
  for (const name of Object.keys(IDENTITY_HEADERS)) delete headers[name];
  if (forwarded.identity !== undefined) Object.assign(headers, identityHeaders(forwarded.identity));
}

/**
 * Removes an Authorization header that is not for an app: one that logs in here, and passwords, which browsers send to a
 * proxy in front of all apps.
 */
export function dropCredentials({ headers }: IncomingMessage, logsIn: (authorization: string) => boolean): void {
  const { authorization } = headers;
  if (authorization === undefined) return;
  if (!/^bearer /i.test(authorization) || logsIn(authorization)) delete headers.authorization;
}

/**
 * Removes headers that an app may not send from its response, in place.
 * @param appPath where the app lives, such as `/apps/hello`
 * @param cookies ours that are added
 */
export function cleanResponse(headers: IncomingHttpHeaders, appPath: string, cookies: readonly string[] = []): void {
  removeHopByHop(headers, false);
  cleanOrigin(headers, appPath, cookies);
}

/** Does the same for the response that opens a WebSocket. */
export function cleanUpgrade(headers: IncomingHttpHeaders, appPath: string): void {
  removeHopByHop(headers, true);
  cleanOrigin(headers, appPath, []);
}

function cleanOrigin(headers: IncomingHttpHeaders, appPath: string, cookies: readonly string[]): void {
  for (const name of ORIGIN_WIDE) delete headers[name];
  const kept = (headers['set-cookie'] ?? [])
    .filter((one) => !OUR_COOKIES.includes(cookieName(one)))
    .map((one) => scopeCookie(one, appPath))
    .concat(cookies);
  if (kept.length === 0) delete headers['set-cookie'];
  else headers['set-cookie'] = kept;
}

/**
 * Limits a cookie to its app: removes the domain, and sets the app's path unless it has one below it. So apps do not
 * overwrite each other's cookies, and none can fill the browser's cookie jar for the console. The rest is unchanged,
 * byte for byte.
 * @param appPath such as `/apps/hello`
 */
export function scopeCookie(cookie: string, appPath: string): string {
  const [pair = '', ...attributes] = cookie.split(';');
  let path: string | undefined;
  const kept = attributes.filter((attribute) => {
    const [, name = '', value = ''] = /^\s*([^=]*?)\s*(?:=([^]*))?$/.exec(attribute) ?? [];
    if (/^path$/i.test(name)) path = value.trim();
    return !/^(path|domain)$/i.test(name);
  });
  // The last one counts, as for browsers; without any they would take the folder of the request.
  const own = path !== undefined && (path === appPath || path.startsWith(`${appPath}/`)) && !path.includes('..');
  return [pair, ` Path=${own ? path : `${appPath}/`}`, ...kept].join(';');
}

/**
 * Returns a Cookie header as an app may see it: without the console session, and with only the first of several
 * cookies of one name, which has the longest path (https://www.rfc-editor.org/rfc/rfc6265#section-5.4) and so is the
 * app's own.
 */
export function forApp(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const seen = new Set<string>();
  const kept = header.split(';').filter((pair) => {
    const name = pair.split('=', 1)[0]?.trim() ?? '';
    if (OUR_COOKIES.includes(name) || (name !== '' && seen.has(name))) return false;
    seen.add(name);
    return true;
  });
  const text = kept.join(';').trim();
  return text === '' ? undefined : text;
}

/** Returns a cookie's name. Browsers return a nameless cookie whose value looks like a pair as that pair. */
function cookieName(cookie: string): string {
  return (
    cookie
      .replace(/^[\s=]+/, '')
      .split(/[=;]/, 1)[0]
      ?.trim() ?? ''
  );
}

function connectionNames(headers: IncomingHttpHeaders): string[] {
  return (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
}

function removeHopByHop(headers: IncomingHttpHeaders, upgrade: boolean): void {
  for (const name of connectionNames(headers)) if (name !== 'upgrade' && !KEPT.includes(name)) delete headers[name];
  for (const name of HOP_BY_HOP) delete headers[name];
  if (upgrade) headers.connection = 'Upgrade';
  else {
    delete headers.connection;
    delete headers.upgrade;
  }
}
