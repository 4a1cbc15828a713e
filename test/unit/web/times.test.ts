import { afterEach, expect, it, vi } from 'vitest';
import { english, wordsOf } from '../../../src/web/messages/messages.js';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.resetModules();
});

/** Loads the browser's script on a page that was sent at this time by the server's clock. @returns what it makes of a time */
async function shownOf(time: string, now: string, words = english): Promise<string> {
  const element = { dateTime: time, textContent: 'from the server', title: '' };
  vi.stubGlobal('navigator', { languages: ['en-US'] });
  const metas: Record<string, string> = { now, words: JSON.stringify(words.of('browser.')) };
  vi.stubGlobal('document', {
    documentElement: { lang: words.language },
    querySelector(selector: string) {
      const content = metas[/"(\w+)"/.exec(selector)?.[1] ?? ''];
      return content === undefined ? null : { content };
    },
    querySelectorAll: () => [element],
    addEventListener: () => undefined,
  });
  const path = '../../../public/js/time.js';
  const { times } = (await import(path)) as { times: (root: unknown) => void };
  times({ querySelectorAll: () => [element] });
  return element.textContent;
}

it.each(['2026-03-01T09:00:00Z', '2026-03-01T12:00:10Z', '2026-03-05T00:00:00Z', '2020-01-01T00:00:00Z'])(
  "relative times follow the server's clock if the browser's says %s",
  async (browser) => {
    vi.useFakeTimers({ now: new Date(browser) });
    expect(await shownOf('2026-03-01T11:40:00Z', '2026-03-01T12:00:00Z')).toBe('20 min ago');
  },
);

it("relative times follow the browser's clock on a page that does not say the server's", async () => {
  vi.useFakeTimers({ now: new Date('2026-03-01T12:00:00Z') });
  expect(await shownOf('2026-03-01T11:40:00Z', '')).toBe('20 min ago');
});

it('relative times are in the language of the page', async () => {
  const now = '2026-03-01T12:00:00Z';
  vi.useFakeTimers({ now: new Date(now) });
  expect(await shownOf('2026-03-01T11:40:00Z', now, await wordsOf('zh-CN'))).toBe('20 分钟前');
});
