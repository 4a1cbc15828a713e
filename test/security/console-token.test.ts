import type { Browser, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { openWholeBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { askRaw } from '../helpers/raw.js';

// The token that tells a page of the console from an app: it must not stand where an app, a proxy or a history can see it.

/** What parts the fields of a form with files. */
const LINE = 'b'.repeat(30);

let host: TestHost;
let browser: Browser;
let page: Page;
let csrf: string;
/** Everything that the browser has asked for, and from where it said to come. */
const asked: { url: string; referer: string }[] = [];

beforeAll(async () => {
  [host, browser] = await Promise.all([startHost(), openWholeBrowser()]);
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': 'print(1)\n' }), host, 'demo');
  page = await openTab(browser);
  page.on('request', (request) => {
    void request.allHeaders().then(
      ({ referer = '' }) => asked.push({ url: request.url(), referer }),
      () => undefined, // The page has moved on meanwhile.
    );
  });
  await page.goto(host.loginUrl);
  csrf = await page.locator('meta[name=csrf]').getAttribute('content').then(String);
});
tellFailures(() => ({ host, page }));

test('the CSRF token is in no URL: of a page, a form, a stream or a refused form', async () => {
  for (const path of [
    '',
    'new',
    'apps/demo',
    'apps/demo/logs',
    'apps/demo/files',
    'apps/demo/config',
    'apps/demo/settings',
  ]) {
    await page.goto(`${host.url}/console/${path}`);
    const html = await page.content();
    const tokens = [...html.matchAll(/name="csrf" value="([^"]+)"/g)].map(([, token]) => token ?? '');
    const addresses = [...html.matchAll(/(?:href|action|src|data-follow)="([^"]*)"/g)].map(([, address]) => address);
    expect(tokens.length).toBeGreaterThan(0);
    expect(tokens).not.toContain(csrf);
    for (const token of [csrf, ...tokens]) expect(addresses.join('\n')).not.toContain(token);
  }
  await page.goto(`${host.url}/console/apps/demo/config`);
  await page.locator('#toml').fill('not [ toml');
  await page.getByRole('button', { name: 'Save secrets' }).click();
  await page.locator('#secrets-error').waitFor();
  expect(page.url()).toBe(`${host.url}/console/apps/demo/config`);

  await page.goto(`${host.url}/console/new`);
  // As without JavaScript: the form itself is sent, with its file.
  await page.evaluate('document.querySelector("form[data-upload]").submit()');
  await page.locator('#new-error').waitFor();
  expect(page.url()).toBe(`${host.url}/console/new`);

  expect(asked.some(({ url }) => url.includes('/api/events'))).toBe(true);
  for (const { url } of asked) expect(url).not.toMatch(/csrf=/);
});

test("a CSRF token in a URL is refused, and a form's token works for that form only", async () => {
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const script = { cookie, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' };
  expect((await askRaw(host.url, `/api/apps?csrf=${csrf}`, { headers: script })).status).toBe(401);
  expect((await askRaw(host.url, '/api/apps', { headers: { ...script, 'x-csrf-token': csrf } })).status).toBe(200);

  await page.goto(`${host.url}/console/apps/demo`);
  const token = await page.locator('form[action$="/restart"] input[name=csrf]').inputValue();
  // As a browser sends a form, which any page of the origin can have it do.
  const form = { ...script, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  const post = async (path: string, body: string, type = 'application/x-www-form-urlencoded'): Promise<number> =>
    (await askRaw(host.url, path, { method: 'POST', body, headers: { ...form, 'content-type': type } })).status;
  expect(await post('/console/apps/demo/stop', `csrf=${token}`)).toBe(403);
  expect(await post(`/console/apps/demo/stop?csrf=${csrf}`, '')).toBe(403);
  const part = (name: string, value: string, file = ''): string =>
    `--${LINE}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`;
  const multipart = `multipart/form-data; boundary=${LINE}`;
  for (const path of ['/console/new', '/console/apps/demo/config']) {
    for (const stolen of ['', part('csrf', token), part('csrf', csrf)]) {
      const body = `${stolen}${part('name', 'made-by-an-app')}${part('do', 'reveal-secrets')}--${LINE}--\r\n`;
      expect(await post(path, body, multipart), path).toBe(403);
      expect(await post(`${path}?csrf=${csrf}`, body, multipart), path).toBe(403);
    }
  }
  const file = part('files', 'x', '; filename="app.py"');
  expect(await post('/console/new', `${file}${part('name', 'made-by-an-app')}--${LINE}--\r\n`, multipart)).toBe(403);
  expect((await host.api('/apps/made-by-an-app')).status).toBe(404);
  expect(await post('/console/apps/demo/stop', `${part('csrf', token)}--${LINE}--\r\n`, multipart)).toBe(403);
  expect((await host.app('demo')).state).toBe('running');
});

test('no app learns a console URL from the referrer, or keeps a service worker', async () => {
  await page.goto(`${host.url}/console/apps/demo/config`);
  await page.evaluate(`{
    const link = Object.assign(document.createElement('a'), { href: '/apps/demo/' });
    document.body.append(link);
    link.click();
  }`);
  await page.waitForURL('**/apps/demo/');
  expect(await page.evaluate('document.referrer')).not.toContain('/console');
  for (const { url, referer } of asked) if (url.includes('/apps/demo/')) expect(referer).not.toContain('/console');
  const kept = page.evaluate("navigator.serviceWorker.register('sw.js').then(() => 'kept', String)");
  expect(await kept).toMatch(/403|bad HTTP response/);
});
