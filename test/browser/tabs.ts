import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterEach, beforeAll, expect } from 'vitest';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import type { TestHost } from '../helpers/host.js';
import { logIn } from './pages.js';

/** Tabs of a browser, which close with the test that opens them. */
export interface Tabs {
  /** Opens a tab that is logged in to the console of a host. Its scripts must not fail. */
  open(host: TestHost): Promise<Page>;
  /** Opens another tab of the same browser window. Its scripts must not fail either. */
  beside(page: Page): Promise<Page>;
  /** Opens a tab of somebody whom the host does not know. */
  stranger(host: TestHost, options?: BrowserContextOptions): Promise<Page>;
}

/** Opens the browser for a group of tests. */
export function openTabs(): Tabs {
  let browser: Browser;
  let shown: { host: TestHost; page: Page } | undefined;
  /** What went wrong in the scripts of our pages. */
  const faults: string[] = [];
  /** One login is enough for all tests of a host, by its URL. */
  const logins = new Map<string, BrowserContextOptions['storageState']>();

  const watched = (page: Page): Page => page.on('pageerror', (error) => faults.push(String(error)));

  beforeAll(async () => void (browser = await openBrowser()));
  afterEach(async () => {
    shown = undefined;
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(faults.splice(0)).toEqual([]);
  });
  // The last hook comes first: it needs the tab.
  tellFailures(() => shown);

  return {
    async open(host) {
      const storageState = logins.get(host.url);
      const page = watched(await openTab(browser, storageState === undefined ? {} : { storageState }));
      shown = { host, page };
      if (storageState === undefined) {
        await logIn(page, host);
        logins.set(host.url, await page.context().storageState());
      }
      return page;
    },
    beside: async (page) => watched(await page.context().newPage()),
    async stranger(host, options) {
      const page = await openTab(browser, options);
      shown ??= { host, page };
      return page;
    },
  };
}
