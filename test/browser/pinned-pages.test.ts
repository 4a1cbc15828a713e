import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { keepPicture, openBrowser } from '../helpers/browser.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

const app = (version: string): string => `
import streamlit as st

st.title("Release ${version}")
if "count" not in st.session_state:
    st.session_state.count = 0
if st.button("Add"):
    st.session_state.count += 1
st.write(f"Count: {st.session_state.count}")
file = st.file_uploader("A file")
if file is not None:
    st.write(f"Uploaded {len(file.getvalue())} bytes")
    st.download_button("Download", file.getvalue(), "copy.bin")
`;

/** A picture that is as wide as no other. */
const picture = (title: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="21" height="21"><title>${title}</title><rect width="21" height="21"/></svg>`;
const isDrawn = (image: Locator): Promise<boolean> =>
  image.evaluate((element) => (element as HTMLImageElement).naturalWidth === 21);

const PICTURES = ['logo', 'in-html', 'background', 'in-frame', 'in-component'];
/** Pages that are called as paths of Streamlit's own. */
const NAMES = ['media', 'component', 'static', 'auth'];

const statics = (version: string): Record<string, string> => ({
  ...Object.fromEntries(PICTURES.map((name) => [`static/${name}.svg`, picture(version)])),
  'static/data.json': `data of ${version}`,
  'static/component.json': `component says ${version}`,
  'static/report.txt': `report of ${version}`,
});

/** An app that names its files in every way that Streamlit passes on unchanged. */
const placesApp = (version: string): Record<string, string> => ({
  'requirements.txt': 'streamlit\n',
  '.streamlit/config.toml': '[server]\nenableStaticServing = true\n',
  'app.py': `
import streamlit as st
import streamlit.components.v1 as components

component = st.components.v2.component(
    "places",
    html='<img class="in-component" src="app/static/in-component.svg"><p>waiting</p>',
    js="""export default function ({ parentElement }) {
      const at = location.href.replace(/[^/]*$/, '');
      fetch(at + 'app/static/component.json').then((answer) => answer.text()).then((text) => {
        parentElement.querySelector('p').textContent = text;
      });
    }""",
)

def home():
    st.title("Release ${version}")
    if st.button("Show"):
        st.markdown("![logo](app/static/logo.svg) [Report](app/static/report.txt)")
        st.html('''<style>.place { background: url(app/static/background.svg); height: 21px }</style>
            <div class="place">A background</div><img class="in-html" src="app/static/in-html.svg">''')
        components.html('''<img src="app/static/in-frame.svg"><p id="said">waiting</p><script>
            fetch("app/static/data.json").then((answer) => answer.text()).then((text) => { said.textContent = text })
            </script>''', height=100)
        component()

def page(name):
    def show():
        st.title(f"Page {name}")
        file = st.file_uploader("A file")
        if file is not None:
            st.write(f"Uploaded {len(file.getvalue())} bytes")
    return st.Page(show, title=name, url_path=name)

st.navigation([st.Page(home, default=True), *map(page, ${JSON.stringify(NAMES)})]).run()
`,
});

describe('a page stays with its release', () => {
  let host: TestHost;
  let browser: Browser;
  let project: Project;

  beforeAll(async () => {
    host = await startHost();
    browser = await openBrowser();
    project = await Project.create({ 'app.py': app('one'), 'requirements.txt': 'streamlit\n' });
    await pushLive(project, host, 'counter');
  });

  it('keeps the counter and uploads of an open tab across a deploy, while a new tab gets the new release', async () => {
    const old = await browser.newPage();
    await old.goto(`${host.url}/apps/counter`);
    await old.getByRole('heading', { name: 'Release one' }).waitFor();
    await old.getByRole('button', { name: 'Add', exact: true }).click();
    await old.getByText('Count: 1').waitFor();
    await old.getByRole('button', { name: 'Add', exact: true }).click();
    await old.getByText('Count: 2').waitFor();

    await project.commit({ 'app.py': app('two') }, 'Second');
    await pushLive(project, host, 'counter');

    const fresh = await browser.newPage();
    await fresh.goto(`${host.url}/apps/counter/`);
    await fresh.getByRole('heading', { name: 'Release two' }).waitFor();
    await fresh.getByText('Count: 0').waitFor();

    await old.getByRole('button', { name: 'Add', exact: true }).click();
    await old.getByText('Count: 3').waitFor();
    expect(await old.getByRole('heading', { name: 'Release one' }).isVisible()).toBe(true);
    await old
      .locator('input[type=file]')
      .setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(70_000, 7) });
    await old.getByText('Uploaded 70000 bytes').waitFor();
    const download = old.waitForEvent('download');
    await old.getByRole('button', { name: 'Download' }).click();
    expect((await download).suggestedFilename()).toBe('copy.bin');
    expect(old.url()).toBe(`${host.url}/apps/counter/`);
    // The page looks now and then; coming back to the tab makes it look at once.
    await old.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
    await old.getByRole('status', { name: 'New version' }).waitFor();
    await keepPicture(old, 'pinned-old-tab');
    await old.getByRole('button', { name: 'Keep working' }).click();
    await old.getByRole('status', { name: 'New version' }).waitFor({ state: 'detached' });
    await old.getByText('Count: 3').waitFor();

    await project.commit({ 'app.py': app('three') }, 'Third');
    await pushLive(project, host, 'counter');
    await old.getByRole('button', { name: 'Add', exact: true }).click();
    await old.getByText('Count: 4').waitFor();
    await old.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
    await old.getByRole('button', { name: 'Reload' }).click();
    await old.getByRole('heading', { name: 'Release three' }).waitFor();
    await fresh.reload();
    await fresh.getByRole('heading', { name: 'Release three' }).waitFor();
    await Promise.all([old.close(), fresh.close()]);
  });

  it('keeps each tab with its replica, also while another replica is killed', async () => {
    expect((await host.send('PATCH', '/apps/counter', { replicas: 2 })).status).toBe(200);
    const tabs = [];
    for (let number = 0; number < 4; number += 1) {
      const tab = await browser.newPage();
      await tab.goto(`${host.url}/apps/counter/`);
      await tab.getByText('Count: 0').waitFor();
      await tab.getByRole('button', { name: 'Add', exact: true }).click();
      await tab.getByText('Count: 1').waitFor();
      const pin = String(await tab.evaluate('window.__streamlit.BACKEND_BASE_URL')).replace(/.*~/, '');
      tabs.push({ tab, pin, isSecond: pin.includes('-') });
    }
    expect(tabs.map(({ isSecond }) => isSecond).sort()).toEqual([false, false, true, true]);
    const upload = async (tab: Page, bytes: number): Promise<void> => {
      const buffer = Buffer.alloc(bytes, 7);
      await tab
        .locator('input[type=file]')
        .setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer });
      await tab.getByText(`Uploaded ${bytes} bytes`).waitFor();
      const download = tab.waitForEvent('download');
      await tab.getByRole('button', { name: 'Download' }).click();
      expect((await stat(await (await download).path())).size).toBe(bytes);
    };
    for (const [number, { tab }] of tabs.entries()) await upload(tab, 1_000 + number);

    interface Replica {
      replica: number;
      sessions: number;
      pid: number;
    }
    const replicas = async (): Promise<Replica[]> => (await host.app('counter')).processes as Replica[];
    process.kill((await replicas()).find(({ replica }) => replica === 2)?.pid ?? 0, 'SIGKILL');
    await until('its tabs are on the other one', async () => (await replicas())[0]?.sessions === 4);
    for (const [number, { tab, isSecond }] of tabs.entries()) {
      // Those begin a new session with the next click, as after the crash of an app's only process.
      for (const count of isSecond ? [1, 2] : [2, 3]) {
        await tab.getByRole('button', { name: 'Add', exact: true }).click();
        await tab.getByText(`Count: ${count}`).waitFor();
      }
      await upload(tab, 2_000 + number);
    }
    await Promise.all(tabs.map(({ tab }) => tab.close()));
    expect((await host.send('PATCH', '/apps/counter', { replicas: 1 })).status).toBe(200);
  });

  it('keeps everything that an open tab requests with its release, however the URL is written', async () => {
    const places = await Project.create({ ...placesApp('one'), ...statics('one') });
    await pushLive(places, host, 'places');
    const old = await browser.newPage();
    await old.goto(`${host.url}/apps/places`);
    await old.getByRole('heading', { name: 'Release one' }).waitFor();
    // The new release has none of the old files.
    for (const name of Object.keys(statics('one'))) await rm(join(places.folder, name));
    await places.commit({ ...placesApp('two'), 'static/other.svg': picture('two') }, 'Second');
    await pushLive(places, host, 'places');

    const failed: string[] = [];
    old.on('response', (answer) => {
      if (answer.status() >= 400) failed.push(`${answer.status()} ${answer.url()}`);
    });
    const loaded: string[] = [];
    old.on('requestfinished', (request) => void loaded.push(new URL(request.url()).pathname));
    await old.getByRole('button', { name: 'Show' }).click();
    await old.frameLocator('iframe').getByText('data of one').waitFor();
    await old.getByText('component says one').waitFor();
    for (const name of PICTURES)
      await until(`${name} is loaded`, () => loaded.includes(`/apps/places/~1/app/static/${name}.svg`));
    for (const image of [
      old.getByAltText('logo'),
      old.locator('img.in-html'),
      old.locator('img.in-component'),
      old.frameLocator('iframe').locator('img'),
    ])
      await until('the picture is drawn', () => isDrawn(image));
    const report = await old.getByRole('link', { name: 'Report' }).getAttribute('href');
    expect(await (await fetch(new URL(report ?? '', old.url()))).text()).toBe('report of one');
    expect(failed.filter((one) => one.includes('/~1/'))).toEqual([]);
    await keepPicture(old, 'pinned-places');

    // Links to pages are for people: they name no release.
    const links = await old
      .getByTestId('stSidebarNavLink')
      .evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).href));
    expect(links).toEqual(['', ...NAMES].map((path) => `${host.url}/apps/places/${path}`));
    await old.close();
  });

  it.each(NAMES)('binds a page called %s when it is opened by its URL', async (name) => {
    const page = await browser.newPage();
    await page.goto(`${host.url}/apps/places/${name}`);
    await page.getByRole('heading', { name: `Page ${name}` }).waitFor();
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(1_000, 7) });
    await page.getByText('Uploaded 1000 bytes').waitFor();
    expect(await page.evaluate('window.__streamlit.BACKEND_BASE_URL')).toMatch(/\/apps\/places\/~\d+$/);
    await page.close();
  });
});
