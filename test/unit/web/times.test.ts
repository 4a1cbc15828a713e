import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.resetModules();
});

/** Loads the browser's script on a page that was sent at this time by the server's clock. @returns what it makes of a time */
async function shownOf(time: string, now: string): Promise<string> {
  const element = { dateTime: time, textContent: 'from the server', title: '' };
  vi.stubGlobal('document', {
    querySelector: (selector: string) => (selector.includes('"now"') ? { content: now } : null),
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
