import type { Browser } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { logInBy, openWholeBrowser, openTab } from '../helpers/browser.js';
import { startHost } from '../helpers/host.js';
import { askRaw } from '../helpers/raw.js';

// A script of an app may fill the browser's jar for the whole host, also for other ports. There is a way out that logs nobody out.

let browser: Browser;
beforeAll(async () => {
  browser = await openWholeBrowser('--host-resolver-rules=MAP sec.test 127.0.0.1');
});

/** Nearly as many cookies as Chromium keeps for a host, each as large as it may be, for several paths. With more, it drops the session. */
const FILL = `(() => {
  for (let at = 0; at < 140; at += 1) {
    const path = ['/', '/console', '/console/', '/apps/'][at % 4];
    document.cookie = 'c' + at + '=' + 'x'.repeat(4_000) + '; Max-Age=31536000; Path=' + path;
  }
  document.cookie = '${'n'.repeat(3_000)}; Path=/';
})()`;

test.each([
  ['on one port', 'localhost', {}],
  ['on two ports', 'sec.test', { STREAMLIT_HOST_BIND: '0.0.0.0', STREAMLIT_HOST_HOSTS: 'sec.test' }],
])('cookies set by a script that block every request are deleted with a button, %s', async (_, name, env) => {
  const host = await startHost({ env });
  const page = await openTab(browser);
  const named = (url: string): string => url.replace('localhost', name);
  await logInBy(page, named(host.loginUrl));
  const apps = await askRaw(host.url, '/apps/nobody/');
  const there = new URL(String(apps.headers.location ?? `${host.url}/apps/nobody/`));
  await page.goto(named(there.href));
  await page.evaluate(FILL);
  // The browser stores them behind the script's back.
  await expect.poll(() => page.evaluate<number>('document.cookie.length')).toBeGreaterThan(200_000);

  // Everything of the host is shut, at both its ports.
  expect((await page.reload())?.status()).toBe(431);
  for (const path of ['/console/apps/x', '/']) {
    expect((await page.goto(named(`${host.url}${path}`)))?.status(), path).toBe(431);
    await page.getByRole('heading', { name: 'Request too large' }).waitFor();
    expect(await page.locator('[data-size]').textContent()).toMatch(/^\d{3} kB$/);
  }
  // The page on the way to the console sees those that are sent to it.
  await page.goto(named(`${host.url}/console/`));
  await page.getByRole('button', { name: 'Delete cookies' }).click();
  await page.locator('meta[name=csrf]').waitFor({ state: 'attached' });
  expect(page.url()).toBe(named(`${host.url}/console/`));
  expect(await page.evaluate('document.cookie')).toBe('');
  await page.context().close();
});

test('following a link that is too long deletes no cookies', async () => {
  const host = await startHost();
  const page = await openTab(browser);
  await page.goto(host.loginUrl);
  await page.locator('meta[name=csrf]').waitFor({ state: 'attached' });
  await page.evaluate(`document.cookie = 'kept=1; path=/'`);
  const answer = await page.goto(`${host.url}/?${'x'.repeat(70_000)}`);
  expect(answer?.status()).toBe(431);
  expect(answer?.headers()['clear-site-data']).toBeUndefined();
  expect(await page.evaluate('document.cookie')).toBe('kept=1');
  await page.goto(`${host.url}/console/`);
  await page.locator('meta[name=csrf]').waitFor({ state: 'attached' });
  await page.context().close();
});
