import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { freePorts } from '../helpers/installation.js';
import { run } from '../helpers/project.js';
import { baseOf, button, checkLayout, headState, makeApp, wordApp } from './pages.js';
import { openTabs } from './tabs.js';

describe('the console', () => {
  const tabs = openTabs();

  it('shows that the connection is lost, and recovers when the server is back', async () => {
    let host = await startHost();
    expect(await makeApp(host, 'Lost', { 'app.py': wordApp('Lost'), 'requirements.txt': 'streamlit\n' })).toBe('live');
    const page = await tabs.open(host);
    await page.goto(`${host.url}/console/apps/lost`);
    await page.bringToFront();
    const { port } = new URL(host.url);
    const { pid } = await host.app('lost');
    await host.stop({ keepData: true, keepApps: true });
    await page.locator('[data-connection]:not(.mended):not(:empty)').waitFor();
    await checkLayout(page, 'console-lost');
    host = await startHost({ data: host.data, env: { STREAMLIT_HOST_PORT: port } });
    await page.locator('[data-connection].mended:not(:empty)').waitFor({ timeout: 40_000 });
    await page.locator('[data-connection]:not(:empty)').waitFor({ state: 'detached' });
    await headState(page, 'Running').waitFor();
    expect((await host.app('lost')).pid).toBe(pid);
    // What happens from now on arrives again, and the log goes on.
    await host.api('/apps/lost/stop', { method: 'POST' });
    await headState(page, 'Stopped').waitFor();
    await host.api('/apps/lost/start', { method: 'POST' });
    await headState(page, 'Running').waitFor();
  });
});

describe('a public URL with a path', () => {
  let host: TestHost;
  let page: Page;

  beforeAll(async () => {
    const [port] = await freePorts(1);
    host = await startHost({
      env: {
        STREAMLIT_HOST_PORT: String(port),
        STREAMLIT_HOST_PUBLIC_BASE: `http://127.0.0.1:${port}/tools/streamlit`,
      },
    });
    page = await openTab(await openBrowser());
  });

  tellFailures(() => ({ host, page }));

  it('serves the console, the gallery, the API, git and apps', async () => {
    const base = baseOf(host);
    expect(base).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/tools\/streamlit$/);
    const outside: string[] = [];
    const failed: string[] = [];
    page.on('request', (request) => void (request.url().startsWith(`${base}/`) || outside.push(request.url())));
    page.on(
      'response',
      (response) => void (response.status() < 400 || failed.push(`${response.status()} ${response.url()}`)),
    );
    page.on(
      'websocket',
      (socket) => void (socket.url().startsWith(`${base.replace('http', 'ws')}/apps/`) || outside.push(socket.url())),
    );
    await page.goto(host.loginUrl);
    expect(page.url()).toBe(`${base}/console/`);
    await page.getByText(`git remote add host ${base}/git/hello.git`).waitFor();
    expect(await makeApp(host, 'Words', { 'app.py': wordApp('Below a path'), 'requirements.txt': 'streamlit\n' })).toBe(
      'live',
    );

    await page.getByRole('row').filter({ hasText: 'Words' }).getByText('Running').waitFor();
    await page.getByRole('link', { name: 'Open Words' }).click();
    await page.getByRole('heading', { name: 'Below a path' }).waitFor();
    expect(page.url()).toBe(`${base}/apps/words/`);
    await page.getByRole('textbox', { name: 'Word' }).fill('gamma');
    await page.getByRole('textbox', { name: 'Word' }).press('Enter');

    await page.goto(`${base}/console/apps/words/logs`);
    await page.locator('.log-lines').getByText('The word is gamma.').waitFor();
    await page.getByRole('link', { name: 'Files', exact: true }).click();
    await page.getByRole('link', { name: 'app.py' }).click();
    await page.locator('.editor.coloured .hljs-keyword').first().waitFor();
    await page.getByRole('link', { name: 'API', exact: true }).click();
    await page.getByText(`${base}/api`, { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Gallery', exact: true }).click();
    await page.getByRole('link', { name: 'Words', exact: true }).click();
    await page.getByRole('heading', { name: 'Below a path' }).waitFor();
    expect(page.url()).toBe(`${base}/apps/words/`);

    const clone = await run(
      'git',
      ['ls-remote', `${base.replace('http://', `http://x:${TOKEN}@`)}/git/words.git`, 'refs/heads/main'],
      host.data,
    );
    expect(clone.output).toMatch(/^[0-9a-f]{40}\trefs\/heads\/main/);
    expect(outside).toEqual([]);
    expect(failed).toEqual([]);
    await page.goto(`${base}/console/`);
    await button(page, 'Log out').click();
    expect(page.url()).toBe(`${base}/console/login`);
  });
});
