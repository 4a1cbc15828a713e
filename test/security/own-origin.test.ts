import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { logInBy, openWholeBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { askRaw, sayRaw } from '../helpers/raw.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

// Over plain http under a name, browsers say nothing of who asks: there an app is kept off the console by its origin alone.

const APP = {
  'requirements.txt': 'streamlit\n',
  'app.py':
    'import streamlit as st\nfile = st.file_uploader("A file")\nst.write("bytes:", 0 if file is None else file.size)\n',
};

let host: TestHost;
let browser: Browser;
let page: Page;
/** What the push printed. */
let pushed: string;
/** The two origins, by the name that every address below has in the browser. */
let platform: string;
let apps: string;

beforeAll(async () => {
  const env = { STREAMLIT_HOST_BIND: '0.0.0.0', STREAMLIT_HOST_HOSTS: 'sec.test', STREAMLIT_HOST_PICTURES: 'auto' };
  [host, browser] = await Promise.all([
    startHost({ env }),
    openWholeBrowser('--host-resolver-rules=MAP sec.test 127.0.0.1'),
  ]);
  pushed = (await (await Project.create(APP)).git('push', host.remote('demo'), 'main')).output;
  apps = new URL(String((await host.app('demo')).url)).origin;
  platform = named(host.url);
  page = await openTab(browser);
});
tellFailures(() => ({ host, page }));

/** The same origin as browsers know it, which is no localhost to them. */
function named(url: string): string {
  return new URL(url).origin.replace('localhost', 'sec.test');
}

/** Signs in at the console, and opens the app as the operator. @returns the app's page */
async function openAsOperator(at: TestHost): Promise<Page> {
  const tab = await openTab(browser);
  await logInBy(tab, at.loginUrl.replace('localhost', 'sec.test'));
  await tab.goto(`${named(at.url)}/apps/demo/?from=console`);
  await tab.getByText('bytes: 0').waitFor();
  return tab;
}

/** What a script in an app's page gets of an address with the operator's cookies. */
async function read(tab: Page, address: string): Promise<string> {
  const script = `fetch(${JSON.stringify(address)}, { credentials: 'include', referrerPolicy: 'no-referrer' })
    .then(async (answer) => answer.status + ' ' + (await answer.text()), (error) => error.name)`;
  return String(await tab.evaluate(script));
}

describe('with two ports', () => {
  test('an app works at its own origin, and the first port redirects its visitors there', async () => {
    page = await openAsOperator(host);
    expect(page.url()).toBe(`${named(apps)}/apps/demo/?from=console`);
    const file = join(await scratch('upload-'), 'a.txt');
    await writeFile(file, 'x'.repeat(1_234));
    await page.locator('input[type=file]').setInputFiles(file);
    await page.getByText('bytes: 1234').waitFor();
    const visitor = await StreamlitClient.connect(`${apps}/apps/demo/`);
    visitor.socket.close();
  });

  test("an app's script can read neither the console nor the API, nor reach into their windows", async () => {
    for (const path of ['/console/', '/console/apps/demo/config', '/api/apps', '/api/docs', '/'])
      expect(await read(page, `${platform}${path}`), path).toBe('TypeError');
    const [opened] = await Promise.all([
      page.context().waitForEvent('page'),
      page.evaluate(`window.console_ = window.open('${platform}/console/', 'other'); 0`),
    ]);
    await opened.locator('meta[name=csrf]').waitFor({ state: 'attached' });
    for (const what of ['document.documentElement.outerHTML', 'location.href', 'localStorage'])
      expect(
        await page.evaluate(`(() => { try { return String(console_.${what}); } catch (e) { return e.name; } })()`),
      ).toBe('SecurityError');
    await opened.close();
  });

  test("an app's script cannot change anything there, with a form or with a blind request", async () => {
    // Of a fetch whose answer is kept from the page, the browser tells nothing at all.
    const answers: number[] = [];
    page.context().on('response', (response) => {
      if (response.request().method() === 'POST' && response.url().startsWith(platform))
        answers.push(response.status());
    });
    await page.evaluate(`(async () => {
      for (const path of ['/console/apps/demo/stop', '/api/apps/demo/stop', '/console/logout']) {
        await fetch('${platform}' + path, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ csrf: '' }) }).catch(() => undefined);
      }
    })()`);
    const [opened] = await Promise.all([
      page.context().waitForEvent('page'),
      page.evaluate(`{
        const form = Object.assign(document.createElement('form'), { method: 'post', action: '${platform}/console/apps/demo/stop', target: 'posted' });
        document.body.append(form);
        form.submit();
      }`),
    ]);
    await opened.waitForURL('**/console/**');
    await opened.waitForLoadState();
    await opened.close();
    expect(answers).toEqual([403]);
    expect((await host.app('demo')).state).toBe('running');
    // Nor did it end the session.
    const again = await page.context().newPage();
    await again.goto(`${platform}/console/apps/demo`);
    expect(again.url()).toBe(`${platform}/console/apps/demo`);
    await again.close();
  });

  test("the apps' port serves apps and nothing else", async () => {
    const authorization = `Bearer ${TOKEN}`;
    for (const path of [
      '/',
      '/console/',
      '/console/login',
      '/CONSOLE/',
      '/api/apps',
      '/api/docs',
      '/git/demo.git/info/refs?service=git-upload-pack',
      '/pictures/demo',
      '/_host/../console/login',
      '/healthz/../console/login',
      '/_hosts',
    ])
      expect((await askRaw(apps, path, { headers: { authorization } })).status, path).toBe(404);
    const login = {
      method: 'POST',
      body: `token=${TOKEN}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    };
    expect((await askRaw(apps, '/console/login', login)).status).toBe(404);
    expect((await askRaw(apps, '/healthz')).status).toBe(200);
    expect((await askRaw(apps, '/apps/demo/_stcore/health')).status).toBe(200);
    expect((await askRaw(apps, '/apps/demo/', { headers: { host: 'evil.example' } })).status).toBe(421);
    // A page of ours at the apps' origin leads back to the platform's.
    const missing = await askRaw(apps, '/apps/missing/', { headers: { accept: 'text/html' } });
    expect(missing.body).toContain(`href="${host.url}/"`);
    const [, style = ''] = /<link rel="stylesheet" href="([^"]+)"/.exec(missing.body) ?? [];
    expect((await askRaw(apps, style)).status).toBe(200);
  });

  test('the first port serves no apps, but says where they are', async () => {
    const moved = async (path: string, host_?: string): Promise<unknown> => {
      const answer = await askRaw(host.url, path, host_ === undefined ? {} : { headers: { host: host_ } });
      return [answer.status, answer.headers.location];
    };
    expect(await moved('/apps/demo/page?a=b&c')).toEqual([307, `${apps}/apps/demo/page?a=b&c`]);
    expect(await moved('/apps/demo')).toEqual([307, `${apps}/apps/demo`]);
    expect(await moved('/apps/demo/_stcore/health')).toEqual([307, `${apps}/apps/demo/_stcore/health`]);
    expect(await moved('/_streamlit/1.2.3/static/a.js')).toEqual([307, `${apps}/_streamlit/1.2.3/static/a.js`]);
    const { port } = new URL(apps);
    expect(await moved('/apps/demo/', '10.1.2.3:80')).toEqual([307, `http://10.1.2.3:${port}/apps/demo/`]);
    const upgrade = (to: string): string =>
      `GET /apps/demo/_stcore/stream HTTP/1.1\r\nHost: ${new URL(to).host}\r\nOrigin: ${host.url}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    expect(await sayRaw(host.url, upgrade(host.url))).toMatch(/^HTTP\/1\.1 307 /);
    // A page at the console's origin is one of another site to the app.
    expect(await sayRaw(apps, upgrade(apps))).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('its picture is taken at its own origin, and shown in the gallery at the other', async () => {
    await until('there is a picture', async () => (await askRaw(host.url, '/pictures/demo')).status === 200);
    expect((await askRaw(apps, '/pictures/demo')).status).toBe(404);
  });

  test('every URL of the app is at its own origin', async () => {
    const address = `${apps}/apps/demo/`;
    expect(pushed).toContain(`demo is live: ${address}`);
    expect(await host.app('demo')).toMatchObject({
      url: address,
      access_url: address,
      console_url: `${host.url}/console/apps/demo`,
      git_url: `${host.url}/git/demo.git`,
    });
    expect((await askRaw(host.url, '/')).body).toContain(`href="${address}"`);
    const config = await askRaw(apps, '/apps/demo/_stcore/host-config');
    expect(JSON.parse(config.body)).toMatchObject({ allowedOrigins: [apps] });
    expect(host.output).not.toContain('share the console');
    expect(host.output).toContain(`Apps are served at ${apps}/apps/`);
  });
});
