import type { Browser, Page } from 'playwright-core';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { openTab, openWholeBrowser, tellFailures } from '../helpers/browser.js';
import { OPENED, shownForm } from '../helpers/forms.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { askRaw } from '../helpers/raw.js';

// Eve's app wants a visitor who is not logged in to go on as Eve, and to leave their secrets in her apps. It shares the
// console's origin, so its forms are the console's to a browser.

const EVE = { email: 'eve@example.com', password: 'correct horse battery' };

let host: TestHost;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  [host, browser] = await Promise.all([startHost(), openWholeBrowser()]);
  const app = { 'requirements.txt': 'streamlit\n', 'app.py': 'import streamlit as st\nst.write("Hello visitor")\n' };
  const { code, output } = await (await Project.create(app)).git('push', host.remote('trap'), 'main');
  expect(code, output).toBe(0);
  expect((await host.send('POST', '/users', EVE)).status).toBe(201);
});

beforeEach(async () => {
  page = await openTab(browser);
  await page.goto(`${host.url}/apps/trap/`);
  await page.getByText('Hello visitor').waitFor();
});
tellFailures(() => ({ host, page }));

/** Runs a script of the app, and returns the window that it opens. */
async function windowOf(script: string): Promise<Page> {
  const [opened] = await Promise.all([page.context().waitForEvent('page'), page.evaluate(script)]);
  await opened.waitForLoadState('load');
  return opened;
}

async function isLoggedIn(): Promise<boolean> {
  const tab = await page.context().newPage();
  await tab.goto(`${host.url}/console/`);
  return !tab.url().includes('/console/login');
}

/** Sends a form of the login in a new window. */
function send(path: string, fields: Record<string, string>): Promise<Page> {
  return windowOf(`{
    const form = Object.assign(document.createElement('form'), { method: 'post', action: '${path}', target: '_blank' });
    for (const [name, value] of Object.entries(${JSON.stringify(fields)}))
      form.append(Object.assign(document.createElement('input'), { name, value }));
    document.body.append(form);
    form.submit();
  }`);
}

test.each(['before', 'after'])(
  'a form of an app logs nobody in, %s the browser has seen the login page',
  async (when) => {
    if (when === 'after') await windowOf(`window.open('/console/login')`);
    // With what another browser was shown, the author's own.
    const { body } = shownForm(`${host.url}/console/login`, {});
    for (const csrf of [undefined, new URLSearchParams(body).get('csrf') ?? '']) {
      const opened = await send('/console/login', { ...EVE, ...(csrf === undefined ? {} : { csrf }) });
      await opened.getByText(csrf === undefined ? 'The CSRF token is missing.' : 'from an older session').waitFor();
    }
    expect(await isLoggedIn()).toBe(false);
  },
);

test('a login link that an app opens logs nobody in before they agree', async () => {
  const { url } = (await (await host.send('POST', '/login-links', {})).json()) as { url: string };
  const opened = await windowOf(`window.open(${JSON.stringify(url)})`);
  await opened.getByText('This link logs you in as').waitFor();
  expect(await isLoggedIn()).toBe(false);
  await opened.getByRole('button', { name: 'Log in' }).click();
  await opened.waitForURL(`${host.url}/console/`);
  expect(await isLoggedIn()).toBe(true);
});

test('the login page logs in, and a link from outside of the browser does so at once', async () => {
  await page.goto(`${host.url}/console/login`);
  await page.getByLabel('Email').fill(EVE.email);
  await page.getByLabel('Password').fill(EVE.password);
  await page.getByRole('button', { name: 'Log in', exact: true }).first().click();
  await page.waitForURL(`${host.url}/console/`);
  const { url } = (await (await host.send('POST', '/login-links', {})).json()) as { url: string };
  const { pathname, search } = new URL(url);
  expect((await askRaw(host.url, pathname + search, { headers: OPENED })).status).toBe(303);
});
