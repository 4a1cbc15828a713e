import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { linksOf } from '../../src/web/links.js';
import { PublicFiles } from '../../src/web/public.js';
import type { GatewayPage } from '../../src/web/page-models.js';
import { Views } from '../../src/web/views.js';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { ROOT, startHost, until, type TestHost } from '../helpers/host.js';
import { textApp } from '../helpers/project.js';
import { button, byLabel, formOf, checkLayout, logIn, makeApp, seriousFaults } from './pages.js';

describe('axe finds nothing serious or critical', () => {
  let host: TestHost;
  /** Of a visitor, and of the operator. */
  let visitor: Page;
  let page: Page;

  beforeAll(async () => {
    host = await startHost();
    const browser = await openBrowser();
    visitor = await openTab(browser);
    page = await openTab(browser);
  });

  tellFailures(() => ({ host, page }));

  it('on the login page, an error page and an empty console', async () => {
    await visitor.goto(`${host.url}/console/`);
    expect(await seriousFaults(visitor)).toEqual([]);
    await checkLayout(visitor, 'login');
    await byLabel(visitor, 'Token').fill('not the token');
    await button(visitor, 'Log in').click();
    await visitor.getByRole('alert').waitFor();
    expect(await seriousFaults(visitor)).toEqual([]);
    await visitor.goto(`${host.url}/`);
    expect(await seriousFaults(visitor)).toEqual([]);
    await logIn(page, host);
    expect(await seriousFaults(page)).toEqual([]);
    await page.goto(`${host.url}/console/nothing-here`);
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'error');
  });

  it('on any page of an app that is running, has a failed deploy or is stopped', async () => {
    await page.goto(`${host.url}/console/new`);
    await button(page, 'Create and deploy').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    const answer = await host.send('POST', '/apps', { name: 'Nothing yet' });
    expect(answer.status).toBe(201);
    await page.goto(`${host.url}/console/apps/nothing-yet`);
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-overview-new');
    await page.goto(`${host.url}/console/apps/nothing-yet/files`);
    expect(await seriousFaults(page)).toEqual([]);

    expect(await makeApp(host, 'Sales', textApp('All of our sales'), 'What was sold, where and when.')).toBe('live');
    await host.api('/apps/sales', {
      method: 'PATCH',
      body: formOf({ 'app.py': 'import streamlit as st\nst.write("new")\n' }),
    });
    await until('the second release is live', async () => (await host.app('sales')).release === 2);
    await host.api('/apps/sales', {
      method: 'PATCH',
      body: formOf({ 'requirements.txt': 'streamlit\nno-such-package-anywhere-at-all\n' }),
    });
    await until(
      'the third has failed',
      async () => ((await host.app('sales')).last_deploy as { state?: string }).state === 'failed',
    );
    const app = `${host.url}/console/apps/sales`;
    for (const path of [
      '',
      '/logs',
      '/errors',
      '/drains',
      '/deploys',
      '/deploys/3',
      '/deploys/1',
      '/deploys/1/rollback',
      '/config',
      '/files',
      '/new-file',
      '/settings',
      '/delete',
    ]) {
      await page.goto(app + path);
      expect(await seriousFaults(page), path).toEqual([]);
    }
    for (const [path, name] of [
      [`${app}/metrics?range=hour`, 'console-metrics'],
      [`${host.url}/console/machine`, 'console-machine'],
    ] as const) {
      await page.goto(path);
      await page.locator('.uplot canvas').nth(5).waitFor();
      await page.evaluate('document.querySelectorAll("details").forEach((one) => { one.open = true; })');
      expect(await seriousFaults(page), path).toEqual([]);
      await checkLayout(page, name);
    }
    for (const [path, name] of [
      [`${app}/alerts`, 'console-alerts'],
      [`${host.url}/console/alerts`, 'console-machine-alerts'],
    ] as const) {
      await page.goto(path);
      await page.getByText('Add a destination').click();
      await byLabel(page, 'Address').fill('not an address');
      await button(page, 'Add destination').click();
      await page.getByRole('alert').waitFor();
      expect(await seriousFaults(page), path).toEqual([]);
      await byLabel(page, 'Kind').selectOption('webhook');
      await byLabel(page, 'Address').fill('http://127.0.0.1:9/');
      await button(page, 'Add destination').click();
      await button(page, 'Send test to Webhook').click();
      await page.getByText('The test was not delivered: it refuses connections.').waitFor();
      expect(await seriousFaults(page), path).toEqual([]);
      await page.getByText('Add a destination').click();
      await checkLayout(page, name);
    }
    await page.goto(`${app}/files/app.py`);
    await page.locator('.editor.coloured').waitFor();
    await page.getByText('Rename or delete').click();
    expect(await seriousFaults(page)).toEqual([]);
    await page.goto(`${app}/settings`);
    await button(page, 'Delete app …').click();
    expect(await seriousFaults(page)).toEqual([]);
    await page.goto(`${host.url}/console/`);
    await page.getByRole('row').filter({ hasText: 'Sales' }).getByText('Running').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await host.api('/apps/sales/stop', { method: 'POST' });
    await page.goto(`${app}?done=stop`);
    await page.locator('#start').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
  });

  it('in the API docs with every operation open', async () => {
    await page.goto(`${host.url}/api/docs`);
    await page.evaluate('document.querySelectorAll("details").forEach((one) => { one.open = true; })');
    expect(await seriousFaults(page)).toEqual([]);
    await page.evaluate('document.querySelectorAll("details").forEach((one, place) => { one.open = place === 1; })');
    await checkLayout(page, 'api-docs');
  });

  it('in the gallery', async () => {
    await visitor.goto(`${host.url}/`);
    await byLabel(visitor, 'Search apps').waitFor();
    expect(await seriousFaults(visitor)).toEqual([]);
  });

  it.each(['building', 'crashed', 'failed', 'not-found', 'starting', 'stopped'] satisfies GatewayPage[])(
    'on the page for an app that is unavailable: %s',
    async (name) => {
      const files = new PublicFiles({
        folder: join(ROOT, 'public'),
        libraries: join(ROOT, 'node_modules'),
      });
      const body = new Views({ templates: join(ROOT, 'templates'), files }).renderGateway(
        name,
        { links: linksOf(host.url) },
        { id: 'sales', name: 'Sales' },
        { lines: ['    0.1s  Release 1 of sales', '    0.2s  Installing dependencies'], reason: undefined },
      );
      const address = `${host.url}/apps/sales/`;
      // Some of these states pass too quickly to be looked at, so the page itself is put in the app's place.
      await visitor.route(address, (route) =>
        route.fulfill({ status: 503, contentType: 'text/html; charset=utf-8', body }),
      );
      // A page that waits opens itself again after some seconds, whatever is being looked at.
      await visitor.route('**/js/wait.js*', (route) => route.abort());
      await visitor.goto(address);
      expect(await seriousFaults(visitor)).toEqual([]);
      await checkLayout(visitor, `gateway-${name}`);
      await visitor.unrouteAll();
    },
  );

  it('and everything is reachable by keyboard, starting from the skip link', async () => {
    await page.goto(`${host.url}/console/apps/sales`);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent.trim()')).toBe('All apps');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.id')).toBe('start');
    await page.keyboard.press('Enter');
    await page.locator('.state-now').getByText('Running', { exact: true }).waitFor();
  });
});
