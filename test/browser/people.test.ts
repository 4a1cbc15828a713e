import type { Browser, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { button, byLabel, checkLayout, logIn, notice, seriousFaults } from './pages.js';

const PASSWORD = 'correct horse battery';
/** Long enough to need the room that it must not have. */
const EMAIL = 'augusta.ada.king-noel@analytical-engines.example.com';

let host: TestHost;
let browser: Browser;
let admin: Page;
let ada: Page;

beforeAll(async () => {
  host = await startHost();
  browser = await openBrowser();
  [admin, ada] = [await openTab(browser), await openTab(browser)];
  await logIn(admin, host);
});
tellFailures(() => ({ host, page: ada }));

const check = async (page: Page, name: string): Promise<void> => {
  await checkLayout(page, name);
  expect(await seriousFaults(page), name).toEqual([]);
};

test('an admin invites a person, who joins, works, and is out once the account is disabled', async () => {
  await admin.getByRole('link', { name: 'People', exact: true }).click();
  await check(admin, 'people-empty');
  await byLabel(admin, 'Email').fill(EMAIL);
  await byLabel(admin, /^Groups/).fill('-sales');
  await button(admin, 'Create invitation link').click();
  await admin.getByText('A group has 1 to 100').waitFor();

  await byLabel(admin, /^Groups/).fill('sales, north');
  await button(admin, 'Create invitation link').click();
  const link = (await notice(admin, 'link-made').locator('code').textContent()) ?? '';
  await check(admin, 'people-invited');

  await ada.goto(link);
  await check(ada, 'join');
  await byLabel(ada, /^Your name/).fill('Ada');
  await byLabel(ada, 'Password').fill(PASSWORD);
  await button(ada, 'Join').click();
  await ada.waitForURL(`${host.url}/console/`);
  await check(ada, 'apps-of-a-member');
  expect(await ada.getByRole('link', { name: 'People', exact: true }).count()).toBe(0);
  await ada.getByRole('link', { name: EMAIL }).click();
  await check(ada, 'account');

  await ada.goto(link);
  await ada.getByText('This link no longer works').waitFor();
  await check(ada, 'join-used');

  await admin.goto(`${host.url}/console/people`);
  await admin.getByRole('link', { name: 'Ada', exact: true }).click();
  await check(admin, 'person');
  await button(admin, 'Disable account').click();
  await notice(admin, 'user-disable').waitFor();
  await ada.goto(`${host.url}/console/`);
  await ada.waitForURL(/\/console\/login/);
  await byLabel(ada, 'Email').fill(EMAIL);
  await byLabel(ada, 'Password').fill(PASSWORD);
  await button(ada, 'Log in').click();
  await ada.getByText('Wrong email address or password.').waitFor();
  await check(ada, 'login-accounts');

  await button(admin, 'Enable account').click();
  await notice(admin, 'user-enable').waitFor();
  await byLabel(ada, 'Password').fill(PASSWORD);
  await button(ada, 'Log in').click();
  await ada.waitForURL(`${host.url}/console/`);
});

test('an owner shares an app and creates tokens, which are shown once', async () => {
  await host.send('POST', '/apps', { name: 'Shop' });
  await host.send('PUT', `/apps/shop/roles/${EMAIL}`, { role: 'owner' });
  await ada.goto(`${host.url}/console/apps/shop`);
  await ada.getByRole('link', { name: 'Access', exact: true }).click();
  await byLabel(ada, 'Person or group').fill('group:sales');
  await byLabel(ada, 'developer').check();
  await button(ada, 'Save role').click();
  await notice(ada, 'role').waitFor();
  await check(ada, 'access');
  await ada.getByText('Create a token').click();
  await byLabel(ada, 'Token name').fill('CI');
  await button(ada, 'Create token').click();
  const deploys = await notice(ada, 'token-made').locator('code').textContent();
  expect(deploys).toMatch(/^shd_/);
  await byLabel(ada, 'People with a role').check();
  await button(ada, 'Save').click();
  await notice(ada, 'opens').waitFor();
  expect(await byLabel(ada, 'People with a role').isChecked()).toBe(true);
  await button(ada, 'Remove Ada').click();
  await ada.getByText('shop would have no owner').waitFor();

  await ada.goto(`${host.url}/console/account`);
  await ada.getByText('Create a token').click();
  await byLabel(ada, 'Token name').fill('laptop');
  await byLabel(ada, 'Scope').selectOption('read');
  await check(ada, 'token-form');
  await button(ada, 'Create token').click();
  const secret = (await notice(ada, 'token-made').locator('code').textContent()) ?? '';
  await check(ada, 'token-made');
  const ask = async (): Promise<number> =>
    (await fetch(`${host.url}/api/apps/shop`, { headers: { authorization: `Bearer ${secret}` } })).status;
  expect(await ask()).toBe(200);
  await button(ada, 'Revoke laptop').click();
  await notice(ada, 'revoked').waitFor();
  expect(await ask()).toBe(401);
});

test('the admin token logs in next to accounts', async () => {
  const page = await openTab(browser);
  await page.goto(`${host.url}/console/`);
  await page.getByText('Log in with the admin token').click();
  await check(page, 'login-token');
});
