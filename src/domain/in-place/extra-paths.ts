import type { App } from '../app/app.js';

/** The first segments of the platform's own paths. */
const OWN = new Set([
  '_host',
  '_stcore',
  '_streamlit',
  'api',
  'apps',
  'console',
  'favicon.ico',
  'gallery',
  'git',
  'healthz',
  'login',
  'logout',
  'pictures',
  'readyz',
  'robots.txt',
  'static',
]);

/** An extra path as a person wrote it, with "/" at both ends now, or the end of a sentence on why it cannot be one. */
export function parseExtraPath(text: string): { path: string } | { mistake: string } {
  const segments = text
    .trim()
    .split('/')
    .filter((segment) => segment !== '');
  if (segments.length === 0) return { mistake: 'must be a path such as "/sales/", since "/" is the gallery' };
  const strange = segments.find((segment) => !/^[\p{L}\p{N}._~-]{1,100}$/u.test(segment) || /^\.+$/.test(segment));
  if (strange !== undefined)
    return { mistake: 'must be a path of letters, digits, "-", "_" and ".", such as "/sales/"' };
  const [first = ''] = segments;
  if (OWN.has(first.toLowerCase())) return { mistake: `must not begin with "/${first}", which is reserved` };
  return { path: `/${segments.join('/')}/` };
}

/**
 * Where a request's path leads that an app has as its extra one.
 * @param path percent-encoded, without its query
 * @returns the path of the app itself
 */
export function redirectOf(path: string, apps: Iterable<Pick<App, 'id' | 'path'>>): string | undefined {
  let plain: string;
  try {
    plain = decodeURIComponent(path);
  } catch {
    return undefined; // Not decodable, so it is nobody's.
  }
  const asked = plain.endsWith('/') ? plain : `${plain}/`;
  let found: Pick<App, 'id' | 'path'> | undefined;
  // The longest wins: "/sales/map/" may be another app than "/sales/".
  for (const app of apps)
    if (app.path !== undefined && asked.startsWith(app.path) && app.path.length > (found?.path?.length ?? 0))
      found = app;
  if (found?.path === undefined) return undefined;
  const rest = path
    .split('/')
    .slice(found.path.split('/').length - 1)
    .join('/');
  return `/apps/${found.id}/${rest}`;
}
