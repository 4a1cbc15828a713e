import type { Browser, Page, Request } from 'playwright-core';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { adminToken } from '../../src/domain/access/principal.js';
import { openBrowser, openTab } from '../helpers/browser.js';
import { startConsole } from '../helpers/console.js';
import { endWithFile } from '../helpers/ends.js';
import type { TestWeb } from '../helpers/web.js';
import { button, byLabel, checkLayout, notice, seriousFaults } from './pages.js';

const PASSWORD = 'correct horse battery';
const EMAIL = 'ada@example.com';

let web: TestWeb;
let browser: Browser;
let ada: Page;
/** What the last form of a passkey has sent. */
let sent = '';

beforeAll(async () => {
  // Passkeys take no IP address.
  web = await startConsole({ base: 'http://localhost:PORT' });
  browser = await openBrowser();
  ada = await openTab(browser);
  await web.people.add({ email: EMAIL, name: 'Ada', password: PASSWORD }, adminToken('token'));
  // A device that keeps passkeys and asks for a fingerprint: https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
  const devtools = await ada.context().newCDPSession(ada);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true },
      ...{ hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    },
  });
  ada.on('request', (request: Request) => {
    if (request.method() === 'POST' && /passkey$/.test(request.url()))
      sent = new URLSearchParams(request.postData() ?? '').get('response') ?? '';
  });
});

const check = async (page: Page, name: string): Promise<void> => {
  await checkLayout(page, name);
  expect(await seriousFaults(page), name).toEqual([]);
};

/** Logs out and opens the login page. */
async function atLogin(): Promise<void> {
  await ada.context().clearCookies();
  await ada.goto(`${web.base()}/console/login`);
}

async function logIn(): Promise<void> {
  await atLogin();
  await byLabel(ada, 'Email').fill(EMAIL);
  await byLabel(ada, 'Password').fill(PASSWORD);
  await button(ada, 'Log in').click();
}

const inside = (): Promise<void> => ada.waitForURL(`${web.base()}/console/`);

/** Sends an answer with the form of the page that is open, as its script would. */
async function send(response: string): Promise<void> {
  await ada.locator('form[data-passkey]').evaluate((form: HTMLFormElement, value) => {
    (form.elements.namedItem('response') as HTMLInputElement).value = value;
    form.submit();
  }, response);
}

test('a person adds a passkey on the account page, and gets recovery codes', async () => {
  await logIn();
  await inside();
  await ada.goto(`${web.base()}/console/account`);
  const password = byLabel(ada, 'Confirm with your password');
  await password.fill('not the password');
  await button(ada, 'Add a passkey').click();
  await ada.getByText('The current password is wrong.').waitFor();
  await password.fill(PASSWORD);
  await ada.getByLabel('Name of a new passkey').fill('laptop');
  await check(ada, 'passkey-account');
  // Enter presses the button below the field, and not the first one of the form.
  await ada.getByLabel('Name of a new passkey').press('Enter');
  await ada.getByText('keep the passkey “laptop”').waitFor();
  await check(ada, 'passkey-making');
  await button(ada, 'Create passkey').click();
  // The browser makes the passkey first, so the click waits for no page.
  await ada.getByText('never used').waitFor();
  expect(await notice(ada, 'recovery-codes').locator('code').allTextContents()).toHaveLength(10);
  await check(ada, 'passkey-made');
});

test('the passkey is the second factor after the password', async () => {
  await logIn();
  await ada.waitForURL(`${web.base()}/console/second`);
  await check(ada, 'passkey-second-step');
  await button(ada, 'Use a passkey').click();
  await inside();
  await ada.goto(`${web.base()}/console/account`);
  await ada.getByText('last used').waitFor();
});

test('the passkey logs in without the password', async () => {
  await atLogin();
  await check(ada, 'passkey-login');
  await button(ada, 'Log in with a passkey').click();
  await inside();
});

test('an answer that was used logs nobody in again', async () => {
  const used = sent;
  expect(used).toContain('"signature"');
  await atLogin();
  await send(used);
  await ada.getByText('This passkey was not accepted.').waitFor();
  await check(ada, 'passkey-refused');
});

test("the answer that another port's page was given logs nobody in", async () => {
  const other = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<title>app</title>'));
  await new Promise<void>((done) => other.listen(0, 'localhost', done));
  endWithFile(() => new Promise<void>((done) => void other.close(() => done())));
  await atLogin();
  const options = (await ada.locator('form[data-passkey]').getAttribute('data-options')) ?? '';
  await ada.goto(`http://localhost:${(other.address() as AddressInfo).port}/`);
  const answer = await ada.evaluate(async (text) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
      JSON.parse(text) as PublicKeyCredentialRequestOptionsJSON,
    );
    const found = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
    return JSON.stringify(found.toJSON());
  }, options);
  await ada.goto(`${web.base()}/console/login`);
  // The challenge is still good: it is the origin that is wrong.
  expect(await ada.locator('form[data-passkey]').getAttribute('data-options')).toBe(options);
  await send(answer);
  await ada.getByText('This passkey was not accepted.').waitFor();
  await ada.goto(`${web.base()}/console/login`);
  await button(ada, 'Log in with a passkey').click();
  await inside();
});

test('a person who must have a second factor sets up a passkey at the login', async () => {
  await web.factors.reset(EMAIL);
  await web.people.change(EMAIL, { secondFactorRequired: true });
  await logIn();
  await ada.waitForURL(`${web.base()}/console/second`);
  await check(ada, 'passkey-set-up');
  await button(ada, 'Create passkey').click();
  await notice(ada, 'recovery-codes').waitFor();
  await ada.getByRole('link', { name: 'Continue' }).click();
  await inside();
  await ada.goto(`${web.base()}/console/account`);
  await ada.getByRole('button', { name: /^Remove .*Chrom/ }).waitFor();
});
