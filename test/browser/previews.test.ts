import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { byLabel, button, headState, checkLayout, logIn, notice, seriousFaults } from './pages.js';

describe('previews in the console', () => {
  let host: TestHost;
  let page: Page;
  let project: Project;

  beforeAll(async () => {
    host = await startHost();
    page = await openTab(await openBrowser());
    project = await Project.create(textApp('text:main'));
    await pushLive(project, host, 'shop');
    await logIn(page, host);
  });

  tellFailures(() => ({ host, page }));

  it("are turned on in the app's settings, which say what that does", async () => {
    await page.goto(`${host.url}/console/apps/shop/settings`);
    expect(await byLabel(page, 'Branch previews').isChecked()).toBe(false);
    await byLabel(page, 'Branch previews').check();
    expect(await seriousFaults(page)).toEqual([]);
    await button(page, 'Save settings').click();
    await notice(page, 'save').waitFor();
    expect(await byLabel(page, 'Branch previews').isChecked()).toBe(true);
    await page.goto(`${host.url}/console/apps/shop`);
    await page.getByText('No previews yet.').waitFor();
  });

  it("appear on the app's page without a reload, and are deleted with a click", async () => {
    await project.git('checkout', '--quiet', '-b', 'feature/x');
    await project.commit(textApp('text:feature'), 'Try a slider');
    const pushed = await project.git('push', host.remote('shop'), 'feature/x');
    expect(pushed.output).toContain('shop--feature-x is live');
    const open = page.getByRole('link', { name: 'Open the preview of feature/x' });
    await open.waitFor();
    expect(await open.getAttribute('href')).toBe(`${host.url}/apps/shop--feature-x/`);
    await project.commit({ 'app.py': 'raise RuntimeError("not today")\n' }, 'Break it');
    expect((await project.git('push', host.remote('shop'), 'HEAD:other')).code).toBe(1);
    await page.getByRole('button', { name: 'Delete preview of other' }).waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-previews');

    await page.goto(`${host.url}/console/`);
    const rows = await page.locator('#apps tbody tr').all();
    expect(await Promise.all(rows.map((row) => row.getAttribute('data-app')))).toEqual([
      'shop',
      'shop--feature-x',
      'shop--other',
    ]);
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-apps-previews');

    await page.getByRole('link', { name: 'shop (feature/x)', exact: true }).click();
    await headState(page, 'Running').waitFor();
    await page.getByText('Preview of branch feature/x of shop').waitFor();
    await page.goto(`${host.url}/console/apps/shop--feature-x/settings`);
    expect(await byLabel(page, 'Branch previews').count()).toBe(0);

    await page.goto(`${host.url}/console/apps/shop`);
    await button(page, 'Delete preview of feature/x').click();
    await notice(page, 'remove-preview').waitFor();
    expect(await open.count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Delete preview of other' }).count()).toBe(1);
    expect((await fetch(`${host.url}/apps/shop--feature-x/`)).status).toBe(404);
    expect((await host.app('shop')).state).toBe('running');

    // Its branch is kept, and no push would do anything: it is asked for here.
    await page.getByLabel('Previously pushed branch').selectOption('feature/x');
    expect(await seriousFaults(page)).toEqual([]);
    await checkLayout(page, 'console-stored-branches');
    await button(page, 'Create preview').click();
    await page.getByRole('heading', { name: 'Release 1' }).waitFor();
    await until('it is live again', async () => (await host.app('shop--feature-x')).release === 1);
  });
});
