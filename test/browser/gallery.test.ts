import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../helpers/browser.js';
import { startHost, type TestHost } from '../helpers/host.js';
import { textApp } from '../helpers/project.js';
import { byLabel, keepPictures, makeApp } from './pages.js';

describe('the gallery', () => {
  let host: TestHost;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    host = await startHost();
    browser = await openBrowser();
    page = await browser.newPage();
    page.setDefaultTimeout(20_000);
  });

  afterAll(async () => {
    await browser?.close();
    await host?.stop();
  });

  const names = async (): Promise<string[]> => page.locator('.card:visible h2').allInnerTexts();

  it('is open to anybody, and says so while there is nothing to see', async () => {
    const answer = await page.goto(`${host.url}/`);
    expect(answer?.status()).toBe(200);
    await page.getByText('Nothing to see yet.').waitFor();
    await keepPictures(page, 'gallery-empty');
  });

  it('shows what was ever live, with its state, and nothing of what never was', async () => {
    expect(await makeApp(host, 'Sales', textApp('All of our sales'), 'What was sold, where and when.')).toBe('live');
    expect(await makeApp(host, 'Churn <b>', textApp('Who left'))).toBe('live');
    expect(await makeApp(host, 'Maps', textApp('Where'), 'Every place on one map')).toBe('live');
    await host.api('/apps', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Never' }) });
    await host.api('/apps/maps/stop', { method: 'POST' });

    await page.goto(`${host.url}/`);
    expect(await names()).toEqual(['Churn <b>', 'Maps', 'Sales']);
    await page.getByText('3 apps', { exact: true }).waitFor();
    const maps = page.getByRole('listitem').filter({ hasText: 'Maps' });
    expect(await maps.getByText('Stopped').isVisible()).toBe(true);
    expect(await maps.getByRole('link').count()).toBe(0);
    expect(await page.getByRole('listitem').filter({ hasText: 'Sales' }).locator('.state').count()).toBe(0);
    await keepPictures(page, 'gallery');
  });

  it('finds an app by words of its name or description', async () => {
    await byLabel(page, 'Search apps').fill('WHERE sold');
    expect(await names()).toEqual(['Sales']);
    await byLabel(page, 'Search apps').fill('nothing of the kind');
    await page.getByText('No app matches.').waitFor();
    await byLabel(page, 'Search apps').press('Escape');
    expect(await names()).toHaveLength(3);
  });

  it("puts a visitor's favourites first, and keeps them for this browser alone", async () => {
    const star = page.getByRole('button', { name: 'Favourite: Sales' });
    await star.focus();
    await page.keyboard.press('Space');
    expect(await names()).toEqual(['Sales', 'Churn <b>', 'Maps']);
    expect(await star.getAttribute('aria-pressed')).toBe('true');
    // Whoever works with the keyboard stays where they were.
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Favourite: Sales');
    await keepPictures(page, 'gallery-favourites');
    await page.reload();
    expect(await names()).toEqual(['Sales', 'Churn <b>', 'Maps']);

    const other = await (await browser.newContext()).newPage();
    await other.goto(`${host.url}/`);
    expect(await other.locator('.card h2').allInnerTexts()).toEqual(['Churn <b>', 'Maps', 'Sales']);
    await other.context().close();

    await star.click();
    expect(await names()).toEqual(['Churn <b>', 'Maps', 'Sales']);
  });

  it('bears whatever an app may have put into the storage of the origin', async () => {
    const key = await page.evaluate<string>('Object.keys(localStorage).find((name) => name.includes("favourites"))');
    for (const nonsense of ['{', '7', '{"a":1}', '[null,{"x":1},"no-such-app","sales"]']) {
      await page.evaluate((kept) => localStorage.setItem(kept.key, kept.nonsense), { key, nonsense });
      await page.reload();
      expect(await names()).toHaveLength(3);
    }
    expect((await names())[0]).toBe('Sales');
  });

  it('opens an app', async () => {
    await page.getByRole('link', { name: 'Sales', exact: true }).click();
    await page.getByText('All of our sales').waitFor();
    expect(page.url()).toBe(`${host.url}/apps/sales/`);
  });

  it('is whole without JavaScript, without what needs it', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false });
    const still = await plain.newPage();
    await still.goto(`${host.url}/`);
    expect(await still.locator('.card').count()).toBe(3);
    expect(await still.locator('.star:visible, input:visible').count()).toBe(0);
    await plain.close();
  });
});
