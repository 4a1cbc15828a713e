import type { Browser, BrowserContextOptions, FrameLocator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { keepPicture, openTab } from '../helpers/browser.js';
import type { TestHost } from '../helpers/host.js';

/** A visitor's tab of an app, which notes each answer that went wrong and each script that failed. */
export class Visit {
  readonly page: Page;
  readonly #faults: string[] = [];
  /** What begins the names of its pictures. */
  readonly #name: string;

  private constructor(page: Page, name: string) {
    this.page = page;
    this.#name = name;
    page.on('pageerror', (error) => this.#faults.push(String(error)));
    page.on('response', (answer) => {
      if (answer.status() >= 400) this.#faults.push(`${answer.status()} ${answer.url()}`);
    });
  }

  /**
   * Opens an app in a browser of its own, as another visitor does.
   * @param path below the app's URL, not beginning with "/"
   */
  static async open(
    browser: Browser,
    host: TestHost,
    id: string,
    path = '',
    options: BrowserContextOptions = {},
  ): Promise<Visit> {
    const page = await openTab(browser, options);
    const visit = new Visit(page, id);
    await page.goto(`${host.url}/apps/${id}/${path}`);
    return visit;
  }

  /** Waits for the title of a page, and for its script to end. */
  async sees(title: string): Promise<void> {
    await this.page.getByRole('heading', { name: title, exact: true, level: 1 }).waitFor();
    await this.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').waitFor();
  }

  /** Waits for a text on the page. */
  async reads(text: string | RegExp): Promise<void> {
    await this.page
      .getByText(text)
      .first()
      .waitFor()
      .catch((error: unknown) => {
        throw new Error(`${String(text)} is not on the page; faults: ${this.#faults.join(', ')}`, { cause: error });
      });
  }

  async clicks(name: string): Promise<void> {
    await this.page.getByRole('button', { name, exact: true }).click();
  }

  /** Types into a field and leaves it, which is when Streamlit sends it. */
  async types(label: string, text: string): Promise<void> {
    const field = this.page.getByLabel(label, { exact: true });
    await field.fill(text);
    await field.press('Enter');
  }

  /** Turns a checkbox or a toggle on, which Streamlit draws beside the input. */
  async turnsOn(label: string): Promise<void> {
    await this.page.getByText(label, { exact: true }).click();
  }

  /** Goes to a page of the side bar. */
  async turnsTo(name: string, title = name): Promise<void> {
    const label = this.page.getByText(name, { exact: true });
    await this.page.getByTestId('stSidebarNavLink').filter({ has: label }).click();
    await this.sees(title);
  }

  /** The pages in the side bar. */
  async pages(): Promise<string[]> {
    const texts = await this.page.getByTestId('stSidebarNavLink').allInnerTexts();
    return texts.map((text) => text.split('\n').at(-1) ?? '');
  }

  async uploads(name: string, bytes: Buffer): Promise<void> {
    await this.page
      .locator('input[type=file]')
      .setInputFiles({ name, mimeType: 'application/octet-stream', buffer: bytes });
  }

  /** Downloads what a button offers. @returns its name and its bytes */
  async downloads(button: string): Promise<{ name: string; bytes: Buffer }> {
    const begun = this.page.waitForEvent('download');
    await this.clicks(button);
    const download = await begun;
    const parts: Buffer[] = [];
    for await (const part of await download.createReadStream()) parts.push(part as Buffer);
    return { name: download.suggestedFilename(), bytes: Buffer.concat(parts) };
  }

  /** The first frame of a component, or the one at an index. */
  frame(index = 0): FrameLocator {
    return this.page.frameLocator('iframe').nth(index);
  }

  /** Waits until all pictures of the page are drawn. */
  async seesPictures(count: number): Promise<void> {
    await this.page.waitForFunction(
      `document.images.length >= ${count} && [...document.images].every((one) => one.complete && one.naturalWidth > 0)`,
    );
  }

  /** Checks that nothing went wrong since the last check, and keeps a picture of the page. @param allowed faults that may be there */
  async isSound(name: string, allowed: readonly RegExp[] = []): Promise<void> {
    await keepPicture(this.page, `public-${this.#name}-${name}`);
    expect(await this.page.getByTestId('stException').allInnerTexts(), name).toEqual([]);
    expect(await this.page.getByRole('dialog').allInnerTexts(), name).toEqual([]);
    const faults = this.#faults.splice(0).filter((fault) => !allowed.some((pattern) => pattern.test(fault)));
    expect(faults, name).toEqual([]);
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
