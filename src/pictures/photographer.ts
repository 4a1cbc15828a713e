import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import { Chromium, type PictureCage } from './chromium.js';
import type { Pictures } from '../store/pictures.js';
import type { Apps, AppStatus } from '../host/apps.js';
import { photograph } from './photograph.js';

/** How long one picture may take in all, in ms. */
const LIMIT_MS = 60_000;
/** How long after a deploy its picture is taken, in ms, unless told: what the deploy has left to do comes first. */
const AFTER_MS = 1_000;

export interface PhotographerOptions {
  apps: Pick<Apps, 'list' | 'subscribe'>;
  pictures: Pick<Pictures, 'keep'>;
  /** A Chromium's program; undefined where there is none. */
  chromium: () => Promise<string | undefined>;
  /** PATH for it. */
  path: string;
  /** What it is put into; nothing where there is none. */
  cage?: (() => Promise<PictureCage | undefined>) | undefined;
  tmp: string;
  /** By which it is known. */
  mark: string;
  /** How long after a deploy its picture is taken, in ms. */
  afterMs?: number;
  /** Where this server answers on this machine, without a "/" at its end. */
  local: string;
  logger: { debug(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/**
 * Takes a picture of an app for the gallery whenever a release of it went live: one at a time for the whole server, and
 * never so that anybody has to wait for it. Where none can be taken, the old one stays.
 */
export class Photographer {
  readonly #options: PhotographerOptions;
  /** The release of each app that went live last. */
  readonly #seen = new Map<string, number | null>();
  readonly #wanted = new Set<string>();
  readonly #unsubscribe: () => void;
  #current: { app: string; abort: AbortController } | undefined;
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(options: PhotographerOptions) {
    this.#options = options;
    for (const { app } of options.apps.list()) this.#seen.set(app.id, app.live);
    this.#unsubscribe = options.apps.subscribe((id, status) => this.#hear(id, status));
  }

  /** Gives up what is under way; nothing of it is left when this resolves. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    this.#wanted.clear();
    this.#current?.abort.abort(new GivenUp());
    await this.#working;
  }

  #hear(id: string, status: AppStatus | undefined): void {
    const live = status?.app.live ?? null;
    const changed = live !== (this.#seen.get(id) ?? null);
    if (status === undefined) this.#seen.delete(id);
    else this.#seen.set(id, live);
    // A page that is open would keep an old release from its end.
    if (this.#current?.app === id && (changed || !isAwake(status))) this.#current.abort.abort(new GivenUp());
    if (live === null) this.#wanted.delete(id);
    // A preview is not in the gallery.
    else if (changed && status?.app.preview === undefined) this.#wanted.add(id);
    this.#kick();
  }

  #kick(): void {
    if (this.#working !== undefined || this.#wanted.size === 0) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      this.#kick();
    });
  }

  async #work(): Promise<void> {
    for (;;) {
      const [next] = this.#wanted;
      if (next === undefined || this.#closed) return;
      this.#wanted.delete(next);
      await this.#take(next);
    }
  }

  async #take(id: string): Promise<void> {
    const { logger, pictures } = this.#options;
    const abort = new AbortController();
    this.#current = { app: id, abort };
    const timer = setTimeout(() => abort.abort(new Error(`it took longer than ${LIMIT_MS / 1_000} s`)), LIMIT_MS);
    try {
      const picture = await this.#picture(id, abort.signal);
      if (picture === undefined)
        return logger.debug(
          { app: id },
          'no picture was taken: the app failed to render, or Chromium is not available',
        );
      abort.signal.throwIfAborted();
      await pictures.keep(id, picture);
      logger.debug({ app: id, bytes: picture.length }, 'a picture was taken');
    } catch (error) {
      const why: unknown = abort.signal.aborted ? abort.signal.reason : error;
      if (why instanceof GivenUp) logger.debug({ app: id }, 'a picture was cancelled');
      else logger.warn({ app: id, reason: messageOf(why) }, 'a picture of an app could not be taken');
    } finally {
      clearTimeout(timer);
      this.#current = undefined;
    }
  }

  async #picture(id: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const { apps, chromium, path, cage, tmp, mark, local, afterMs = AFTER_MS } = this.#options;
    await delay(afterMs, undefined, { signal });
    const file = await chromium();
    // A visit would wake it.
    if (file === undefined || !isAwake(apps.list().find(({ app }) => app.id === id))) return undefined;
    signal.throwIfAborted();
    const browser = await Chromium.start({ file, path, tmp, mark, only: new URL(local).host, cage: await cage?.() });
    // What goes wrong with its end is heard below.
    const end = (): void => void browser.end().catch(() => undefined);
    try {
      signal.addEventListener('abort', end);
      signal.throwIfAborted();
      const address = `${local}/apps/${id}/`;
      return await photograph(browser.devtools, address, [address, `${local}/_streamlit/`, `${local}/_host/`], signal);
    } finally {
      signal.removeEventListener('abort', end);
      await browser.end();
    }
  }
}

/** It is not wanted any more, or not now. */
class GivenUp extends Error {}

function isAwake(status: AppStatus | undefined): boolean {
  return status !== undefined && status.app.wanted === 'running' && !status.app.asleep && isPublic(status.app);
}

/** Only of what everyone may open: the browser is nobody, and the picture is shown in the gallery. */
function isPublic({ opens = 'public' }: AppStatus['app']): boolean {
  return opens === 'public';
}
