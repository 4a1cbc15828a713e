import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { button, byLabel, checkLayout, logIn, makeApp, notice, seriousFaults } from './pages.js';

/** Values that stand nowhere but here. */
const KEY = 'value-of-a-key-5d2e';
const REGION = 'region-of-hearts-90b3';
const PASSWORD = 'password-in-toml-1f77';
const ANY = new RegExp(`${KEY}|${REGION}|${PASSWORD}`);

const APP = `import os
import streamlit as st

st.title("Region " + os.environ.get("REGION", "unknown")[:6])
if False:
    st.secrets["db"], os.environ["API_KEY"]
`;
const LIVE = { timeout: 60_000 };

describe('the config page in the console', () => {
  let host: TestHost;
  let browser: Browser;
  let page: Page;
  const faults: string[] = [];
  const config = (): string => `${host.url}/console/apps/sales/config`;

  beforeAll(async () => {
    host = await startHost();
    browser = await openBrowser();
    page = await openTab(browser);
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on(
      'console',
      (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) && faults.push(message.text()),
    );
    await logIn(page, host);
    await host.send('POST', '/apps', { name: 'Empty' });
    expect(await makeApp(host, 'Sales', { 'app.py': APP, 'requirements.txt': 'streamlit\n' })).toBe('live');
  });

  tellFailures(() => ({ host, page }));

  it('saves config of an app without a live release, without JavaScript too', async () => {
    const plain = await browser.newContext({
      javaScriptEnabled: false,
      storageState: await page.context().storageState(),
    });
    const simple = await plain.newPage();
    await simple.goto(`${host.url}/console/apps/empty/config`);
    await simple.getByText('Nothing is live yet.').waitFor();
    await byLabel(simple, 'Name').fill('API_KEY');
    await byLabel(simple, 'Value').fill(KEY);
    await button(simple, 'Save config var').click();
    await notice(simple, 'stored').waitFor();
    await simple.locator('input[type=file]').setInputFiles({
      name: 'secrets.toml',
      mimeType: 'text/plain',
      buffer: Buffer.from(`[db]\npassword = "${PASSWORD}"\n`),
    });
    await button(simple, 'Save secrets').click();
    await simple.locator('.names').getByText('[db]').waitFor();
    expect(await simple.content()).not.toMatch(ANY);
    await simple.locator('summary').getByText('Remove secrets').click();
    await button(simple, 'Remove all secrets').click();
    await simple.getByText('Not set').waitFor();
    await button(simple, 'Remove API_KEY').click();
    await simple.getByText('No config vars yet.').waitFor();
    await plain.close();
  });

  it('lists the keys that the code reads, and fills in the name', async () => {
    await page.goto(config());
    const missing = page.getByRole('region', { name: 'Missing config' });
    await missing.getByText('os.environ["API_KEY"]').waitFor();
    await missing.getByText('st.secrets["db"]').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-config-missing');
    await missing.getByRole('link', { name: 'Set db' }).click();
    expect(await page.locator('#toml').inputValue()).toBe('"db" = ""\n');
    await missing.getByRole('link', { name: 'Set API_KEY' }).click();
    await page.waitForURL('**/config?name=API_KEY#value');
    expect(await byLabel(page, 'Name').inputValue()).toBe('API_KEY');
    expect(await page.evaluate('document.activeElement.id')).toBe('value');
  });

  it('keeps the input if saving fails, and says what is wrong', async () => {
    await byLabel(page, 'Name').fill('PATH');
    await byLabel(page, 'Value').fill(KEY);
    await button(page, 'Save config var').click();
    await page.locator('#var-error[role=alert]').getByText('PATH').waitFor();
    expect([await byLabel(page, 'Name').inputValue(), await byLabel(page, 'Value').inputValue()]).toEqual([
      'PATH',
      KEY,
    ]);

    const toml = `\n[db]\npassword = ${PASSWORD} 5\n`;
    await page.locator('#toml').fill(toml);
    await button(page, 'Save secrets').click();
    await page
      .locator('#secrets-error[role=alert]')
      .getByText(/line 3, column \d+/i)
      .waitFor();
    expect(await page.locator('#toml').inputValue()).toBe(toml);
    expect(await seriousFaults(page)).toEqual([]);

    await page.getByText('Add several at once').click();
    await page.locator('#env').fill(`REGION=${REGION}\nAPI_KEY ${KEY}\n`);
    await button(page, 'Save config vars').click();
    await page
      .locator('#env-error[role=alert]')
      .getByText(/line 2\b/i)
      .waitFor();
    expect(await page.locator('#env').inputValue()).toContain(`API_KEY ${KEY}`);
    expect((await host.app('sales')).release).toBe(1);
    expect(await (await host.api('/apps/sales/config')).json()).toMatchObject({ version: 0, vars: [] });
  });

  it('saves several vars at once, and leads to the deploy', async () => {
    await page.locator('#env').fill(`# ours\nREGION=${REGION}\nAPI_KEY="${KEY}"\n`);
    await button(page, 'Save config vars').click();
    await page.waitForURL('**/deploys/2');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await page.locator('.deploy-head').getByText('config changed').waitFor();
    expect(await page.content()).not.toMatch(ANY);
  });

  it('shows names only; revealing a value takes a click and is logged', async () => {
    await page.goto(config());
    await page.locator('.vars').getByText('REGION').waitFor();
    await page.locator('.vars').getByText('by admin').first().waitFor();
    expect(await page.content()).not.toMatch(ANY);
    expect(host.output).not.toContain('revealed');
    await button(page, 'Reveal REGION').click();
    await page.locator('.shown').getByText(REGION).waitFor();
    expect(await page.content()).not.toMatch(new RegExp(KEY));
    expect(page.url()).toBe(config());
    await until('it is in the log', () => /"app":"sales","by":"admin".*"name":"REGION".*revealed/.test(host.output));
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-config');
    await page.goto(config());
    expect(await page.content()).not.toMatch(ANY);
  });

  it('asks before it removes a var', async () => {
    await button(page, 'Remove API_KEY').click();
    const dialog = page.getByRole('dialog', { name: 'Remove API_KEY?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await button(page, 'Remove API_KEY').click();
    expect(await seriousFaults(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Remove config var' }).click();
    await page.waitForURL('**/deploys/3');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    const { vars } = (await (await host.api('/apps/sales/config')).json()) as { vars: { name: string }[] };
    expect(vars.map(({ name }) => name)).toEqual(['REGION']);
  });

  it("reveals the secrets for editing, and does not overwrite someone else's change", async () => {
    const put = (toml: string): Promise<Response> =>
      host.api('/apps/empty/secrets', { method: 'PUT', headers: { 'content-type': 'text/plain' }, body: toml });
    await put(`[db]\npassword = "${PASSWORD}"\n`);
    await page.goto(`${host.url}/console/apps/empty/config`);
    expect(await page.content()).not.toMatch(ANY);
    await button(page, 'Reveal and edit').click();
    expect(await page.locator('#toml').inputValue()).toBe(`[db]\npassword = "${PASSWORD}"\n`);
    await put('[mail]\nhost = "x"\n');
    await page.locator('#toml').fill(`[db]\npassword = "${PASSWORD}-2"\n`);
    await button(page, 'Save secrets').click();
    await page.locator('#secrets-error[role=alert]').waitFor();
    expect(await (await host.api('/apps/empty/secrets')).json()).toMatchObject({ sections: ['mail'] });
    await button(page, 'Save secrets').click();
    await page.locator('.names').getByText('[db]').waitFor();
    expect(await (await host.api('/apps/empty/secrets?reveal=1')).json()).toMatchObject({
      toml: `[db]\npassword = "${PASSWORD}-2"\n`,
    });
  });

  it('shows open pages on an older release, which can be stopped', async () => {
    const visitor = await page.context().newPage();
    await visitor.goto(`${host.url}/apps/sales/`);
    await visitor.getByRole('heading', { name: 'Region region' }).waitFor(LIVE);
    await page.goto(`${config()}?name=REGION`);
    await byLabel(page, 'Value').fill('south');
    await button(page, 'Save config var').click();
    await page.waitForURL('**/deploys/4');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await page.goto(`${host.url}/console/apps/sales/deploys`);
    await page.locator('.open-pages').getByText('1 open page.').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-deploys-draining');
    await page.goto(`${host.url}/console/apps/sales`);
    await page.locator('.open-pages').getByText('1 open page.').waitFor();
    await button(page, 'Stop release 3').click();
    await notice(page, 'end').waitFor();
    expect(await page.locator('.open-pages').count()).toBe(0);
    await until('its page has moved to the live one', async () => {
      const live = (await (await host.api('/apps/sales/deploys/4')).json()) as { open_pages?: number };
      return live.open_pages === 1;
    });
    await visitor.close();
  });

  it('shows config and code changes before a rollback', async () => {
    await page.goto(`${host.url}/console/apps/sales/deploys`);
    await page.getByRole('link', { name: 'Roll back to release 1' }).click();
    await page.getByRole('heading', { name: 'Roll back to release 1?' }).waitFor();
    await page.locator('.changes').getByText('Removed').waitFor();
    await page.locator('.changes').getByText('REGION').waitFor();
    await page.getByText('None. The code is the same.').waitFor();
    await page.goto(`${host.url}/console/apps/sales/deploys/2/rollback`);
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-rollback-config');
    expect(await page.locator('.changes li').allInnerTexts()).toEqual([
      expect.stringMatching(/Added\s+API_KEY/),
      expect.stringMatching(/Changed\s+REGION/),
    ]);
    expect(await page.content()).not.toMatch(ANY);
    await page.goto(`${host.url}/console/apps/sales/deploys/4/rollback`);
    await page.getByText('This release is already live.').waitFor();
  });

  it('says in a sentence why the config cannot be read', async () => {
    const key = join(host.data, 'vault.key');
    await rename(key, `${key}.away`);
    await page.goto(config());
    await page
      .getByRole('alert')
      .getByText(/The key file .* is missing/)
      .waitFor();
    expect(await page.locator('textarea').count()).toBe(0);
    expect(await seriousFaults(page)).toEqual([]);
    await page.goto(`${host.url}/console/apps/sales/deploys/2/rollback`);
    await page.getByText("Can't compare the config.").waitFor();
    await rename(`${key}.away`, key);
  });

  it('leaves no values in the server log and no script errors on the pages', () => {
    expect(host.output).not.toMatch(ANY);
    expect(faults).toEqual([]);
  });
});
