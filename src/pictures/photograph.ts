import { setTimeout as delay } from 'node:timers/promises';
import type { DevTools } from './devtools.js';

/** The window in which an app is looked at (as narrow as Streamlit shows whole: a card is small), and its picture against it. */
const WINDOW = { width: 800, height: 500 };
const SCALE = 0.8;
const QUALITY = 80;
/** How often the page is looked at, in ms. */
const LOOK_MS = 250;
/** How long the page must have looked the same, in ms: charts are drawn after the script has ended. */
const STILL_MS = 1_500;
/** After how long (ms) a page that goes on changing is taken as it is. */
const PATIENCE_MS = 25_000;

/** What a page reports about itself. */
interface Look {
  /** Streamlit's state of the script; "initial" before its first run, null where the page is not there, or an old one. */
  script: string | null;
  failed: boolean;
  /** True while something says that it is still loading. */
  busy: boolean;
  /** How much is there: another number = something has changed. */
  size: number;
}

const LOOK = `(() => {
  const app = document.querySelector('[data-testid="stApp"]');
  const has = (...names) => names.some((name) => document.querySelector('[data-testid="' + name + '"]') !== null);
  const script = app?.getAttribute('data-test-script-state') ?? null;
  return {
    script,
    failed: has('stException') || script === 'compilationError',
    busy: has('stSkeleton', 'stStatusWidget', 'stSpinner'),
    size: app === null ? 0 : app.innerHTML.length,
  };
})()`;

/**
 * Opens a page of an app and takes its picture once it has come to rest.
 * @param address the app's own, with a "/" at its end
 * @param allowed what every address begins with that the page may ask for
 * @returns a JPEG of 640 × 400; undefined where the page is not there or shows an exception
 * @throws Error where the browser is gone, such as by the signal's end of it
 */
export async function photograph(
  devtools: DevTools,
  address: string,
  allowed: readonly string[],
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const { targetId } = await devtools.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: true });
  const page = (method: string, params: object = {}): Promise<Record<string, unknown>> =>
    devtools.send(method, params, sessionId as string);
  devtools.on(({ method, params }) => {
    const answer = answerTo(method, params, allowed);
    // The page may have moved on and need no answer any more.
    if (answer !== undefined) page(...answer).catch(() => undefined);
  });
  await devtools.send('Browser.setDownloadBehavior', { behavior: 'deny' });
  await page('Page.enable');
  await page('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
  await page('Emulation.setDeviceMetricsOverride', { ...WINDOW, deviceScaleFactor: 1, mobile: false });
  const features = [
    { name: 'prefers-color-scheme', value: 'light' },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ];
  await page('Emulation.setEmulatedMedia', { features });
  await page('Page.navigate', { url: address });
  const last = await rest(page, signal);
  if (last === undefined || last.failed || last.size === 0 || last.script === 'initial') return undefined;
  const clip = { x: 0, y: 0, ...WINDOW, scale: SCALE };
  const { data } = await page('Page.captureScreenshot', { format: 'jpeg', quality: QUALITY, clip });
  await devtools.send('Target.closeTarget', { targetId });
  return Buffer.from(data as string, 'base64');
}

/** What the page waits for: whether it may have an address, and what becomes of a dialog. */
function answerTo(
  method: string,
  params: Record<string, unknown>,
  allowed: readonly string[],
): [method: string, params: object] | undefined {
  if (method === 'Page.javascriptDialogOpening') return ['Page.handleJavaScriptDialog', { accept: false }];
  if (method !== 'Fetch.requestPaused') return undefined;
  const { requestId, request } = params as { requestId?: unknown; request?: { url?: unknown } | null };
  const url = String(request?.url);
  if (allowed.some((begin) => url.startsWith(begin))) return ['Fetch.continueRequest', { requestId }];
  return ['Fetch.failRequest', { requestId, errorReason: 'BlockedByClient' }];
}

/** Waits until the page has come to rest, or long enough. @returns the last look at it */
async function rest(
  page: (method: string, params: object) => Promise<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Look | undefined> {
  const begun = performance.now();
  let last: Look | undefined;
  let since = begun;
  for (;;) {
    await delay(LOOK_MS, undefined, { signal });
    const { result } = (await page('Runtime.evaluate', { expression: LOOK, returnByValue: true }).catch(between)) as {
      result?: { value?: Look };
    };
    const look = result?.value;
    const now = performance.now();
    if (JSON.stringify(look) !== JSON.stringify(last)) since = now;
    last = look;
    if (look?.failed === true) return look;
    const idle =
      look !== undefined && look.size > 0 && !look.busy && (look.script === 'notRunning' || look.script === null);
    if ((idle && now - since >= STILL_MS) || now - begun >= PATIENCE_MS) return last;
  }
}

/** What is answered while one page gives way to another, when there is nothing that could be asked. */
export function between(error: Error): Record<string, unknown> {
  if (error.message.includes('execution context')) return {};
  throw error;
}
