import type { Browser } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';
import { openBrowser } from '../helpers/browser.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, pushLive, Signals, startPush } from '../helpers/pushing.js';
import { checkLayout, logIn } from './pages.js';

let host: TestHost;
let browser: Browser;

beforeAll(async () => {
  host = await startHost();
  browser = await openBrowser();
});

it('a visitor during the first build sees that the app is building, and the app opens when ready; the operator sees the log stream', async () => {
  const signals = await Signals.create();
  const project = await fixture('slow-build');
  await project.commit({ 'slow/signals.txt': signals.text, 'text.txt': 'text:there' }, 'Begin');
  const pushing = startPush(project, host, 'first');
  await signals.hasBegun();

  const machine = await fetch(`${host.url}/apps/first/data.json`, { headers: { accept: 'application/json' } });
  expect([machine.status, machine.headers.get('retry-after')]).toEqual([503, '2']);
  expect(await machine.text()).toBe('first: building.\n');

  const page = await browser.newPage();
  await page.goto(`${host.url}/apps/first/`);
  await page.getByRole('heading', { name: 'first is building' }).waitFor();
  const operator = await (await browser.newContext()).newPage();
  await logIn(operator, host);
  await operator.goto(`${host.url}/apps/first/`);
  const log = operator.getByRole('log', { name: 'Build log' });
  await log.getByText('Building slow').waitFor();
  expect(await log.textContent()).not.toContain(host.data);
  await checkLayout(operator, 'gateway-building-log');
  // The page with the log is loaded again by itself, and shows it again.
  await operator.waitForEvent('load');
  await log.getByText('Building slow').waitFor();
  expect(await page.content()).not.toContain('Building slow');
  // What a script of another app fetches with the operator's cookie does not tell it.
  const fetched = await operator.evaluate<string>(
    `fetch('/apps/first/', { headers: { accept: 'text/html' } }).then((answer) => answer.text())`,
  );
  expect(fetched).toContain('first is building');
  expect(fetched).not.toContain('Building slow');
  await signals.go();
  await page.getByText('text:there').waitFor({ timeout: 120_000 });
  await operator.getByText('text:there').waitFor({ timeout: 120_000 });
  expect((await pushing.done).code).toBe(0);
  await page.close();
  await operator.context().close();
});

it('only the operator sees why a first deploy failed', async () => {
  const project = await fixture('exception');
  expect((await project.git('push', host.remote('broken'), 'main')).code).toBe(1);
  await until('it has failed', async () => (await host.app('broken')).state === 'failed');

  const visitor = await browser.newPage();
  await visitor.goto(`${host.url}/apps/broken/`);
  await visitor.getByRole('heading', { name: 'App not found' }).waitFor();
  expect(await visitor.content()).not.toContain('exception');
  await visitor.close();

  const context = await browser.newContext();
  const operator = await context.newPage();
  await logIn(operator, host);
  await operator.goto(`${host.url}/apps/broken/`);
  await operator.getByText('the script raised an exception').waitFor();
  await checkLayout(operator, 'gateway-failed-reason');
  // What a script of another app fetches with the operator's cookie does not tell it.
  const fetched = await operator.evaluate<string>(
    `fetch('/apps/broken/', { headers: { accept: 'text/html' } }).then((answer) => answer.text())`,
  );
  expect(fetched).toContain('App not found');
  expect(fetched).not.toContain('exception');
  // Nor does what another app's page puts into a frame, or opens in a window of its own.
  await pushLive(await Project.create(textApp('text:other')), host, 'other');
  await operator.goto(`${host.url}/apps/other/`);
  await operator.getByText('text:other').waitFor();
  const framed = await operator.evaluate<string>(`new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.addEventListener('load', () => resolve(frame.contentDocument?.body.textContent ?? ''));
    frame.src = '/apps/broken/';
    document.body.append(frame);
  })`);
  expect(framed).toContain('App not found');
  expect(framed).not.toContain('exception');
  const popup = context.waitForEvent('page');
  await operator.evaluate(`void (window.opened = window.open('/apps/broken/'))`);
  await (await popup).getByText('the script raised an exception').waitFor();
  expect(
    await operator.evaluate<string>(
      `(() => { try { return window.opened.document.body.textContent; } catch (error) { return ''; } })()`,
    ),
  ).not.toContain('exception');
  await context.close();
});
