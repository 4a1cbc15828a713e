import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../helpers/browser.js';
import { endWithFile } from '../helpers/ends.js';
import { startHost, type TestHost } from '../helpers/host.js';
import type { Project } from '../helpers/project.js';
import { fixture, pushLive } from '../helpers/pushing.js';

const BEFORE_NAVIGATION = '1.28.2';

/** From the Tornado server without `window.__streamlit` to the newest; each is what people have in their requirements. */
const VERSIONS = [
  // What was current in its days; it does not say so itself, and newer ones break it.
  { version: BEFORE_NAVIGATION, with: 'numpy<2\npandas<2.2\npyarrow<15\n' },
  { version: '1.40.2', with: '' },
  { version: '1.56.0', with: '' },
  { version: 'newest', with: '' },
];

describe('every Streamlit from 1.28 on', () => {
  let host: TestHost;
  let browser: Browser;

  beforeAll(async () => {
    host = await startHost();
    browser = await openBrowser();
  });

  it.each(VERSIONS)(
    'version $version runs, and keeps an open page across a deploy',
    async ({ version, with: others }) => {
      const id = `version-${version.replaceAll('.', '-')}`;
      const pinned = version !== 'newest';
      const project = await fixture('everything');
      await project.commit({ 'requirements.txt': `streamlit${pinned ? `==${version}` : ''}\n${others}` }, 'Require');
      await pushLive(project, host, id);

      const context = await browser.newContext();
      const page = await context.newPage();
      const failures = listenForFailures(page);
      await page.goto(`${host.url}/apps/${id}`);
      await page.getByRole('heading', { name: 'Everything' }).waitFor();
      if (pinned) await page.getByText(version).waitFor();
      const add = page.getByRole('button', { name: 'Count up', exact: true });
      await add.click();
      await page.getByText('Count: 1').waitFor();
      await uploadAndLook(page, 5_000);
      await page.frameLocator('iframe').getByText('The component says hi').waitFor();

      await project.commit({ 'note.txt': 'second\n' }, 'Second');
      await pushLive(project, host, id);
      await add.click();
      await page.getByText('Count: 2').waitFor();
      await uploadAndLook(page, 6_000);

      await page.getByRole('link', { name: 'More' }).click();
      await page.getByRole('heading', { name: 'More to see' }).waitFor();
      expect(page.url()).toBe(`${host.url}/apps/${id}/More`);
      await page.reload();
      await page.getByRole('heading', { name: 'More to see' }).waitFor();
      await useInFrame(context, `${host.url}/apps/${id}/`);
      if (version !== BEFORE_NAVIGATION) await navigate(project, host, id, page);
      expect(failures).toEqual([]);
      await context.close();
    },
  );
});

/** The same app with its pages by `st.navigation`, which came with 1.36. */
async function navigate(project: Project, host: TestHost, id: string, page: Page): Promise<void> {
  await project.git('mv', 'app.py', 'home.py');
  await project.commit(
    {
      'app.py':
        'import streamlit as st\n\nst.navigation([st.Page("home.py", default=True), st.Page("views/deep.py", title="Deep")]).run()\n',
      'views/deep.py': 'import streamlit as st\n\nst.title("Deep down")\n',
    },
    'Navigate',
  );
  await pushLive(project, host, id);
  await page.goto(`${host.url}/apps/${id}/`);
  await page.getByRole('button', { name: 'Count up', exact: true }).click();
  await page.getByText('Count: 1').waitFor();
  await page.getByRole('link', { name: 'Deep' }).click();
  await page.getByRole('heading', { name: 'Deep down' }).waitFor();
  expect(page.url()).toBe(`${host.url}/apps/${id}/deep`);
  await page.reload();
  await page.getByRole('heading', { name: 'Deep down' }).waitFor();
}

/** Uses the app in a frame of a page of another site, for which browsers keep no cookies. */
async function useInFrame(context: BrowserContext, address: string): Promise<void> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<iframe src="${address}" width="900" height="900"></iframe>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endWithFile(() => void server.close());
  const page = await context.newPage();
  // A port is of the same site as any other; a name is not.
  const name = new URL(address).hostname === 'localhost' ? '127.0.0.1' : 'localhost';
  await page.goto(`http://${name}:${(server.address() as AddressInfo).port}/`);
  const app = page.frameLocator('iframe').first();
  await app.getByRole('button', { name: 'Count up', exact: true }).click();
  await app.getByText('Count: 1').waitFor();
  const file = { name: 'framed.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(700, 1) };
  await app.locator('input[type=file]').setInputFiles(file);
  await app.getByText('Uploaded 700 bytes').waitFor();
  await page.close();
}

async function uploadAndLook(page: Page, size: number): Promise<void> {
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: `${size}.bin`, mimeType: 'application/octet-stream', buffer: Buffer.alloc(size, 1) });
  await page.getByText(`Uploaded ${size} bytes`).waitFor();
  await page.waitForFunction('[...document.images].some((image) => image.naturalWidth === 64)');
  const download = page.waitForEvent('download');
  // While the script runs again, an older Streamlit may show the last run's button beside the new one.
  await page.getByRole('button', { name: 'Download' }).first().click();
  expect((await download).suggestedFilename()).toBe('data.bin');
}

/**
 * Answers that a visitor's page must never get. An older Streamlit looks for its server below the page's own address too,
 * and has to be told that it is not there.
 */
function listenForFailures(page: Page): string[] {
  const failures: string[] = [];
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (/\/(More|deep)\/_stcore\/(health|host-config)$/.test(pathname)) return;
    if (response.status() >= 400) failures.push(`${response.status()} ${pathname}`);
  });
  return failures;
}
