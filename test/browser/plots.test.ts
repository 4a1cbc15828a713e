import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { app as fields, blank, box, BOX_ID } from '../../src/metrics/fields.js';
import { MetricsStore } from '../../src/metrics/store.js';
import { openBrowser, tellFailures } from '../helpers/browser.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { checkLayout, formOf, makeApp, seriousFaults } from './pages.js';

// The plots of a whole day, on a telephone and on a wide screen, by day and by night, in both languages.

/** The open pages of an app in each hour of a working day, as a busy server had them. */
const PAGES = [1, 0, 0, 0, 1, 2, 6, 14, 31, 42, 44, 39, 24, 28, 43, 41, 36, 27, 15, 9, 7, 5, 3, 2];
const SPAN_MS = 10_000;
const HOUR_SPANS = 360;
const MB = 1_024;

let host: TestHost;
let browser: Browser;
let page: Page;

/** Writes the figures of the last day, as if the load had been put on the apps. */
async function recordDay(folder: string): Promise<void> {
  const store = new MetricsStore(folder, (text) => expect.fail(text));
  const now = Math.floor(Date.now() / SPAN_MS);
  const first = now - 24 * HOUR_SPANS;
  await store.open(first * SPAN_MS);
  for (let span = 0; span < 24 * HOUR_SPANS; span += 1) {
    const hour = span / HOUR_SPANS;
    const [before = 0, after = 0] = [PAGES[Math.floor(hour)], PAGES[Math.ceil(hour) % 24]];
    const pages = Math.round(before + (after - before) * (hour % 1));
    // It comes and goes within minutes, the same in each run.
    const wave = 1 + 0.25 * Math.sin(span / 7) + 0.15 * Math.sin(span / 31);
    const requests = Math.round(pages * 1.5 * wave);
    const figures = new Map<string, number[]>();
    for (const [id, part] of [
      ['sales', 1],
      ['stock', 0.4],
    ] as const) {
      const values = blank(id);
      const set = (name: keyof typeof fields, value: number): void => void (values[fields[name]] = Math.round(value));
      set('samples', 1);
      set('release', hour < 13 ? 1 : 2);
      set('processes', 3);
      set('pages', pages * part);
      set('sessions', (requests * part) / 12);
      set('visitors', (requests * part) / 40);
      set('cpuMs', 80 + 150 * pages * part * wave);
      set('memoryKb', (180 + 4 * pages * part * wave) * MB);
      set('memoryMaxKb', (190 + 5 * pages * part * wave) * MB);
      set('requests2xx', requests * part);
      set('requests3xx', requests * part * 0.2);
      set('requests4xx', span % 97 === 0 ? 2 : 0);
      set('requests5xx', span % 331 === 0 ? 1 : 0);
      set('bytesIn', 2_000 * requests * part);
      set('bytesOut', 60_000 * requests * part);
      set('latencyMs', 60 * requests * part);
      set('latency2', requests * part * 0.7);
      set('latency5', requests * part * 0.3);
      figures.set(id, values);
    }
    const values = blank(BOX_ID);
    const set = (name: keyof typeof box, value: number): void => void (values[box[name]] = Math.round(value));
    set('samples', 1);
    set('cores', 8);
    set('cpuMs', 4_000 + 300 * pages * wave);
    set('memoryKb', (4_200 + 30 * pages * wave) * MB);
    set('memoryTotalKb', 16_384 * MB);
    set('diskKb', (61_000 + hour * 40) * MB);
    set('diskTotalKb', 204_800 * MB);
    set('load100', 40 + 5 * pages * wave);
    set('loopDelayUs', 4_000 + 300 * pages * wave);
    set('redisUs', 300 + 10 * pages * wave);
    set('serverCpuMs', 200 + 10 * requests);
    set('serverMemoryKb', 160 * MB);
    set('pages', pages * 1.4);
    set('requests', requests * 1.4);
    set('running', 2);
    figures.set(BOX_ID, values);
    await store.add((first + span + 1) * SPAN_MS, figures);
  }
  await store.close();
}

/** Has an app been there for two days: what was measured before there was an app is not its own. */
async function makeOlder(file: string): Promise<void> {
  const meta = JSON.parse(await readFile(file, 'utf8')) as { createdAt: string };
  meta.createdAt = new Date(Date.now() - 48 * 3_600_000).toISOString();
  await writeFile(file, JSON.stringify(meta));
}

/** Raises an exception where somebody asks for it, as a user's input would. */
const APP = `import streamlit as st
st.title("All of our sales")
if "year" in st.query_params:
    st.write(1 / (int(st.query_params["year"]) - 2026))
`;

