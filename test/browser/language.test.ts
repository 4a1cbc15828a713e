import type { Page } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';
import { openBrowser, tellFailures } from '../helpers/browser.js';
import { startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { textApp } from '../helpers/project.js';
import { button, byLabel, checkLayout, formOf, makeApp, seriousFaults } from './pages.js';

let host: TestHost;
let page: Page;

beforeAll(async () => {
  host = await startHost();
  const browser = await openBrowser();
  const context = await browser.newContext({ locale: 'zh-CN' });
  context.setDefaultTimeout(20_000);
  page = await context.newPage();
});

tellFailures(() => ({ host, page }));

/** Opens a page of the server and checks its language, its faults and its layout. */
async function look(path: string, title: string, name: string): Promise<void> {
  await page.goto(host.url + path);
  await page.getByText(title, { exact: true }).first().waitFor();
  expect(await page.getAttribute('html', 'lang'), path).toBe('zh-CN');
  expect(await seriousFaults(page), path).toEqual([]);
  await checkLayout(page, `zh-${name}`);
}

it('a browser that prefers Chinese gets it as a visitor and at the login', async () => {
  expect(await makeApp(host, 'Sales', textApp('All of our sales'), 'What was sold')).toBe('live');
  await look('/', '应用', 'gallery');

  await host.api('/apps/sales/stop', { method: 'POST' });
  await until('the app is stopped', async () => (await host.app('sales')).state === 'stopped');
  await look('/apps/sales/', 'Sales 已停止', 'stopped');
  await look('/apps/nothing/', '应用不存在', 'not-found');

  await look('/console/', '登录', 'login');
  await byLabel(page, '令牌').fill('not the token');
  await button(page, '登录').click();
  await page.getByText('令牌无效。').waitFor();
  await byLabel(page, '令牌').fill(TOKEN);
  await button(page, '登录').click();
  await page.waitForURL(`${host.url}/console/`);
});

it('the console is in Chinese on every page', async () => {
  for (const [path, title, name] of [
    ['', '应用', 'apps'],
    ['new', '新建应用', 'new'],
    ['machine', '主机', 'machine'],
    ['alerts', '告警', 'alerts'],
    ['people', '人员', 'people'],
    ['audit', '审计日志', 'audit'],
    ['account', '你的账号', 'account'],
    ['apps/sales', '最近的部署', 'overview'],
    ['apps/sales/logs', '下载完整日志', 'logs'],
    ['apps/sales/metrics', '响应时间', 'metrics'],
    ['apps/sales/errors', '错误', 'errors'],
    ['apps/sales/alerts', '通知目标', 'app-alerts'],
    ['apps/sales/deploys', '线上', 'deploys'],
    ['apps/sales/deploys/1', '版本 1', 'deploy'],
    ['apps/sales/files/app.py', '保存并部署', 'file'],
    ['apps/sales/config', '配置变量', 'config'],
    ['apps/sales/settings', '运行设置', 'settings'],
    ['apps/sales/access', '谁可以打开此应用', 'access'],
    ['apps/sales/drains', '添加日志转发', 'drains'],
  ] as const)
    await look(`/console/${path}`, title, name);
});

it('the reason of a failed deploy is in Chinese, and what the tool has printed is in its own words', async () => {
  const body = formOf({ 'requirements.txt': 'streamlit\nno-such-package-anywhere-at-all\n' });
  await host.api('/apps/sales', { method: 'PATCH', body });
  const failed = async (): Promise<boolean> =>
    ((await host.app('sales')).last_deploy as { state?: string }).state === 'failed';
  await until('the second release has failed', failed);
  for (const path of ['', '/deploys', '/deploys/2']) {
    await page.goto(`${host.url}/console/apps/sales${path}`);
    await page.getByText('未找到名为 no-such-package-anywhere-at-all 的软件包').first().waitFor();
  }
  const { last_deploy: last } = await host.app('sales');
  expect(last).toMatchObject({ reason: 'no package named no-such-package-anywhere-at-all was found' });
  await page.getByText('no-such-package-anywhere-at-all was not found in the package registry').first().waitFor();
});

it('a refusal is in Chinese, and everything in English after the switch', async () => {
  // A refusal has one code and one English sentence, which the console translates.
  await page.goto(`${host.url}/console/apps/sales/config`);
  await byLabel(page, '名称').fill('9LIVES');
  await button(page, '保存配置变量').click();
  await page.getByText('“9LIVES”不是有效的配置变量名').waitFor();

  // What the script of a page is refused is in its language too; programs are answered in English.
  await page.goto(`${host.url}/console/new`);
  await byLabel(page, '名称').fill('Sales');
  await page
    .locator('input[type=file]')
    .first()
    .setInputFiles({
      ...{ name: 'app.py', mimeType: 'text/x-python', buffer: Buffer.from('import streamlit\n') },
    });
  await button(page, '创建并部署').click();
  await page.getByText('名为“Sales”的应用已存在。').waitFor();
  const answer = await host.send('POST', '/apps', { name: 'Sales' });
  expect(await answer.json()).toMatchObject({ detail: 'An app named "Sales" already exists.' });

  await page.goto(`${host.url}/console/apps/sales/deploys`);
  await page.getByRole('link', { name: 'English' }).click();
  await page.waitForURL(`${host.url}/console/apps/sales/deploys`);
  expect(await page.getAttribute('html', 'lang')).toBe('en');
  await page.getByRole('link', { name: 'Overview' }).waitFor();
  await page.goto(`${host.url}/apps/sales/`);
  await page.getByText('Sales is stopped').waitFor();
  await page.getByRole('link', { name: '简体中文' }).click();
  await page.getByText('Sales 已停止').waitFor();
});
