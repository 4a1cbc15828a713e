/** A request's headers, their names in small letters. */
type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * True for a script that a browser wants to keep as a service worker, by either header that says so
 * (https://www.w3.org/TR/service-workers/#service-worker-script-request). One stays when its page is closed, answers in
 * the app's name when the app is gone, and sees the addresses of every other page of the origin.
 */
export function isServiceWorker(headers: Headers): boolean {
  return headers['service-worker'] !== undefined || headers['sec-fetch-dest'] === 'serviceworker';
}

/**
 * True for a browser, which says what it asks for (https://www.w3.org/TR/fetch-metadata/), or at least which one it is
 * where the address is not safe enough for that. Programs may say how they ask (Sec-Fetch-Mode), but for nobody's page.
 */
export function isBrowser(headers: Headers): boolean {
  return (
    headers['sec-fetch-site'] !== undefined ||
    headers['sec-fetch-dest'] !== undefined ||
    /^Mozilla\//i.test(String(headers['user-agent']))
  );
}

/** Browsers by what they call themselves, the more special ones first: all but Firefox also call themselves Safari. */
const BROWSERS: [RegExp, string][] = [
  [/\bEdg\//, 'Edge'],
  [/\bFirefox\//, 'Firefox'],
  [/Chrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];

const SYSTEMS: [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'],
  [/\b(iPhone|iPad)\b/, 'iOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

/** Returns what a person calls a browser, such as "Firefox on Linux". @param agent the User-Agent header */
export function browserOf(agent: string): string {
  const nameIn = (list: [RegExp, string][]): string | undefined => list.find(([pattern]) => pattern.test(agent))?.[1];
  const system = nameIn(SYSTEMS);
  return `${nameIn(BROWSERS) ?? 'Another browser'}${system === undefined ? '' : ` on ${system}`}`;
}
