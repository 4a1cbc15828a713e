import type { Browser, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { adminToken } from '../../src/domain/access/principal.js';
import { totpCode } from '../../src/domain/access/totp.js';
import { openBrowser, openTab } from '../helpers/browser.js';
import { startConsole } from '../helpers/console.js';
import type { TestWeb } from '../helpers/web.js';
import { button, byLabel, checkLayout, notice, seriousFaults } from './pages.js';

const PASSWORD = 'correct horse battery';
/** Long enough to need the room that it must not have. */
const EMAIL = 'augusta.ada.king-noel@analytical-engines.example.com';
const BY = adminToken('token');

let web: TestWeb;
let browser: Browser;
let admin: Page;
let ada: Page;

beforeAll(async () => {
  // Passkeys take no IP address.
  web = await startConsole({ base: 'http://localhost:PORT' });
  browser = await openBrowser();
  [admin, ada] = [await openTab(browser), await openTab(browser)];
  await web.people.add({ email: EMAIL, name: 'Ada', password: PASSWORD }, BY);
  await admin.goto(`${web.base()}/console/login?code=${web.sessions.makeCode({ name: 'admin' }).code}`);
});

const check = async (page: Page, name: string): Promise<void> => {
  await checkLayout(page, name);
  expect(await seriousFaults(page), name).toEqual([]);
};

/** Logs out and types the password. */
async function logIn(): Promise<void> {
  await ada.context().clearCookies();
  await ada.goto(`${web.base()}/console/login`);
  await byLabel(ada, 'Email').fill(EMAIL);
  await byLabel(ada, 'Password').fill(PASSWORD);
  await button(ada, 'Log in').click();
}

const inside = (): Promise<void> => ada.waitForURL(`${web.base()}/console/`);

test('a person sets up an app for codes, and logs in with a code and with a recovery code', async () => {
  await logIn();
  await inside();
  await ada.goto(`${web.base()}/console/account`);
  const password = byLabel(ada, 'Confirm with your password');
  await password.fill('not the password');
  await button(ada, 'Set up an app for codes').click();
  await ada.getByText('The current password is wrong.').waitFor();
  await check(ada, 'factor-refused');
  await password.fill(PASSWORD);
  await button(ada, 'Set up an app for codes').click();
  await ada.getByRole('img', { name: 'QR code' }).waitFor();
  const key = (await ada.locator('#second-factor .copy code').textContent()) ?? '';
  await byLabel(ada, 'Code').fill('000000');
  await button(ada, 'Confirm app').click();
  await ada.getByText('Wrong code.').waitFor();
  await check(ada, 'factor-set-up');
  await byLabel(ada, 'Code').fill(totpCode(key, Date.now()));
  await button(ada, 'Confirm app').click();
  const codes = await notice(ada, 'recovery-codes').locator('code').allTextContents();
  expect(codes).toHaveLength(10);
  await check(ada, 'factor-codes');

  await logIn();
  await ada.waitForURL(`${web.base()}/console/second`);
  await byLabel(ada, 'Code').fill('000000');
  await button(ada, 'Log in').click();
  await ada.getByText('Wrong code.').waitFor();
  await check(ada, 'second-step');
  // The next one: that of now was used.
  await byLabel(ada, 'Code').fill(totpCode(key, Date.now() + 30_000));
  await button(ada, 'Log in').click();
  await inside();
  await logIn();
  await ada.getByText('Use a recovery code').click();
  await byLabel(ada, 'Recovery code').fill(codes[0] ?? '');
  await check(ada, 'second-step-recovery');
  await button(ada, 'Log in with recovery code').click();
  await inside();
  await ada.goto(`${web.base()}/console/account`);
  await ada.getByText('9 codes left').waitFor();
  await check(ada, 'factor-account');
});

test('an admin resets it and requires one, which the person sets up at the next login', async () => {
  await admin.goto(`${web.base()}/console/people`);
  await admin.getByRole('link', { name: 'Ada', exact: true }).click();
  await check(admin, 'person-with-factor');
  await button(admin, 'Reset second factor').click();
  await notice(admin, 'second-factor-reset').waitFor();
  await button(admin, 'Require a second factor').click();
  await notice(admin, 'user-change').waitFor();
  await logIn();
  await ada.waitForURL(`${web.base()}/console/second`);
  await check(ada, 'second-step-set-up');
  const key = (await ada.locator('.copy code').textContent()) ?? '';
  await byLabel(ada, 'Code').fill(totpCode(key, Date.now()));
  await button(ada, 'Confirm and log in').click();
  await notice(ada, 'recovery-codes').waitFor();
  await check(ada, 'second-step-codes');
  await ada.getByRole('link', { name: 'Continue' }).click();
  await inside();
});
