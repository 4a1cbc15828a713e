import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { textApp } from '../helpers/project.js';
import { button, byLabel, deployed, formOf, checkLayout, logIn, makeApp, notice, seriousFaults } from './pages.js';

describe('the gallery', () => {
  let host: TestHost;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    host = await startHost({ env: { STREAMLIT_HOST_PICTURES: 'auto', STREAMLIT_HOST_LOG_LEVEL: 'debug' } });
    browser = await openBrowser();
    page = await openTab(browser);
  });

  tellFailures(() => ({ host, page }));

  const names = async (): Promise<string[]> => page.locator('.card:visible h2').allInnerTexts();

  it('is open to everyone, and says so when it is empty', async () => {
    const answer = await page.goto(`${host.url}/`);
    expect(answer?.status()).toBe(200);
    await page.getByText('No apps yet.').waitFor();
    await checkLayout(page, 'gallery-empty');
  });

  it('shows every app that has been live, with its state, and no others', async () => {
    expect(await makeApp(host, 'Sales', textApp('All of our sales'), 'What was sold, where and when.')).toBe('live');
    expect(
      await makeApp(host, 'Churn <b>', {
        ...textApp('Who left'),
        'app.py':
          'import streamlit as st\nst.write("Who left")\nst.text(st.query_params.to_dict())\nst.sidebar.write("Aside")\nst.chat_input("Ask")\n',
      }),
    ).toBe('live');
    expect(await makeApp(host, 'Maps', textApp('Where'), 'Every place on one map')).toBe('live');
    await host.send('POST', '/apps', { name: 'Never' });
    await host.api('/apps/maps/stop', { method: 'POST' });

    await page.goto(`${host.url}/`);
    expect(await names()).toEqual(['Churn <b>', 'Maps', 'Sales']);
    await page.getByText('3 apps', { exact: true }).waitFor();
    const maps = page.getByRole('listitem').filter({ hasText: 'Maps' });
    expect(await maps.getByText('Stopped').isVisible()).toBe(true);
    expect(await maps.getByRole('link').count()).toBe(0);
    expect(await page.getByRole('listitem').filter({ hasText: 'Sales' }).locator('.state').count()).toBe(0);
    await checkLayout(page, 'gallery');
  });

  it('finds an app by words in its name or description', async () => {
    await byLabel(page, 'Search apps').fill('WHERE sold');
    expect(await names()).toEqual(['Sales']);
    await byLabel(page, 'Search apps').fill('nothing of the kind');
    await page.locator('[data-filter-none]').waitFor();
    await byLabel(page, 'Search apps').press('Escape');
    expect(await names()).toHaveLength(3);
  });

  it("puts a visitor's favourites first, in that browser only", async () => {
    const star = page.getByRole('button', { name: 'Favourite: Sales' });
    await star.focus();
    await page.keyboard.press('Space');
    expect(await names()).toEqual(['Sales', 'Churn <b>', 'Maps']);
    expect(await star.getAttribute('aria-pressed')).toBe('true');
    // Whoever works with the keyboard stays where they were.
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Favourite: Sales');
    await checkLayout(page, 'gallery-favourites');
    await page.reload();
    expect(await names()).toEqual(['Sales', 'Churn <b>', 'Maps']);

    const other = await (await browser.newContext()).newPage();
    await other.goto(`${host.url}/`);
    expect(await other.locator('.card h2').allInnerTexts()).toEqual(['Churn <b>', 'Maps', 'Sales']);
    await other.context().close();

    await star.click();
    expect(await names()).toEqual(['Churn <b>', 'Maps', 'Sales']);
  });

  it("tolerates anything that an app puts into the origin's storage", async () => {
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

  it('works without JavaScript, without the features that need it', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false });
    const still = await plain.newPage();
    await still.goto(`${host.url}/`);
    expect(await still.locator('.card').count()).toBe(3);
    expect(await still.locator('.star:visible').count()).toBe(0);
    await byLabel(still, 'Search apps').fill('WHERE sold');
    await button(still, 'Search').click();
    expect(await still.locator('.card:visible h2').allInnerTexts()).toEqual(['Sales']);
    await plain.close();
  });

  it('has tags, set in the console, that narrow it together with a search', async () => {
    const operator = await (await browser.newContext()).newPage();
    await logIn(operator, host);
    await operator.goto(`${host.url}/console/apps/maps/settings`);
    await byLabel(operator, /^Tags/).fill('Geo, the  North ,geo');
    await button(operator, 'Save settings').click();
    await notice(operator, 'save').waitFor();
    expect(await byLabel(operator, /^Tags/).inputValue()).toBe('geo, the north');
    expect(await byLabel(operator, 'Hide from gallery').isChecked()).toBe(false);
    await operator.context().close();
    const patched = await patch('sales', { tags: ['Money', 'the north'] });
    expect(patched.tags).toEqual(['money', 'the north']);

    const plain = await browser.newContext({ javaScriptEnabled: false });
    const still = await plain.newPage();
    const shown = async (): Promise<string[]> => still.locator('.card:visible h2').allInnerTexts();
    await still.goto(`${host.url}/`);
    const tags = still.getByRole('navigation', { name: 'Tags' });
    expect(await tags.getByRole('link').allInnerTexts()).toEqual(['All', 'geo', 'money', 'the north']);
    await tags.getByRole('link', { name: 'the north' }).click();
    expect(still.url()).toBe(`${host.url}/?tag=the+north`);
    expect(await shown()).toEqual(['Maps', 'Sales']);
    await still.getByText('2 of 3 apps', { exact: true }).waitFor();
    expect(await tags.locator('[aria-current=page]').allInnerTexts()).toEqual(['the north']);
    await byLabel(still, 'Search apps').fill('sold');
    await button(still, 'Search').click();
    expect(await shown()).toEqual(['Sales']);
    expect(new URL(still.url()).search).toBe('?tag=the+north&q=sold');
    await still.locator('.card:visible').getByRole('link', { name: 'money' }).click();
    expect(new URL(still.url()).search).toBe('?tag=money&q=sold');
    await still.goto(`${host.url}/?tag=no-such`);
    await still.getByText('No apps tagged').waitFor();
    await plain.close();

    await page.goto(`${host.url}/?tag=the+north&q=sold`);
    expect(await names()).toEqual(['Sales']);
    // What the server left out comes back while one types.
    await byLabel(page, 'Search apps').fill('');
    expect(await names()).toEqual(['Sales', 'Maps']);
    await checkLayout(page, 'gallery-tags');
    expect(await seriousFaults(page)).toEqual([]);
  });

  it('omits hidden apps, which still open by their link', async () => {
    expect((await patch('sales', { hidden: true })).hidden).toBe(true);
    await page.goto(`${host.url}/?q=sold`);
    expect(await page.locator('.card h2').allInnerTexts()).toEqual(['Churn <b>', 'Maps']);
    expect(await page.getByRole('navigation', { name: 'Tags' }).getByRole('link').allInnerTexts()).toEqual([
      'All',
      'geo',
      'the north',
    ]);
    await page.locator('[data-filter-none]').waitFor();
    expect((await fetch(`${host.url}/pictures/sales`)).status).toBe(404);
    await page.goto(`${host.url}/apps/sales/`);
    await page.getByText('All of our sales').waitFor();
    await patch('sales', { hidden: false });
  });

  it('opens an app with a bar when the link asks for one, until the bar is closed', async () => {
    const tab = await browser.newPage();
    await tab.goto(`${host.url}/apps/churn-b/?frame=1&year=2026`);
    const bar = tab.getByRole('navigation', { name: 'streamlit-host' });
    await bar.getByText('Churn <b>', { exact: true }).waitFor();
    await tab.getByText('Who left').waitFor();
    // Our part of the address is gone before the app reads it.
    await tab.getByText("{'year': '2026'}").waitFor();
    expect(new URL(tab.url()).search).toBe('?year=2026');
    for (const width of [375, 1280]) {
      await tab.setViewportSize({ width, height: 800 });
      const [room, header, text] = await Promise.all([
        bar.boundingBox(),
        tab.getByTestId('stHeader').boundingBox(),
        tab.getByTestId('stApp').boundingBox(),
      ]);
      expect(room).toMatchObject({ x: 0, y: 0, width, height: 44 });
      expect(header?.y).toBe(44);
      expect([text?.y, text?.height]).toEqual([44, 756]);
      const input = await tab.getByTestId('stChatInput').boundingBox();
      expect((input?.y ?? 0) + (input?.height ?? 0)).toBeLessThan(800);
      if (width > 375) expect(await tab.getByTestId('stSidebar').boundingBox()).toMatchObject({ y: 44, height: 756 });
    }
    await checkLayout(tab, 'frame');
    expect(await tab.evaluate('document.documentElement.scrollHeight')).toBe(800);

    // This tab remembers it, for this app.
    await tab.reload();
    await bar.waitFor();
    await tab.goto(`${host.url}/apps/sales/`);
    await tab.getByText('All of our sales').waitFor();
    expect(await bar.count()).toBe(0);
    await tab.goto(`${host.url}/apps/churn-b/`);
    await bar.waitFor();
    await tab.keyboard.press('Tab');
    await tab.keyboard.press('Enter');
    await tab.getByRole('heading', { name: 'Apps', exact: true }).waitFor();
    expect(tab.url()).toBe(`${host.url}/`);
    await tab.goBack();
    await bar.getByRole('button', { name: 'Close this bar' }).click();
    expect(await bar.count()).toBe(0);
    await tab.goto(`${host.url}/apps/churn-b/?frame=120`);
    await tab.getByText("{'frame': '120'}").waitFor();
    expect(await bar.count()).toBe(0);
    expect((await tab.getByTestId('stApp').boundingBox())?.y).toBe(0);
    await tab.reload();
    await tab.getByText('Who left').waitFor();
    expect(await bar.count()).toBe(0);
    await tab.close();
  });

  it('shows a screenshot taken after the deploy, or a drawn picture', async () => {
    const file = join(host.data, 'apps/sales/picture.jpg');
    const jpeg = await until('a picture of Sales', () => readFile(file).catch(() => undefined));
    await until('a picture of Churn', () =>
      readFile(join(host.data, 'apps/churn-b/picture.jpg')).catch(() => undefined),
    );
    await page.goto(`${host.url}/`);
    const photo = page.locator('[data-card=sales] img');
    const size = (): Promise<string> =>
      page.evaluate(
        '(({ naturalWidth, naturalHeight }) => `${naturalWidth} x ${naturalHeight}`)(document.querySelector("[data-card=sales] img"))',
      );
    await until('it is shown', async () => (await size()) === '640 x 400');
    // It was stopped before its turn came.
    expect(await page.locator('[data-card=maps] svg').count()).toBeGreaterThan(0);
    await checkLayout(page, 'gallery-captured');
    expect(await seriousFaults(page)).toEqual([]);

    const address = new URL((await photo.getAttribute('src')) ?? '', host.url);
    const answer = await fetch(address);
    expect(answer.headers.get('content-type')).toBe('image/jpeg');
    expect(Buffer.from(await answer.arrayBuffer()).equals(jpeg)).toBe(true);
    const again = await fetch(address, {
      headers: { 'if-none-match': answer.headers.get('etag') ?? '', 'cache-control': 'max-age=0' },
    });
    expect(again.status).toBe(304);

    // A page that shows an exception does not replace it. What the project says of itself wins with the release.
    const elsewhere: string[] = [];
    const stranger = createServer((request, response) => {
      elsewhere.push(request.url ?? '');
      response.end();
    });
    stranger.on('upgrade', (request, socket) => {
      elsewhere.push(request.url ?? '');
      socket.destroy();
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void stranger.close());
    const at = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const files = {
      // It fails late, so that there is time to ask for all of it.
      'app.py': `import time
import streamlit as st
import streamlit.components.v1 as components
st.html('<img src="http://${at}/image.png" alt="elsewhere">')
components.html("<script>new WebSocket('ws://${at}/socket'); fetch('http://${at}/fetch', { mode: 'no-cors' })</script>")
time.sleep(3)
st.exception(RuntimeError("no sales today"))
`,
      'streamlit-host.toml': 'tags = ["From the File"]\nhidden = false\n',
    };
    const { deploy } = (await (await host.api('/apps/sales', { method: 'PATCH', body: formOf(files) })).json()) as {
      deploy: { log_url: string };
    };
    expect(await deployed(deploy.log_url)).toBe('live');
    expect((await host.app('sales')).tags).toEqual(['from the file']);
    await until('it was tried', () => /"app":"sales"[^\n]*no picture was taken/.test(host.output));
    expect((await readFile(file)).equals(jpeg)).toBe(true);
    await until('Chromium has gone', async () => (await browsersOf(host)).length === 0);
    // It has asked nobody but the app; a visitor's browser does.
    expect(elsewhere).toEqual([]);
    await page.goto(`${host.url}/apps/sales/`);
    await until('all was asked for', () => new Set(elsewhere).size === 3);
    expect(elsewhere.sort()).toEqual(['/fetch', '/image.png', '/socket']);
  });

  it('leaves no Chromium behind when the server stops while taking a picture', async () => {
    const busy =
      'import time\nimport streamlit as st\nplace = st.empty()\nfor number in range(200):\n    place.write(number)\n    time.sleep(0.2)\n';
    expect(
      await makeApp(host, 'Busy', {
        ...textApp(''),
        'app.py': busy,
        'streamlit-host.toml': '[check]\nscript = "off"\n',
      }),
    ).toBe('live');
    await until('its picture is being taken', async () => (await browsersOf(host)).length > 0);
    await host.stop({ keepData: true });
    expect(await browsersOf(host)).toEqual([]);
    expect((await readdir(join(host.data, 'tmp'))).filter((name) => name.startsWith('chromium-'))).toEqual([]);
    await expect(readFile(join(host.data, 'apps/busy/picture.jpg'))).rejects.toThrow('ENOENT');
  });

  async function patch(id: string, facts: object): Promise<Record<string, unknown>> {
    const answer = await host.send('PATCH', `/apps/${id}`, facts);
    return (await answer.json()) as Record<string, unknown>;
  }
});

/** The processes of the Chromium that a host has started, by their profile. */
async function browsersOf(host: TestHost): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')));
  return lines.filter((line) => line.includes(`${host.data}/tmp/chromium-`));
}
