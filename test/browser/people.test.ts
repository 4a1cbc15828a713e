import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { endWithFile } from '../helpers/ends.js';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { OidcProvider } from '../helpers/oidc.js';
import { button, byLabel, checkLayout, makeApp, notice, seriousFaults } from './pages.js';

const PASSWORD = 'correct horse battery';
/** Long enough to need the room that it must not have. */
const EMAIL = 'augusta.ada.king-noel@analytical-engines.example.com';

let host: TestHost;
let company: OidcProvider;
let browser: Browser;
let admin: Page;
let ada: Page;

beforeAll(async () => {
  company = await OidcProvider.start({ bob: { email: 'bob@example.com', email_verified: true, name: 'Bob' } });
  endWithFile(() => company.close());
  host = await startHost({
    env: {
      STREAMLIT_HOST_OIDC_ISSUER: company.url,
      STREAMLIT_HOST_OIDC_NAME: 'Company',
      STREAMLIT_HOST_OIDC_CLIENT_ID: 'streamlit-host',
      STREAMLIT_HOST_OIDC_CLIENT_SECRET: 'a-secret-of-the-tests',
    },
  });
  company.serve(host.url);
  browser = await openBrowser();
  [admin, ada] = [await openTab(browser), await openTab(browser)];
  await admin.goto(host.loginUrl);
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
  await button(ada, 'Log in with password').click();
  await ada.getByText('Wrong email address or password.').waitFor();
  await check(ada, 'login-accounts');

  await admin.goto(`${host.url}/console/people`);
  await admin.getByRole('link', { name: 'Audit log' }).click();
  await byLabel(admin, 'Who').fill(EMAIL);
  await button(admin, 'Search').click();
  await admin.getByRole('cell', { name: 'refused', exact: true }).waitFor();
  expect(await admin.getByRole('cell', { name: 'POST /console/people' }).count()).toBe(0);
  await check(admin, 'audit');
  const exported = admin.waitForEvent('download');
  await admin.getByRole('link', { name: 'Export' }).click();
  expect((await exported).suggestedFilename()).toBe('audit.jsonl');
  await admin.goto(`${host.url}/console/people`);
  await admin.getByRole('link', { name: 'Ada', exact: true }).click();
  await button(admin, 'Enable account').click();
  await notice(admin, 'user-enable').waitFor();
  await byLabel(ada, 'Password').fill(PASSWORD);
  await button(ada, 'Log in with password').click();
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

test('a visitor opens a private app with the login of their company, until an admin takes the right away', async () => {
  const script = `import streamlit as st
st.text("You are " + str(st.user.get("email")))
`;
  expect(await makeApp(host, 'Sales', { 'requirements.txt': 'streamlit\n', 'app.py': script })).toBe('live');
  await host.send('PATCH', '/apps/sales/access', { opens: 'people' });
  await host.send('POST', '/users', { email: 'bob@example.com' });
  await host.send('PUT', '/apps/sales/roles/bob@example.com', { role: 'viewer' });
  const bob = await openTab(browser);
  const there = `${host.url}/apps/sales/?year=2026&region=north%20east`;
  await bob.goto(there);
  await check(bob, 'login-providers');
  await bob.getByRole('link', { name: 'Log in with Company' }).click();
  await byLabel(bob, 'Name').fill('bob');
  const connected = bob.waitForEvent('websocket');
  await button(bob, 'Continue').click();
  await bob.getByText('You are bob@example.com').waitFor();
  expect(bob.url()).toBe(there);
  const closed = (await connected).waitForEvent('close', { timeout: 5_000 });
  expect((await host.api('/apps/sales/roles/bob@example.com', { method: 'DELETE' })).status).toBe(204);
  await closed;
  // Now there is no such app for them.
  expect((await bob.goto(there))?.status()).toBe(404);
  await bob.goto(`${host.url}/console/`);
  await button(bob, 'Log out').click();
  await bob.getByText('still logged in with Company').waitFor();
  await check(bob, 'login-left');
});

test('an owner shares an app by a password and by a link, which a page of an origin that the app names can frame', async () => {
  await admin.goto(`${host.url}/console/apps/sales/access`);
  await byLabel(admin, 'Everyone with the password').check();
  await button(admin, 'Save').click();
  await admin.getByText('Choose a password with which visitors open sales.').waitFor();
  await byLabel(admin, 'Everyone with the password').check();
  await byLabel(admin, /^Password for visitors/).fill('open sesame please');
  await button(admin, 'Save').click();
  await notice(admin, 'opens').waitFor();
  const client = await openTab(browser);
  await client.goto(`${host.url}/apps/sales/?year=2026`);
  await byLabel(client, 'Password').fill('a wrong guess');
  await button(client, 'Open app').click();
  await client.getByText('Wrong password.').waitFor();
  await check(client, 'open-password');
  await byLabel(client, 'Password').fill('open sesame please');
  await button(client, 'Open app').click();
  await client.getByText('You are None').waitFor();
  expect(client.url()).toBe(`${host.url}/apps/sales/?year=2026`);

  const [named, another] = [await serveFrame(), await serveFrame()];
  await admin.getByText('Create a share link').click();
  await byLabel(admin, /^Origins/).fill(`${named.origin}/wiki`);
  await button(admin, 'Save origins').click();
  await admin.getByText('Use origins such as').waitFor();
  await byLabel(admin, /^Origins/).fill(named.origin);
  await button(admin, 'Save origins').click();
  await notice(admin, 'frames').waitFor();
  await admin.getByText('Create a share link').click();
  await byLabel(admin, 'Who the link is for').fill('Wiki');
  await byLabel(admin, 'Can be framed').check();
  await button(admin, 'Create share link').click();
  const link = (await notice(admin, 'link-made').locator('code').textContent()) ?? '';
  await check(admin, 'access-shared');
  const reader = await openTab(browser);
  await reader.goto(`${named.origin}/?${encodeURIComponent(link)}`);
  await reader.frameLocator('iframe').getByText('You are None').waitFor();
  await reader.goto(`${another.origin}/?${encodeURIComponent(link)}`);
  await reader.waitForFunction(() => document.title === 'loaded');
  expect(reader.frames()[1]?.url()).toMatch(/^chrome-error:/);
  await button(admin, 'Revoke the link for Wiki').click();
  await notice(admin, 'unshared').waitFor();
  expect((await reader.goto(link))?.status()).toBe(410);
  await check(reader, 'share-ended');
});

/** A site of somebody else, whose page frames what its query says. */
async function serveFrame(): Promise<{ origin: string }> {
  const server = createServer((request, response) => {
    const src = decodeURIComponent(request.url?.split('?')[1] ?? '');
    response.setHeader('content-type', 'text/html');
    response.end(`<iframe src="${src}" onload="document.title = 'loaded'"></iframe>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endWithFile(() => void server.close());
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
