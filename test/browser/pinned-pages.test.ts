import type { Browser } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { keepPicture, openBrowser } from '../helpers/browser.js';
import { startHost, type TestHost } from '../helpers/host.js';
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
});
