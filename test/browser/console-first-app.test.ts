import { describe, expect, it } from 'vitest';
import { startHost, until } from '../helpers/host.js';
import { button, byLabel, checkLayout, drop, folderOf, headState, logIn, makeApp, notice, wordApp } from './pages.js';
import { openTabs } from './tabs.js';

const LIVE = { timeout: 60_000 };

describe('a console without apps', () => {
  const tabs = openTabs();

  it('lets in anyone with the login link, once', async () => {
    const host = await startHost();
    const page = await tabs.stranger(host);
    await page.goto(host.loginUrl);
    expect(page.url()).toBe(`${host.url}/console/`);
    await page.getByRole('heading', { name: 'Push your first app' }).waitFor();
    await page.getByText(`git remote add host ${host.url}/git/hello.git`).waitFor();
    await checkLayout(page, 'console-empty');

    const other = await tabs.stranger(host);
    const answer = await other.goto(host.loginUrl);
    expect(answer?.status()).toBe(401);
    await other.locator('#login-error[role=alert]').waitFor();
    await checkLayout(other, 'login-refused');
    await other.goto(`${host.url}/console/new`);
    expect(other.url()).toContain('/console/login?next=');
  });

  it('creates an app from a dropped folder, and shows the deploy as it happens, in another tab too', async () => {
    const host = await startHost();
    const page = await tabs.open(host);
    const second = await tabs.beside(page);
    await second.goto(`${host.url}/console/`);
    await second.getByRole('heading', { name: 'Push your first app' }).waitFor();

    await page.goto(`${host.url}/console/new`);
    const folder = await folderOf('My words', {
      'app.py': wordApp('First words'),
      'requirements.txt': 'streamlit\n',
      '.DS_Store': 'x',
      '__pycache__/a.pyc': 'x',
      '.env': 'KEY=1',
      '.streamlit/secrets.toml': 'key = 1',
    });
    await drop(page.locator('[data-drop]'), [folder]);
    await page.locator('[data-picked]').getByText('app.py').waitFor();
    const names = await page.locator('[data-picked] li span').allTextContents();
    expect(names.slice(0, 2)).toEqual(['app.py', 'requirements.txt']);
    // What holds secrets stays here, and the page says where its values belong.
    expect(names.slice(2).sort()).toEqual(['My words/.env', 'My words/.streamlit/secrets.toml']);
    const notes = await page.locator('[data-picked] li small').allTextContents();
    expect(notes.slice(2)).toEqual([
      'not uploaded; add its values under Config',
      'not uploaded; add its values under Config',
    ]);
    expect(await byLabel(page, 'Name').inputValue()).toBe('My words');
    await page.getByText(`${host.url}/git/my-words.git`).waitFor();
    await checkLayout(page, 'console-new');
    await button(page, 'Create and deploy').click();

    await page.waitForURL(`${host.url}/console/apps/my-words/deploys/1`);
    await page.evaluate('window.here = true');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await headState(page, 'Running').waitFor();
    await page.locator('.log-lines').getByText('Checked out 2 files; main file: app.py').waitFor();
    // There is nothing left to follow.
    await button(page, 'Follow').waitFor({ state: 'hidden' });
    // All of it came without a reload.
    expect(await page.evaluate('window.here')).toBe(true);
    await checkLayout(page, 'console-deploy');

    // Neither does the tab that was opened before there were any apps need one.
    await second.bringToFront();
    await second.getByRole('row').filter({ hasText: 'My words' }).getByText('Running').waitFor();
    await second.getByRole('heading', { name: 'Apps', exact: true }).waitFor();
    // The filter came with the list, and works.
    await byLabel(second, 'Filter apps').fill('nothing like it');
    await second.locator('[data-filter-none]').waitFor();
    await byLabel(second, 'Filter apps').fill('words run');
    expect(await second.getByRole('link', { name: 'My words', exact: true }).isVisible()).toBe(true);
    await byLabel(second, 'Filter apps').fill('');
  });

  it('is one again after the last app is deleted, by typing its id', async () => {
    const host = await startHost();
    const files = { 'app.py': wordApp('First words'), 'requirements.txt': 'streamlit\n' };
    expect(await makeApp(host, 'My words', files)).toBe('live');
    const page = await tabs.open(host);
    const second = await tabs.beside(page);
    await second.goto(`${host.url}/console/`);
    await second.getByRole('row').filter({ hasText: 'My words' }).getByText('Running').waitFor();
    await page.bringToFront();
    await page.goto(`${host.url}/console/apps/my-words/settings`);
    await button(page, 'Delete app …').click();
    const dialog = page.getByRole('dialog');
    const go = dialog.getByRole('button', { name: 'Delete app', exact: true });
    await dialog.getByLabel('Type my-words to confirm').fill('my-word');
    expect(await go.isDisabled()).toBe(true);
    await dialog.getByLabel('Type my-words to confirm').fill('my-words');
    await checkLayout(page, 'console-delete');
    await go.click();
    await notice(page, 'delete').waitFor();
    await page.getByRole('heading', { name: 'Push your first app' }).waitFor();
    await second.bringToFront();
    await second.getByRole('heading', { name: 'Push your first app' }).waitFor();
    expect((await host.api('/apps/my-words')).status).toBe(404);
    expect((await fetch(`${host.url}/apps/my-words/`)).status).toBe(404);
  });

  it('works without JavaScript for the essentials', async () => {
    const host = await startHost();
    const still = await tabs.stranger(host, { javaScriptEnabled: false });
    await logIn(still, host);
    await still.getByRole('link', { name: 'Upload files instead' }).click();
    await byLabel(still, 'Name').fill('Plain');
    await byLabel(still, 'Choose files').setInputFiles([
      { name: 'app.py', mimeType: 'text/x-python', buffer: Buffer.from(wordApp('Plain')) },
      { name: 'requirements.txt', mimeType: 'text/plain', buffer: Buffer.from('streamlit\n') },
    ]);
    await checkLayout(still, 'no-script-new');
    await button(still, 'Create and deploy').click();
    await still.waitForURL('**/console/apps/plain/deploys/1');
    await until('Plain is live', async () => (await host.app('plain')).state === 'running');
    await still.reload();
    await still.locator('.deploy-head').getByText('Live', { exact: true }).waitFor();
    await still.getByRole('link', { name: 'Logs', exact: true }).click();
    await checkLayout(still, 'no-script-logs');
    await still.getByRole('link', { name: 'Files', exact: true }).click();
    await still.getByRole('link', { name: 'app.py' }).click();
    await byLabel(still, 'Content of app.py').fill(wordApp('Plainer'));
    await button(still, 'Save and deploy').click();
    await still.waitForURL('**/deploys/2');
    await until('Plainer is live', async () => (await host.app('plain')).release === 2);
    await still.locator('#stop').click();
    await notice(still, 'stop').waitFor();
    await still.getByRole('link', { name: 'Settings', exact: true }).click();
    await still.getByRole('link', { name: 'Delete app …' }).click();
    await still.getByLabel('Type plain to confirm').fill('no');
    await button(still, 'Delete app').click();
    await still.locator('#delete-error[role=alert]').waitFor();
    await checkLayout(still, 'no-script-delete');
    await still.getByLabel('Type plain to confirm').fill('plain');
    await button(still, 'Delete app').click();
    await notice(still, 'delete').waitFor();
    await button(still, 'Log out').click();
    await still.goto(`${host.url}/console/`);
    await still.getByRole('heading', { name: 'Log in' }).waitFor();
  });
});
