import { APP_ID } from './app.js';
import { parsePin, PIN, type Pin } from './pin.js';
import { parseUrl } from '../../lib/parse-url.js';

const APP = new RegExp(`^/apps/([^/]+)(?:/~(${PIN})(?=/|$))?(.*)$`, 's');

/** Where a request path leads. */
export type Route =
  | { kind: 'git'; path: string }
  | {
      kind: 'app';
      id: string;
      /** The process that the page is pinned to, from `/~<release>` or `/~<release>-<replica>`. */
      pin: Pin | undefined;
      /** What follows the id (and the pin): empty or beginning with "/"; still percent-encoded. */
      rest: string;
    }
  | { kind: 'static'; key: string; file: string }
  | { kind: 'nowhere' }
  | { kind: 'web' };

/**
 * Where a path leads.
 * @param path the request's path without its query, percent-encoded as it came, the public base's own path taken off
 */
export function parseRoute(path: string): Route {
  if (path === '/git' || path.startsWith('/git/')) return { kind: 'git', path };
  // Streamlit's page looks for its server under its own path and under the parent of that; any 200 here would mislead it.
  if (path.startsWith('/_stcore') || path.startsWith('/apps/_stcore')) return { kind: 'nowhere' };
  const file = /^\/_streamlit\/([0-9][0-9A-Za-z.+-]{0,40})\/(static\/[A-Za-z0-9_./-]{1,200})$/.exec(path);
  if (file !== null) return { kind: 'static', key: file[1] ?? '', file: file[2] ?? '' };
  if (path.startsWith('/_streamlit')) return { kind: 'nowhere' };
  if (path !== '/apps' && !path.startsWith('/apps/')) return { kind: 'web' };
  const app = APP.exec(path);
  const id = app?.[1] ?? '';
  if (!APP_ID.test(id)) return { kind: 'nowhere' };
  return { kind: 'app', id, pin: parsePin(app?.[2] ?? ''), rest: app?.[3] ?? '' };
}

/**
 * A request's target where it is a whole address, as clients send it that take the server for a proxy: its host counts then,
 * and not the header (https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2).
 * @returns undefined where it is a path already
 */
export function parseWhole(target: string): { host: string; url: string } | undefined {
  const [, host = '', rest = ''] = /^https?:\/\/(?:[^/?#@]*@)?([^/?#]+)(.*)$/is.exec(target) ?? [];
  return host === '' ? undefined : { host, url: rest.startsWith('/') ? rest : `/${rest}` };
}

/**
 * The path without the public base's own path, whether or not a proxy in front has taken it off already.
 * @param basePath such as `/tools/streamlit`; empty where there is none
 */
export function withoutBase(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest === '') return '/';
  return rest.startsWith('/') || rest.startsWith('?') ? (rest.startsWith('?') ? `/${rest}` : rest) : url;
}

const PRIVATE = /(^|\/)(_stcore\/metrics|_stcore\/script-health-check|script-health-check|st-metrics)\/?$/;

/**
 * True for what Streamlit answers to anybody and only its host should ask: its metrics, and the check that runs the script.
 * @param rest as in an app's route, percent-encoded
 */
export function isPrivate(rest: string): boolean {
  return PRIVATE.test(plainRest(rest).toLowerCase());
}

/** True for Streamlit's agent API, which runs an app's script for programs. @param rest as in an app's route */
export function isAgentApi(rest: string): boolean {
  return /(^|\/)_stcore\/agent(\/|$)/.test(plainRest(rest).toLowerCase());
}

/** A path as the app's server reads it, however it is written: names are compared with this, never with what came. */
export function plainRest(rest: string): string {
  // No browser sends a fragment, but servers that get one cut it off.
  const path = rest.split('#', 1)[0] ?? '';
  // Byte by byte, as servers decode: what is not UTF-8 elsewhere in the path must not hide the rest of it.
  const plain = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return plain.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
}

/**
 * True where a WebSocket's Origin may connect to an app: no Origin (not a browser), the host that was asked, or the public
 * one. Anything else is refused here, before Streamlit looks up its own address to judge it.
 */
export function isOwnOrigin(origin: string | undefined, host: string | undefined, publicBase: string): boolean {
  if (origin === undefined) return true;
  const from = parseUrl(origin)?.host.toLowerCase();
  if (from === undefined) return false;
  return from === host?.toLowerCase() || from === new URL(publicBase).host.toLowerCase();
}