beforeAll(async () => {
  const first = await startHost();
  expect(await makeApp(first, 'Sales', { 'app.py': APP, 'requirements.txt': 'streamlit\n' }, 'What was sold.')).toBe(
    'live',
  );
  expect(await makeApp(first, 'Stock', { 'app.py': APP, 'requirements.txt': 'streamlit\n' })).toBe('live');
  await first.api('/apps/sales', { method: 'PATCH', body: formOf({ 'app.py': `${APP}\n` }) });
  await until('the second release is live', async () => (await first.app('sales')).release === 2);
  await first.stop({ keepData: true });
  for (const id of ['sales', 'stock']) await makeOlder(join(first.data, 'apps', id, 'meta.json'));
  await rm(join(first.data, 'metrics'), { recursive: true });
  await recordDay(join(first.data, 'metrics'));
  host = await startHost({ data: first.data });
  browser = await openBrowser();
  await until('both apps run', async () =>
    (await Promise.all(['sales', 'stock'].map((id) => host.app(id)))).every(({ state }) => state === 'running'),
  );
});

tellFailures(() => ({ host, page }));

const TABLE = { en: 'Table (highest values)', 'zh-CN': '表格（最高值）' } as const;

describe.each(['en', 'zh-CN'] as const)('in %s', (locale) => {
  it('the plots of a day and the pages around them fit and have no serious fault', async () => {
    const context = await browser.newContext({ locale });
    context.setDefaultTimeout(20_000);
    page = await context.newPage();
    if (locale === 'en') {
      await page.goto(`${host.url}/apps/sales/?year=2026`);
      await page.getByText('ZeroDivisionError').first().waitFor();
      await host.send('POST', '/server/alerts/destinations', {
        ...{ kind: 'webhook', address: 'https://hooks.example.com/x', name: 'On-call team', rules: ['down', 'disk'] },
      });
      await until(
        'the exception is counted',
        async () =>
          ((await (await host.api('/apps/sales/errors')).text()).match(/ZeroDivisionError/g)?.length ?? 0) > 0,
      );
    }
    await page.context().addCookies([await session()]);
    for (const [path, name] of [
      ['/console/apps/sales/metrics?range=day', 'metrics'],
      ['/console/machine?range=day', 'machine'],
    ] as const) {
      await page.goto(host.url + path);
      await page.locator('.uplot canvas').nth(5).waitFor();
      expect(await seriousFaults(page), path).toEqual([]);
      await checkLayout(page, `day-${name}-${locale}`);
    }
    for (const [path, name] of [
      ['/console/apps/sales/errors', 'errors'],
      ['/console/apps/sales/alerts', 'alerts'],
      ['/console/alerts', 'machine-alerts'],
      ['/console/', 'list'],
      ['/console/apps/sales', 'app'],
      ['/console/people', 'people'],
      ['/', 'gallery'],
    ] as const) {
      await page.goto(host.url + path);
      await page.locator('main h1, main h2').first().waitFor();
      expect(await seriousFaults(page), path).toEqual([]);
      await checkLayout(page, `day-${name}-${locale}`);
    }
  });

  it('the range and the figures of a plot are reached by keyboard', async () => {
    await page.goto(`${host.url}/console/apps/sales/metrics?range=day`);
    await page.locator('.uplot canvas').nth(5).waitFor();
    const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent.trim()');
    const tabTo = async (isThere: () => Promise<boolean>): Promise<void> => {
      for (let count = 0; count < 60 && !(await isThere()); count += 1) await page.keyboard.press('Tab');
      expect(await isThere(), await focused()).toBe(true);
    };
    await tabTo(async () => (await focused()) === TABLE[locale]);
    await page.keyboard.press('Enter');
    const table = page.locator('.plot-table[open] table').first();
    await table.waitFor();
    expect(await table.locator('tbody tr').count()).toBeGreaterThan(10);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.matches(".plot-table .scroll")')).toBe(true);
    await page.goto(`${host.url}/console/apps/sales/metrics?range=day`);
    const week = page.locator('.ranges a[href*="week"]');
    await tabTo(() => week.evaluate((link) => link === link.ownerDocument.activeElement));
    await page.keyboard.press('Enter');
    await page.waitForURL(/range=week/);
  });
});

let login: Promise<{ name: string; value: string; url: string }> | undefined;

/** The session of the admin, whose link works once. */
function session(): Promise<{ name: string; value: string; url: string }> {
  login ??= (async () => {
    const context = await browser.newContext();
    const tab = await context.newPage();
    await tab.goto(host.loginUrl);
    const found = (await context.cookies()).find(({ name }) => name.includes('session'));
    await context.close();
    if (found === undefined) throw new Error('the link did not log in');
    return { name: found.name, value: found.value, url: host.url };
  })();
  return login;
}
