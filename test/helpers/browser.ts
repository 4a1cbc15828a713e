import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterEach } from 'vitest';
import { endWithFile } from './ends.js';
import { ROOT, type TestHost } from './host.js';

/** Debian's, as people use it, and without the part that draws windows on a screen, which takes half the time. */
const WHOLE = ['chromium', 'chromium-browser', 'google-chrome'];
const SHELL = 'chromium-headless-shell';

/** Chromium for what a page shows and does. It ends with the test file. @param more its arguments */
export function openBrowser(...more: string[]): Promise<Browser> {
  return open([SHELL, ...WHOLE], more);
}

/** Chromium for attacks: the whole one, which keeps windows apart as people's own does. It ends with the test file. */
export function openWholeBrowser(...more: string[]): Promise<Browser> {
  return open(WHOLE, more);
}

/** Without what reaches out to the internet by itself. */
async function open(names: string[], more: string[]): Promise<Browser> {
  const executablePath = names.map((name) => `/usr/bin/${name}`).find((file) => existsSync(file));
  if (executablePath === undefined) throw new Error('Chromium is not installed: apt-get install chromium');
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  });
  endWithFile(() => browser.close());
  return browser;
}

/** A tab of somebody nobody knows yet. It waits less long than a test, so that what it waited for is told. */
export async function openTab(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(20_000);
  return context.newPage();
}

/** Logs in with a link. Over plain http under a name, no browser says that no page has led there, so it is asked. */
export async function logInBy(page: Page, link: string): Promise<void> {
  await page.goto(link);
  const asks = (await page.getByText('This link logs you in as').count()) > 0;
  if (asks) await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.locator('meta[name=csrf]').waitFor({ state: 'attached' });
}

/** Keeps a picture of the page where a test of this file or group fails, and prints the end of what the server said. */
export function tellFailures(now: () => { host: TestHost; page: Page } | undefined): void {
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    const shown = now();
    if (shown === undefined) return; // It failed before there was a page.
    const { host, page } = shown;
    await keepPicture(page, `failed ${task.name}`);
    console.log(host.output.slice(-5_000));
  });
}

/** Keeps a picture of a page as an artifact of the tests. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = join(ROOT, 'test', 'artifacts');
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
