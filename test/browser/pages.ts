import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as axe from 'axe-core';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { keepPicture } from '../helpers/browser.js';
import { scratch } from '../helpers/ends.js';
import { writeFiles } from '../helpers/files.js';
import { TOKEN, type TestHost } from '../helpers/host.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fields and buttons of a page, found as a person finds them. */
export const byLabel = (page: Page, label: string | RegExp): Locator =>
  page.getByLabel(label, { exact: typeof label === 'string' });
export const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true });

/** The state that the head of an app's page tells. */
export const headState = (page: Page, word: string): Locator =>
  page.locator('.state-now').getByText(word, { exact: true });

/** What the page says about what was just done, or why it was refused. @param code such as `stop` or `app-not-found` */
export const notice = (page: Page, code: string): Locator => page.locator(`.notice[data-code="${code}"]`);

/** Logs in with the token and stays on the console's first page. */
export async function logIn(page: Page, host: TestHost): Promise<void> {
  await page.goto(`${baseOf(host)}/console/`);
  await byLabel(page, 'Token').fill(TOKEN);
  await button(page, 'Log in').click();
  await page.waitForURL(`${baseOf(host)}/console/`);
}

/** The public base of a host, its path included. */
export function baseOf(host: TestHost): string {
  return host.loginUrl.slice(0, host.loginUrl.indexOf('/console/login'));
}

/** The script of an app that shows a title, and prints the word that a visitor types. */
export const wordApp = (title: string): string => `import streamlit as st

st.title("${title}")
word = st.text_input("Word")
if word:
    print(f"The word is {word}.", flush=True)
`;

/** Makes an app of files through the API and waits until its deploy has ended. @returns the state it ended in */
export async function makeApp(
  host: TestHost,
  name: string,
  files: Record<string, string>,
  description = '',
): Promise<string> {
  const made = await host.api('/apps', { method: 'POST', body: formOf(files, { name, description }) });
  const answer = (await made.json()) as { id: string; deploy: { log_url: string } };
  expect(made.status, JSON.stringify(answer)).toBe(201);
  return deployed(answer.deploy.log_url);
}

/** How long a deploy may take, in ms: less than a test, so that its log is told instead of the test's time-out. */
const DEPLOY_MS = 150_000;

/** Follows a deploy's log to its end. @returns the state that it ended in, or the log so far where it does not end */
export async function deployed(logUrl: string): Promise<string> {
  let log = '';
  try {
    const answer = await fetch(logUrl, {
      headers: { authorization: `Bearer ${TOKEN}` },
      signal: AbortSignal.timeout(DEPLOY_MS),
    });
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) log += chunk;
  } catch (error) {
    log += `\n${String(error)}`;
  }
  return (JSON.parse(/event: end\ndata: (.*)\n/.exec(log)?.[1] ?? '{}') as { state?: string }).state ?? log;
}

/** A form with files by their paths. */
export function formOf(files: Record<string, string>, fields: Record<string, string> = {}): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  for (const [path, text] of Object.entries(files)) form.append('files', new Blob([text]), path);
  return form;
}

/** Writes files into a new folder with this name. @returns the folder's path */
export async function folderOf(name: string, files: Record<string, string>): Promise<string> {
  const folder = join(await scratch('dropped-'), name);
  await writeFiles(folder, files);
  return folder;
}

/** Drops files or folders of this machine on an element, as the browser's own drag and drop does. */
export async function drop(target: Locator, paths: string[]): Promise<void> {
  await target.scrollIntoViewIfNeeded();
  const box = await target.boundingBox();
  if (box === null) throw new Error('there is nothing to drop on');
  const session = await target.page().context().newCDPSession(target.page());
  const at = { x: box.x + box.width / 2, y: box.y + 12, data: { items: [], files: paths, dragOperationsMask: 1 } };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, ...at });
  await session.detach();
}

/** Whether screenshots of the pages are kept in test/artifacts. Nobody looks at those of a run that passes unseen. */
const SCREENSHOTS = process.env.SCREENSHOTS !== undefined;

/** Checks that nothing sticks out of the page, on a phone, on a desktop and on a wide screen. With SCREENSHOTS set, keeps all, light and dark. */
export async function checkLayout(page: Page, name: string): Promise<void> {
  for (const width of [375, 1280, 1600]) {
    await page.setViewportSize({ width, height: 800 });
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
    expect(wide, `${name} at ${width} px`).toBeLessThanOrEqual(width);
    if (!SCREENSHOTS) continue;
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await keepPicture(page, `${name}-${width}-${colorScheme}`);
    }
  }
  if (SCREENSHOTS) await page.emulateMedia({ colorScheme: null });
}

/** What axe finds of serious or critical faults, by day and by night, on a desk and on a telephone. */
export async function seriousFaults(page: Page): Promise<string[]> {
  const faults = new Set<string>();
  for (const [width, colorScheme] of [
    [1600, 'light'],
    [1600, 'dark'],
    [375, 'light'],
    [375, 'dark'],
  ] as const) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(AXE);
    // By night only the colours are others.
    const rules = colorScheme === 'dark' ? ", runOnly: ['color-contrast']" : '';
    const { violations, passes } = await page.evaluate<axe.AxeResults>(
      `axe.run(document, { resultTypes: ['violations', 'passes']${rules} })`,
    );
    // A run that looked at nothing would find nothing.
    expect(passes.length).toBeGreaterThan(0);
    for (const { id, impact, nodes } of violations) {
      if (impact !== 'serious' && impact !== 'critical') continue;
      for (const node of nodes)
        faults.add(`${id}: ${node.html} (${width} px, ${colorScheme}) ${node.failureSummary ?? ''}`);
    }
  }
  return [...faults];
}
