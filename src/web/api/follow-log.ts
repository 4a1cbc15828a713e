import { stat } from 'node:fs/promises';
import type { Context } from 'koa';
import { findRelease, printingRelease, type App } from '../../domain/app/app.js';
import { follow } from '../../logs/follow.js';
import { tail } from '../../logs/tail.js';
import { signedIn } from '../auth.js';
import type { ApiContext } from './route.js';
import { streamEvents, type EventStream } from './sse.js';

/** How long (ms) is waited for the last line of a log that nobody writes to any more. */
const LAST_LINE_MS = 1_000;

/** A log that was asked for. */
export interface Source {
  app: string;
  source: 'run' | 'build';
  release: number;
  /** True where the log goes on with the release that comes next. */
  goesOn: boolean;
  /** Hides the app's config vars and secrets. */
  hide: (text: string) => string;
}

/** The file of a log. */
export function pathOf({ logs }: Pick<ApiContext, 'logs'>, { app, source, release }: Source): string {
  return source === 'run' ? logs.runLog(app, release) : logs.buildLog(app, release);
}

/**
 * Sends the end of a log, and what is added to it, as server-sent events: a build log until its deploy has ended, what an
 * app prints for as long as there is the app, one release after the other.
 * @param wanted how many lines of the end, and the text that lines must hold
 */
export function followLog(
  ctx: Context,
  api: ApiContext,
  asked: Source,
  wanted: { tail: number; q?: string | undefined },
): void {
  const last = placeOf(ctx.get('last-event-id'), asked);
  const text = wanted.q?.toLowerCase();
  const { now } = signedIn(ctx);
  /** Whether the reader may still read it; of an app that is gone, the stream ends by itself. */
  const may = (): boolean => {
    const by = now();
    const app = recordOf(api, asked.app);
    return by !== undefined && (app === undefined || api.rights.may(by, 'logs', app));
  };

  streamEvents(ctx, api, may, async (stream) => {
    let source = last === undefined ? asked : { ...asked, release: last.release };
    const send = async (raw: string[], offset: number): Promise<void> => {
      const lines = raw.map(source.hide);
      const chosen = text === undefined ? lines : lines.filter((line) => line.toLowerCase().includes(text));
      // Only the last line of a piece has an id: what is behind a place was sent whole, also when the line to the
      // reader breaks here.
      for (const [place, data] of chosen.entries()) {
        await stream.send(
          place === chosen.length - 1 ? { id: source.goesOn ? `${source.release}-${offset}` : offset, data } : { data },
        );
      }
    };
    const redraw = async (raw: string): Promise<void> => {
      const data = source.hide(raw);
      if (text === undefined || data.toLowerCase().includes(text)) await stream.send({ event: 'redraw', data });
    };
    let offset = last?.offset ?? 0;
    if (last === undefined) {
      const end = await tail(pathOf(api, source), wanted.tail);
      offset = end.offset;
      await send(end.lines, offset);
    }
    for (;;) {
      await followOne(api, source, offset, stream, { send, redraw });
      const app = recordOf(api, source.app);
      if (stream.signal.aborted) return;
      if (source.source === 'build') return stream.send(endEvent(app, source.release));
      if (app === undefined) return;
      source = { ...source, release: printingRelease(app) };
      offset = 0;
    }
  });
}

/** Where a reader goes on who has read up to an event: its release and its offset in bytes. */
function placeOf(id: string, asked: Source): { release: number; offset: number } | undefined {
  const found = /^(?:(\d{1,9})-)?(\d{1,15})$/.exec(id);
  if (found === null) return undefined;
  const release = found[1] === undefined || !asked.goesOn ? asked.release : Number(found[1]);
  return { release, offset: Number(found[2]) };
}

/** Sends what is added to one file, until nothing more can come. */
async function followOne(
  api: ApiContext,
  source: Source,
  from: number,
  stream: EventStream,
  to: { send(lines: string[], offset: number): Promise<void>; redraw(line: string): Promise<void> },
): Promise<void> {
  const path = pathOf(api, source);
  const end = new End(path, overOf(api, source, stream.signal), stream.signal);
  // Nothing may be left to come.
  end.reached(from);
  try {
    for await (const added of follow(path, { from, signal: end.signal })) {
      if (added.redrawn === undefined) await to.send(added.text.split('\n').slice(0, -1), added.offset);
      else await to.redraw(added.redrawn);
      end.reached(added.offset);
    }
  } finally {
    end.forget();
  }
}

/** Resolves when nothing is written to a log any more: its deploy has ended, or another release prints now. */
function overOf(api: ApiContext, { app, source, release, goesOn }: Source, signal: AbortSignal): Promise<unknown> {
  if (source === 'build') return api.host.releases.underWay(app, release)?.done ?? Promise.resolve();
  return new Promise<void>((resolve) => {
    const over = (): void => {
      unsubscribe();
      resolve();
    };
    const look = (record: App | undefined): void => {
      if (record === undefined || (goesOn && printingRelease(record) !== release)) over();
    };
    const unsubscribe = api.host.apps.subscribe((id, status) => {
      if (id === app) look(status?.app);
    });
    signal.addEventListener('abort', over, { once: true });
    if (signal.aborted) over();
    else look(recordOf(api, app));
  });
}

function recordOf(api: ApiContext, id: string): App | undefined {
  return api.host.apps.list().find(({ app }) => app.id === id)?.app;
}

function endEvent(app: App | undefined, number: number): { event: string; data: string } {
  const release = app === undefined ? undefined : findRelease(app, number);
  return {
    event: 'end',
    data: JSON.stringify({ release: number, state: release?.state ?? null, reason: release?.reason ?? null }),
  };
}

/** The end of a file that nobody writes to any more: known once it was read to where it ended. */
class End {
  readonly signal: AbortSignal;
  readonly #path: string;
  readonly #done = new AbortController();
  #read = 0;
  #size: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param over resolves when nothing is written to it any more */
  constructor(path: string, over: Promise<unknown>, signal: AbortSignal) {
    this.#path = path;
    this.signal = AbortSignal.any([this.#done.signal, signal]);
    void over.then(() => this.#finish());
  }

  /** Says how far was read. */
  reached(offset: number): void {
    this.#read = offset;
    if (this.#size !== undefined && this.#read >= this.#size) this.#done.abort();
  }

  forget(): void {
    clearTimeout(this.#timer);
  }

  async #finish(): Promise<void> {
    this.#size = await stat(this.#path).then(
      (found) => found.size,
      () => 0, // There is no such file: nothing was ever written.
    );
    this.reached(this.#read);
    // A last line without its newline is never complete.
    if (!this.signal.aborted) this.#timer = setTimeout(() => this.#done.abort(), LAST_LINE_MS);
  }
}
