import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ROOT, startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { Signals } from '../helpers/pushing.js';
import { button, byLabel, checkLayout, formOf, headState, makeApp, notice, wordApp } from './pages.js';
import { openTabs } from './tabs.js';

const LIVE = { timeout: 60_000 };

describe('the console', () => {
  let host: TestHost;
  const tabs = openTabs();

  beforeAll(async () => void (host = await startHost()));

  /** Makes an app of its own for a test. @returns a tab that is logged in */
  async function live(name: string): Promise<Page> {
    const files = { 'app.py': wordApp('First words'), 'requirements.txt': 'streamlit\n' };
    const [state, page] = await Promise.all([makeApp(host, name, files), tabs.open(host)]);
    expect(state).toBe('live');
    return page;
  }

  /** Begins a deploy of an app whose script waits until it is told to go on: at the end of the test, at the latest. */
  async function deploySlowly(id: string): Promise<Signals> {
    const signals = await Signals.create();
    onTestFinished(() => signals.go());
    const script = await readFile(join(ROOT, 'test/fixtures/apps/slow-script/app.py'), 'utf8');
    const files = { 'app.py': script, 'text.txt': 'slow', 'signals.txt': signals.text };
    const asked = await host.api(`/apps/${id}`, { method: 'PATCH', body: formOf(files) });
    expect(asked.ok, await asked.clone().text()).toBe(true);
    return signals;
  }

  it('opens the app, and follows its output', async () => {
    const page = await live('Spoken');
    await page.goto(`${host.url}/console/apps/spoken/logs`);
    const visitor = await page.context().newPage();
    await visitor.goto(`${host.url}/apps/spoken/`);
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

    // A progress bar is one line that is drawn again and again, and is seen before it is complete.
    const runLog = join(host.data, 'apps/spoken/releases/1/run.log');
    await appendFile(runLog, 'copied 10 %\rcopied 20 %');
    await log.getByText('copied 20 %').waitFor();
    await appendFile(runLog, '\rcopied 30 %');
    await log.getByText('copied 30 %').waitFor();
    await appendFile(runLog, '\rcopied it all\n');
    await log.getByText('copied it all').waitFor();
    expect(await log.getByText(/copied/).count()).toBe(1);

    await byLabel(page, 'Search in Log of Spoken').fill('is ALPHA');
    await page.getByText(/^1 of \d+ lines$/).waitFor();
    expect(await log.getByText('The word is beta.').isVisible()).toBe(false);
    expect(await log.locator('mark').allTextContents()).toEqual(['is alpha']);
    await checkLayout(page, 'console-logs-search');
    await byLabel(page, 'Search in Log of Spoken').fill('');
    await log.getByText('The word is beta.').waitFor();
    await button(page, 'Wrap').click();
    expect(await log.getAttribute('class')).not.toContain('wrap');

    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download full log' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('spoken.log');
    expect(await readFile(await file.path(), 'utf8')).toContain('The word is beta.');
    await checkLayout(page, 'console-logs');
    await visitor.close();
  });

  it('edits a file, and the app changes', async () => {
    const page = await live('Edited');
    const visitor = await page.context().newPage();
    await page.goto(`${host.url}/console/apps/edited/files`);
    await checkLayout(page, 'console-files');
    await page.getByRole('link', { name: 'app.py', exact: true }).click();
    await page.locator('.editor.coloured .hljs-keyword').first().waitFor();
    expect(await byLabel(page, 'Content of app.py').inputValue()).toBe(wordApp('First words'));
    await byLabel(page, 'Content of app.py').fill(wordApp('Second words'));
    await checkLayout(page, 'console-editor');
    await byLabel(page, 'Commit message').fill('Say it again');
    await byLabel(page, 'Content of app.py').press('Control+s');
    await page.waitForURL(`${host.url}/console/apps/edited/deploys/2`);
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await page.locator('.deploy-head').getByText('Say it again').waitFor();
    await visitor.goto(`${host.url}/apps/edited/`);
    await visitor.getByRole('heading', { name: 'Second words' }).waitFor();
    await visitor.close();
  });

  it('changes the branch that is deployed', async () => {
    const page = await live('Branched');
    await page.goto(`${host.url}/console/apps/branched/settings`);
    expect(await byLabel(page, 'Deploy branch').inputValue()).toBe('main');
    await byLabel(page, 'Deploy branch').fill('no..good');
    await button(page, 'Save settings').click();
    await page.locator('#settings-error[role=alert]').getByText('no..good').waitFor();
    await byLabel(page, 'Deploy branch').fill('production');
    await button(page, 'Save settings').click();
    await until('it is saved', async () => (await host.app('branched')).deploy_branch === 'production');
    const project = await Project.create(
      { 'app.py': wordApp('Pushed'), 'requirements.txt': 'streamlit\n' },
      'production',
    );
    const pushed = await project.git('push', '--force', host.remote('branched'), 'production');
    expect(pushed.code, pushed.output).toBe(0);
    expect(await host.app('branched')).toMatchObject({ release: 2, state: 'running' });
  });

  it("does not overwrite someone else's change", async () => {
    const page = await live('Shared');
    await page.goto(`${host.url}/console/apps/shared/files/app.py`);
    const changed = await host.api('/apps/shared/files/app.py', { method: 'PUT', body: wordApp('Third words') });
    expect(changed.ok, await changed.clone().text()).toBe(true);
    await byLabel(page, 'Content of app.py').fill(wordApp('Mine'));
    await button(page, 'Save and deploy').click();
    await page.getByRole('alert').getByText('Someone else changed app.py').waitFor();
    expect(await byLabel(page, 'Content of app.py').inputValue()).toBe(wordApp('Mine'));
    await until('the other change is live', async () => (await host.app('shared')).release === 2);
  });

  it('adds, renames and deletes files, each as a commit', async () => {
    const page = await live('Filed');
    // The branch follows the swap by a moment.
    const follows = (paths: string[]): Promise<unknown> =>
      until(`the files are ${paths.join()}`, async () => {
        const { files } = (await (await host.api('/apps/filed/files')).json()) as { files: { path: string }[] };
        return files.map(({ path }) => path).join() === paths.join();
      });
    await page.goto(`${host.url}/console/apps/filed/files`);
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
    await page.waitForURL('**/deploys/2');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);

    await follows(['app.py', 'pages/2_Größe.py', 'requirements.txt']);
    await page.goto(`${host.url}/console/apps/filed/files`);
    await page.getByRole('link', { name: '2_Größe.py' }).click();
    expect(await byLabel(page, 'Content of pages/2_Größe.py').inputValue()).toBe('x = 1\n');
    await page.getByText('Rename or delete').click();
    await byLabel(page, 'New path').fill('pages/3_Size.py');
    await checkLayout(page, 'console-rename');
    await button(page, 'Rename file').click();
    await page.waitForURL('**/deploys/3');
    await page.locator('.deploy-head').getByText('Rename pages/2_Größe.py to pages/3_Size.py').waitFor();
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);

    await follows(['app.py', 'pages/3_Size.py', 'requirements.txt']);
    await page.goto(`${host.url}/console/apps/filed/files/pages/3_Size.py`);
    await page.getByText('Rename or delete').click();
    await button(page, 'Delete file').click();
    const dialog = page.getByRole('dialog', { name: 'Delete pages/3_Size.py?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(page.url()).toContain('/files/');
    await button(page, 'Delete file').click();
    await dialog.getByRole('button', { name: 'Delete file' }).click();
    await page.waitForURL('**/deploys/4');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await follows(['app.py', 'requirements.txt']);
  });

  it('shows why a deploy failed, with its log, while the app keeps serving', async () => {
    const page = await live('Failing');
    await page.goto(`${host.url}/console/apps/failing/files/requirements.txt`);
    await byLabel(page, 'Content of requirements.txt').fill('streamlit\nno-such-package-anywhere-at-all\n');
    await button(page, 'Save and deploy').click();
    await page.waitForURL('**/deploys/2');
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
    await page.goto(`${host.url}/console/apps/failing/deploys`);
    const [failed, before] = (await page.locator('.release').allInnerTexts()) as [string, string];
    expect(failed).toMatch(/Checkout [\d.]+ m?s · environment [\d.]+ m?s\s+.*no-such-package-anywhere-at-all/);
    expect(before).toMatch(/Checkout [\d.]+ m?s · environment [\d.]+ m?s · start [\d.]+ m?s · check [\d.]+ m?s/);
    await checkLayout(page, 'console-deploys-failed');
    await page.goto(`${host.url}/console/apps/failing`);
    await page
      .locator('.facts-box .notice.bad')
      .getByText(/^Release 2 failed to deploy\. \S/)
      .waitFor();
    await checkLayout(page, 'console-overview');
  });

  it('cancels a deploy', async () => {
    const page = await live('Cancelled');
    await page.goto(`${host.url}/console/apps/cancelled`);
    const signals = await deploySlowly('cancelled');
    // The page that is open learns of it and of its end by itself.
    await page.locator('[data-live="deploying"]').getByRole('heading', { name: 'Deploying release 2' }).waitFor();
    await signals.hasBegun();
    await page.locator('#build-log').getByText('Checked out 4 files').waitFor();
    await checkLayout(page, 'console-overview-deploying');
    await page.locator('#cancel').click();
    await notice(page, 'cancel').waitFor();
    await page.locator('.deploy-head').getByText('Cancelled', { exact: true }).waitFor();
    expect((await host.app('cancelled')).release).toBe(1);
  });

  it('rolls back to an earlier release', async () => {
    const page = await live('Reverted');
    const change = async (path: string, body: string): Promise<void> => {
      const changed = await host.api(`/apps/reverted/files/${path}`, { method: 'PUT', body });
      expect(changed.ok, await changed.clone().text()).toBe(true);
    };
    const ended = async (number: number, state: string): Promise<unknown> =>
      until(`release ${number} is ${state}`, async () => {
        const deploy = (await (await host.api(`/apps/reverted/deploys/${number}`)).json()) as { state: string };
        return deploy.state === state;
      });
    await change('app.py', wordApp('Second words'));
    await ended(2, 'live');
    await change('app.py', 'raise SystemError("no")\n');
    await ended(3, 'failed');
    const signals = await deploySlowly('reverted');
    await signals.hasBegun();
    expect((await host.api('/apps/reverted/deploys/4/cancel', { method: 'POST' })).ok).toBe(true);
    await ended(4, 'cancelled');

    await page.goto(`${host.url}/console/apps/reverted/deploys`);
    await checkLayout(page, 'console-deploys');
    // Nobody can roll back to the live release, a failed one or a cancelled one.
    for (const number of [2, 3, 4])
      expect(await page.getByRole('link', { name: `Roll back to release ${number}` }).count()).toBe(0);
    await page.getByRole('link', { name: 'Roll back to release 1' }).click();
    await page.getByRole('heading', { name: 'Roll back to release 1?' }).waitFor();
    await page.locator('.patch .added').getByText('First words').waitFor();
    await page.getByText('config vars and secrets are the same').waitFor();
    await checkLayout(page, 'console-rollback');
    // A double click counts once.
    await button(page, 'Roll back').dblclick();
    await page.waitForURL('**/deploys/5');
    await page.locator('.deploy-head').getByText('Live', { exact: true }).waitFor(LIVE);
    await page.locator('.deploy-head').getByText('rolled back to release 1').waitFor();
    const visitor = await page.context().newPage();
    await visitor.goto(`${host.url}/apps/reverted/`);
    await visitor.getByRole('heading', { name: 'First words' }).waitFor();
    await visitor.close();
  });

  it('stops and starts the app, and updates every tab', async () => {
    const page = await live('Paused');
    const second = await tabs.beside(page);
    await second.goto(`${host.url}/console/`);
    await page.bringToFront();
    await page.goto(`${host.url}/console/apps/paused`);
    const row = second.getByRole('row').filter({ hasText: 'Paused' });
    await row.getByText('Running').waitFor();
    await page.locator('#stop').click();
    await notice(page, 'stop').waitFor();
    await headState(page, 'Stopped').waitFor();
    await second.bringToFront();
    await row.getByText('Stopped').waitFor();
    await checkLayout(page, 'console-stopped');

    const visitor = await tabs.stranger(host);
    const answer = await visitor.goto(`${host.url}/apps/paused/`);
    expect(answer?.status()).toBe(503);
    await visitor.getByRole('heading', { name: 'Paused is stopped' }).waitFor();
    await checkLayout(visitor, 'gateway-stopped');

    await page.bringToFront();
    await page.locator('#start').click();
    await headState(page, 'Running').waitFor();
    await second.bringToFront();
    await row.getByText('Running').waitFor();
    await visitor.reload();
    await visitor.getByRole('heading', { name: 'First words' }).waitFor();
  });

  it('renames the app without restarting anything', async () => {
    const page = await live('Renamed');
    const before = await host.app('renamed');
    await page.goto(`${host.url}/console/apps/renamed/settings`);
    await byLabel(page, 'Name').fill('Words & <b>more</b>');
    await byLabel(page, 'Description').fill('What people say.');
    await button(page, 'Save settings').click();
    await notice(page, 'save').waitFor();
    await page.getByRole('heading', { name: 'Words & <b>more</b>', level: 1 }).waitFor();
    await checkLayout(page, 'console-settings');
    const after = await host.app('renamed');
    expect(after).toMatchObject({ id: 'renamed', name: 'Words & <b>more</b>', description: 'What people say.' });
    expect([after.pid, after.release]).toEqual([before.pid, before.release]);
    await page.goto(`${host.url}/console/`);
    await checkLayout(page, 'console-apps');
  });
});
