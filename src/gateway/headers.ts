import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SESSION_COOKIE } from '../store/sessions.js';

/** Headers of one connection, not of the message (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1). */
const HOP_BY_HOP = ['keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'];

/** A message may not name these away: its framing, its target and its visitor's state. */
const KEPT = ['host', 'content-length', 'transfer-encoding', 'cookie', 'set-cookie'];

/** What a client may say about who it is and where it came from is replaced, never believed. */
const CLAIMS =
  /^(x-forwarded-.*|forwarded|x-real-ip|x-client-ip|true-client-ip|remote-user|x-remote-.*|x-auth.*|x-user-.*|x-streamlit-user.*)$/;

/**
 * What an app may not tell a browser about the origin that it shares with the platform. The last two are network error
 * logging (https://www.w3.org/TR/network-error-logging/): it would report every address of the origin to the app.
 */
const ORIGIN_WIDE = [
  'clear-site-data',
  'cross-origin-opener-policy',
  'service-worker-allowed',
  'strict-transport-security',
  'alt-svc',
  'nel',
  'report-to',
];

export interface Forwarded {
  /** The visitor's address. */
  address: string;
  proto: string;
}

/** Makes a request's headers those that an app may see, in place. */
export function cleanRequest(request: IncomingMessage, forwarded: Forwarded): void {
  const headers = request.headers;
  removeHopByHop(headers, headers.upgrade !== undefined && connectionNames(headers).includes('upgrade'));
  for (const name of Object.keys(headers)) if (CLAIMS.test(name)) delete headers[name];
  delete headers.authorization;
  // The server has said "100 Continue" already.
  delete headers.expect;
  const cookie = withoutCookie(headers.cookie, SESSION_COOKIE);
  if (cookie === undefined) delete headers.cookie;
  else headers.cookie = cookie;
  headers['x-forwarded-for'] = forwarded.address;
  headers['x-forwarded-proto'] = forwarded.proto;
  if (headers.host !== undefined) headers['x-forwarded-host'] = headers.host;
}

/**
 * Makes an app's answer one that may leave, in place.
 * @param appPath where the app lives, such as `/apps/hello`
 * @param cookie one of ours that is added
 */
export function cleanResponse(headers: IncomingHttpHeaders, appPath: string, cookie?: string): void {
  removeHopByHop(headers, false);
  cleanOrigin(headers, appPath, cookie);
}

/** The same for the answer that makes a connection a WebSocket. */
export function cleanUpgrade(headers: IncomingHttpHeaders, appPath: string): void {
  removeHopByHop(headers, true);
  cleanOrigin(headers, appPath, undefined);
}

function cleanOrigin(headers: IncomingHttpHeaders, appPath: string, cookie: string | undefined): void {
  for (const name of ORIGIN_WIDE) delete headers[name];
  const kept = (headers['set-cookie'] ?? [])
    .filter((one) => cookieName(one) !== SESSION_COOKIE)
    .map((one) => scopeCookie(one, appPath))
    .concat(cookie ?? []);
  if (kept.length === 0) delete headers['set-cookie'];
  else headers['set-cookie'] = kept;
}

/**
 * Streamlit keeps a login's state in `_streamlit_session` with Path=/, so that two apps on one origin overwrite each
 * other's: its path becomes the app's. Every other cookie stays as it is, to the byte.
 */
export function scopeCookie(cookie: string, appPath: string): string {
  if (cookieName(cookie) !== '_streamlit_session') return cookie;
  return cookie.replace(/;\s*path=\/(?=;|$)/i, `; Path=${appPath}`);
}

/** A Cookie header without one cookie; undefined where nothing is left. */
export function withoutCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  const kept = header.split(';').filter((pair) => pair.split('=', 1)[0]?.trim() !== name);
  const text = kept.join(';').trim();
  return text === '' ? undefined : text;
}

/** A cookie without a name whose value reads like a pair comes back from browsers as that pair. */
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
