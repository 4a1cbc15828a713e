import { OTHER_PAGES } from '../gateway/traffic.js';

/** The most pages of an app that are told apart. */
const MAX_PAGES = 20;

/** For how long (ms) a page keeps its place that nobody has come to. */
const KEEP_MS = 86_400_000;

/**
 * Decides which pages of an app are told apart. An app can name a page as it likes, and another one for each visitor, so their
 * number is limited: pages that come too late are counted together, until one of the others was not visited for a day.
 */
export class PageNames {
  readonly #dropped: (app: string, path: string) => void;
  /** By app, when each of its pages was visited last, in ms since 1970; the one that was not for the longest time first. */
  readonly #apps = new Map<string, Map<string, number>>();

  /** @param dropped told of a page that has lost its place */
  constructor(dropped: (app: string, path: string) => void) {
    this.#dropped = dropped;
  }

  /** Returns the path that a page is counted under. @param now in ms since 1970 */
  nameOf(app: string, path: string, now: number): string {
    if (path === OTHER_PAGES) return path;
    const pages = this.#apps.get(app) ?? new Map<string, number>();
    this.#apps.set(app, pages);
    if (!pages.delete(path) && pages.size >= MAX_PAGES) {
      const [oldest, seen] = [...pages][0] ?? ['', now];
      // The clock may have been put back.
      if (Math.abs(now - seen) < KEEP_MS) return OTHER_PAGES;
      pages.delete(oldest);
      this.#dropped(app, oldest);
    }
    pages.set(path, now);
    return path;
  }

  /** Forgets apps that were removed. */
  keep(known: ReadonlySet<string>): void {
    for (const app of this.#apps.keys()) if (!known.has(app)) this.#apps.delete(app);
  }
}
