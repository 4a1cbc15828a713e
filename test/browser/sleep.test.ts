import type { Browser } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../helpers/browser.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

const APP = `
import streamlit as st

st.title("Awake")
st.session_state.setdefault("count", 0)
if st.button("Count up"):
    st.session_state.count += 1
st.write(f"Count: {st.session_state.count}")
`;

describe('an unused app', () => {
  let host: TestHost;
  let browser: Browser;
  const url = (): string => `${host.url}/apps/sleepy/`;
  const state = async (): Promise<unknown> => (await host.app('sleepy')).state;

  beforeAll(async () => {
    // 12 s without a visitor, more than a tab takes to try again; 15 s for a page that is open.
    host = await startHost({
      env: { STREAMLIT_HOST_SLEEP_AFTER_MINUTES: '0.2', STREAMLIT_HOST_IDLE_PAGE_MINUTES: '0.25' },
    });
    browser = await openBrowser();
    await pushLive(await Project.create({ 'app.py': APP, 'requirements.txt': 'streamlit\n' }), host, 'sleepy');
  });

  it('sleeps without a process, and wakes on a visit without a click, once for ten visitors', async () => {
    await until('it sleeps', async () => (await state()) === 'sleeping');
    expect((await host.app('sleepy')).pid).toBeNull();
    // Neither a monitor nor the console wakes it.
    expect((await fetch(`${url()}_stcore/health`)).status).toBe(503);
    expect(await state()).toBe('sleeping');

    const page = await browser.newPage();
    await page.goto(url());
    await page.getByRole('heading', { name: 'Awake' }).waitFor();
    expect(await state()).toBe('running');
    await page.close();

    await until('it sleeps', async () => (await state()) === 'sleeping');
    // Ten at once start one process, and all are answered.
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => fetch(`${url()}some/file.json`, { headers: { accept: 'application/json' } })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 10 }, () => 200));
    const log = await (await host.api('/apps/sleepy/logs?tail=10000&download=1')).text();
    expect(log.match(/started pid=/g)?.length).toBe(3);
  });

  it('sleeps although a tab is still open, stays asleep, and wakes when the tab is used', async () => {
    const page = await browser.newPage();
    await page.goto(url());
    await page.getByRole('button', { name: 'Count up' }).click();
    await page.getByText('Count: 1').waitFor();
    await until('it sleeps', async () => (await state()) === 'sleeping');
    // The tab tries to come back by itself meanwhile; several of its tries pass.
    let refused = 0;
    page.on('response', (response) => (refused += response.status() === 503 ? 1 : 0));
    await until('the tab has tried again', () => refused >= 2);
    expect(await state()).toBe('sleeping');

    await page.mouse.click(5, 5);
    await page.getByRole('button', { name: 'Count up' }).click({ timeout: 60_000 });
    await page.getByText('Count: 1').waitFor();
    expect(await state()).toBe('running');
    await page.close();
  });
});
