import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { ROOT, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { freePorts } from '../helpers/installation.js';
import { run } from '../helpers/project.js';
import { Signals } from '../helpers/pushing.js';
import {
  baseOf,
  button,
  byLabel,
  drop,
  folderOf,
  formOf,
  headState,
  checkLayout,
  logIn,
  makeApp,
  notice,
} from './pages.js';

const app = (text: string): string => `import streamlit as st

st.title("${text}")
word = st.text_input("Word")
if word:
    print(f"The word is {word}.", flush=True)
`;

const LIVE = { timeout: 60_000 };

describe('the console', () => {
  let host: TestHost;
  let browser: Browser;
  /** The page that most is done in, and a second one that only looks. */
  let page: Page;
  let second: Page;
  /** What went wrong in the scripts of our pages. */
  const faults: string[] = [];

  beforeAll(async () => {
    host = await startHost();
    browser = await openBrowser();
    page = await openTab(browser);
    page.on('pageerror', (error) => faults.push(String(error)));
  });

  tellFailures(() => ({ host, page }));

  it('lets in anyone with the login link, once', async () => {
    await page.goto(host.loginUrl);
    expect(page.url()).toBe(`${host.url}/console/`);
    await page.getByRole('heading', { name: 'Push your first app' }).waitFor();
    await page.getByText(`git remote add host ${host.url}/git/hello.git`).waitFor();
    await checkLayout(page, 'console-empty');

    const stranger = await browser.newContext();
    const other = await stranger.newPage();
    const answer = await other.goto(host.loginUrl);
    expect(answer?.status()).toBe(401);
    await other.locator('#login-error[role=alert]').waitFor();
    await checkLayout(other, 'login-refused');
    await other.goto(`${host.url}/console/new`);
    expect(other.url()).toContain('/console/login?next=');
    await stranger.close();
  });

  it('creates an app from a dropped folder, and shows the deploy as it happens', async () => {
    second = await page.context().newPage();
    second.on('pageerror', (error) => faults.push(String(error)));
    await second.goto(`${host.url}/console/`);
    await second.getByRole('heading', { name: 'Push your first app' }).waitFor();

    await page.goto(`${host.url}/console/new`);
    const folder = await folderOf('My words', {
      'app.py': app('First words'),
      'requirements.txt': 'streamlit\n',
      '.DS_Store': 'x',
      '__pycache__/a.pyc': 'x',
    });
    await drop(page.locator('[data-drop]'), [folder]);
    await page.locator('[data-picked]').getByText('app.py').waitFor();
    expect(await page.locator('[data-picked] li span').allTextContents()).toEqual(['app.py', 'requirements.txt']);
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
  });

  it('updates another tab, opened before there were any apps, without a reload', async () => {
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

  it('opens the app, and follows its output', async () => {
    await page.bringToFront();
    await page.goto(`${host.url}/console/apps/my-words/logs`);
    const visitor = await page.context().newPage();
    await visitor.goto(`${host.url}/apps/my-words/`);
    await visitor.getByRole('heading', { name: 'First words' }).waitFor();
    const say = async (word: string): Promise<void> => {
      await visitor.getByRole('textbox', { name: 'Word' }).fill(word);
      await visitor.getByRole('textbox', { name: 'Word' }).press('Enter');
    };
    const log = page.locator('.log-lines');

    await say('alpha');
    await log.getByText('The word is alpha.').waitFor();
    await button(page, 'Follow').click();
    await say('beta');
    await page.getByText(/paused, [1-9]\d* new/).waitFor();
    expect(await log.getByText('The word is beta.').count()).toBe(0);
    await button(page, 'Follow').click();
    await log.getByText('The word is beta.').waitFor();

    await byLabel(page, 'Search in Log of My words').fill('is ALPHA');
    await page.getByText(/^1 of \d+ lines$/).waitFor();
    expect(await log.getByText('The word is beta.').isVisible()).toBe(false);
    expect(await log.locator('mark').allTextContents()).toEqual(['is alpha']);
    await checkLayout(page, 'console-logs-search');
    await byLabel(page, 'Search in Log of My words').fill('');
    await log.getByText('The word is beta.').waitFor();
    await button(page, 'Wrap').click();
    expect(await log.getAttribute('class')).not.toContain('wrap');

    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download full log' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('my-words.log');
    expect(await readFile(await file.path(), 'utf8')).toContain('The word is beta.');
    await checkLayout(page, 'console-logs');
    await visitor.close();
  });

  it('edits a file, and the app changes', async () => {
    const visitor = await page.context().newPage();
    await page.goto(`${host.url}/console/apps/my-words/files`);
    await checkLayout(page, 'console-files');
    await page.getByRole('link', { name: 'app.py', exact: true }).click();
    await page.locator('.editor.coloured .hljs-keyword').first().waitFor();
    expect(await byLabel(page, 'Content of app.py').inputValue()).toBe(app('First words'));
    await byLabel(page, 'Content of app.py').fill(app('Second words'));
    await checkLayout(page, 'console-editor');
    await byLabel(page, 'Commit message').fill('Say it again');
    await byLabel(page, 'Content of app.py').press('Control+s');
    await page.waitForURL(`${host.url}/console/apps/my-words/deploys/2`);
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await page.locator('.deploy-head').getByText('Say it again').waitFor();
    await visitor.goto(`${host.url}/apps/my-words/`);
    await visitor.getByRole('heading', { name: 'Second words' }).waitFor();
    await visitor.close();
  });

  it("does not overwrite someone else's change", async () => {
    await page.goto(`${host.url}/console/apps/my-words/files/app.py`);
    const changed = await host.api('/apps/my-words/files/app.py', { method: 'PUT', body: app('Third words') });
    expect(changed.ok, await changed.clone().text()).toBe(true);
    await byLabel(page, 'Content of app.py').fill(app('Mine'));
    await button(page, 'Save and deploy').click();
    await page.getByRole('alert').getByText('Someone else changed app.py').waitFor();
    expect(await byLabel(page, 'Content of app.py').inputValue()).toBe(app('Mine'));
    await until('the other change is live', async () => (await host.app('my-words')).release === 3);
  });

  it('adds, renames and deletes files, each as a commit', async () => {
    await page.goto(`${host.url}/console/apps/my-words/files`);
    await page.getByRole('link', { name: 'New file' }).click();
    await byLabel(page, 'Path').fill('app.py');
    await byLabel(page, 'Content').fill('x = 1\n');
    await button(page, 'Save and deploy').click();
    await page.locator('#file-error[role=alert]').getByText('app.py').waitFor();
    await checkLayout(page, 'console-new-file');
    expect(await byLabel(page, 'Content').inputValue()).toBe('x = 1\n');
    await byLabel(page, 'Path').fill('../../etc/passwd');
    await button(page, 'Save and deploy').click();
    await page.locator('#file-error[role=alert]').getByText('../../etc/passwd').waitFor();
    await byLabel(page, 'Path').fill('pages/2_Größe.py');
    await button(page, 'Save and deploy').click();
    await page.waitForURL('**/deploys/4');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);

    await page.goto(`${host.url}/console/apps/my-words/files`);
    await page.getByRole('link', { name: '2_Größe.py' }).click();
    expect(await byLabel(page, 'Content of pages/2_Größe.py').inputValue()).toBe('x = 1\n');
    await page.getByText('Rename or delete').click();
    await byLabel(page, 'New path').fill('pages/3_Size.py');
    await checkLayout(page, 'console-rename');
    await button(page, 'Rename file').click();
    await page.waitForURL('**/deploys/5');
    await page.locator('.deploy-head').getByText('Rename pages/2_Größe.py to pages/3_Size.py').waitFor();
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);

    await page.goto(`${host.url}/console/apps/my-words/files/pages/3_Size.py`);
    await page.getByText('Rename or delete').click();
    await button(page, 'Delete file').click();
    const dialog = page.getByRole('dialog', { name: 'Delete pages/3_Size.py?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(page.url()).toContain('/files/');
    await button(page, 'Delete file').click();
    await dialog.getByRole('button', { name: 'Delete file' }).click();
    await page.waitForURL('**/deploys/6');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    const files = (await (await host.api('/apps/my-words/files')).json()) as { files: { path: string }[] };
    expect(files.files.map(({ path }) => path)).toEqual(['app.py', 'requirements.txt']);
  });

  it('shows why a deploy failed, with its log, while the app keeps serving', async () => {
    await page.goto(`${host.url}/console/apps/my-words/files/requirements.txt`);
    await byLabel(page, 'Content of requirements.txt').fill('streamlit\nno-such-package-anywhere-at-all\n');
    await button(page, 'Save and deploy').click();
    await page.waitForURL('**/deploys/7');
    await page.locator('.deploy-head').getByText('Failed', { exact: true }).waitFor(LIVE);
    await page
      .locator('.deploy-head .notice.bad')
      .getByText(/no-such-package-anywhere-at-all/)
      .waitFor();
    await page.locator('.log-lines .line.err').filter({ hasText: 'error: No solution found' }).waitFor();
    // The time in the reader's zone, short; the whole of it where one points.
    const time = page.locator('.log-lines .at').first();
    expect(await time.innerText()).toMatch(/^\d\d:\d\d:\d\d$/);
    expect(await time.getAttribute('title')).toMatch(/^\[\d{4}-.*Z\]$/);
    await headState(page, 'Running').waitFor();
    await checkLayout(page, 'console-deploy-failed');
    await page.goto(`${host.url}/console/apps/my-words/deploys`);
    const [failed, before] = (await page.locator('.release').allInnerTexts()) as [string, string];
    expect(failed).toMatch(/Checkout [\d.]+ m?s · environment [\d.]+ m?s\s+.*no-such-package-anywhere-at-all/);
    expect(before).toMatch(/Checkout [\d.]+ m?s · environment [\d.]+ m?s · start [\d.]+ m?s · check [\d.]+ m?s/);
    await checkLayout(page, 'console-deploys-failed');
    await page.goto(`${host.url}/console/apps/my-words`);
    await page
      .locator('.facts-box .notice.bad')
      .getByText(/^Release 7 failed to deploy\. \S/)
      .waitFor();
    await checkLayout(page, 'console-overview');
  });

  it('cancels a deploy', async () => {
    const signals = await Signals.create();
    const slow = join(ROOT, 'test/fixtures/apps/slow-build/slow');
    const files = {
      'requirements.txt': 'streamlit\n./slow\n',
      'slow/pyproject.toml': await readFile(join(slow, 'pyproject.toml'), 'utf8'),
      'slow/backend.py': await readFile(join(slow, 'backend.py'), 'utf8'),
      'slow/signals.txt': signals.text,
    };
    const asked = await host.api('/apps/my-words', { method: 'PATCH', body: formOf(files) });
    expect(asked.ok, await asked.clone().text()).toBe(true);
    // The page that was open learns of it and of its end by itself.
    await page.locator('[data-live="deploying"]').getByRole('heading', { name: 'Deploying release 8' }).waitFor();
    await signals.hasBegun();
    await page.locator('#build-log').getByText('slow').first().waitFor();
    await checkLayout(page, 'console-overview-deploying');
    await page.locator('#cancel').click();
    await notice(page, 'cancel').waitFor();
    await page.locator('.deploy-head').getByText('Cancelled', { exact: true }).waitFor();
    expect((await host.app('my-words')).release).toBe(6);
  });

  it('rolls back to an earlier release', async () => {
    await page.goto(`${host.url}/console/apps/my-words/deploys`);
    await checkLayout(page, 'console-deploys');
    // Nobody can roll back to the live release, a failed one or a cancelled one.
    for (const number of [6, 7, 8])
      expect(await page.getByRole('link', { name: `Roll back to release ${number}` }).count()).toBe(0);
    await page.getByRole('link', { name: 'Roll back to release 1' }).click();
    await page.getByRole('heading', { name: 'Roll back to release 1?' }).waitFor();
    await page.locator('.patch .added').getByText('First words').waitFor();
    await page.getByText('config vars and secrets are the same').waitFor();
    await checkLayout(page, 'console-rollback');
    // A double click counts once.
    await button(page, 'Roll back').dblclick();
    await page.waitForURL('**/deploys/9');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await page.locator('.deploy-head').getByText('rolled back to release 1').waitFor();
    const visitor = await page.context().newPage();
    await visitor.goto(`${host.url}/apps/my-words/`);
    await visitor.getByRole('heading', { name: 'First words' }).waitFor();
    await visitor.close();
  });

  it('stops and starts the app, and updates every tab', async () => {
    await page.goto(`${host.url}/console/apps/my-words`);
    const row = second.getByRole('row').filter({ hasText: 'My words' });
    await row.getByText('Running').waitFor();
    await page.locator('#stop').click();
    await notice(page, 'stop').waitFor();
    await headState(page, 'Stopped').waitFor();
    await second.bringToFront();
    await row.getByText('Stopped').waitFor();
    await checkLayout(page, 'console-stopped');

    const visitor = await (await browser.newContext()).newPage();
    const answer = await visitor.goto(`${host.url}/apps/my-words/`);
    expect(answer?.status()).toBe(503);
    await visitor.getByRole('heading', { name: 'My words is stopped' }).waitFor();
    await checkLayout(visitor, 'gateway-stopped');

    await page.bringToFront();
    await page.locator('#start').click();
    await headState(page, 'Running').waitFor();
    await second.bringToFront();
    await row.getByText('Running').waitFor();
    await visitor.reload();
    await visitor.getByRole('heading', { name: 'First words' }).waitFor();
    await visitor.context().close();
    await page.bringToFront();
  });

  it('renames the app without restarting anything', async () => {
    const before = await host.app('my-words');
    await page.goto(`${host.url}/console/apps/my-words/settings`);
    await byLabel(page, 'Name').fill('Words & <b>more</b>');
    await byLabel(page, 'Description').fill('What people say.');
    await button(page, 'Save settings').click();
    await notice(page, 'save').waitFor();
    await page.getByRole('heading', { name: 'Words & <b>more</b>', level: 1 }).waitFor();
    await checkLayout(page, 'console-settings');
    const after = await host.app('my-words');
    expect(after).toMatchObject({ id: 'my-words', name: 'Words & <b>more</b>', description: 'What people say.' });
    expect([after.pid, after.release]).toEqual([before.pid, before.release]);
    await checkLayout(second, 'console-apps');
  });

  it('shows that the connection is lost, and recovers when the server is back', async () => {
    await page.goto(`${host.url}/console/apps/my-words`);
    await page.bringToFront();
    const { port } = new URL(host.url);
    const { pid } = await host.app('my-words');
    await host.stop({ keepData: true, keepApps: true });
    await page.locator('[data-connection]:not(.mended):not(:empty)').waitFor();
    await checkLayout(page, 'console-lost');
    host = await startHost({ data: host.data, env: { STREAMLIT_HOST_PORT: port } });
    await page.locator('[data-connection].mended:not(:empty)').waitFor({ timeout: 40_000 });
    await page.locator('[data-connection]:not(:empty)').waitFor({ state: 'detached' });
    await headState(page, 'Running').waitFor();
    expect((await host.app('my-words')).pid).toBe(pid);
    // What happens from now on arrives again, and the log goes on.
    await host.api('/apps/my-words/stop', { method: 'POST' });
    await headState(page, 'Stopped').waitFor();
    await host.api('/apps/my-words/start', { method: 'POST' });
    await headState(page, 'Running').waitFor();
  });

  it('deletes the app after its id is typed', async () => {
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

  it('caused no script errors', () => {
    expect(faults).toEqual([]);
  });

  it('works without JavaScript for the essentials', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false });
    const still = await plain.newPage();
    await logIn(still, host);
    await still.getByRole('link', { name: 'Upload files instead' }).click();
    await byLabel(still, 'Name').fill('Plain');
    await byLabel(still, 'Choose files').setInputFiles([
      { name: 'app.py', mimeType: 'text/x-python', buffer: Buffer.from(app('Plain')) },
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
    await byLabel(still, 'Content of app.py').fill(app('Plainer'));
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
    await plain.close();
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
    expect(await makeApp(host, 'Words', { 'app.py': app('Below a path'), 'requirements.txt': 'streamlit\n' })).toBe(
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
