import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Context } from 'koa';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { Sessions } from '../../store/sessions.js';
import { signedIn } from '../auth.js';

/** How often (ms) it is looked whether the reader may still read. */
const WATCH_MS = 500;

/** How often (ms) a sign of life is sent, so that nobody on the way takes the line for dead. */
const HEARTBEAT_MS = 15_000;

/** One event of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export interface StreamEvent {
  event?: string;
  id?: number | string;
  data: string;
}

/** A stream of events to one client. */
export interface EventStream {
  /** Aborted when the reader has left, logs out or may not read any more, the work is done, or the server ends. */
  signal: AbortSignal;
  /** Sends an event; resolves when there is room for another one. */
  send(event: StreamEvent): Promise<void>;
}

/**
 * Answers with server-sent events and ends when the work does, the reader leaves, logs out or loses the right, or the server ends.
 * @param may whether the reader may still read
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function streamEvents(
  ctx: Context,
  options: { closing: AbortSignal; logger: Logger; sessions: Pick<Sessions, 'onEnd'>; heartbeatMs?: number },
  may: () => boolean,
  work: (stream: EventStream) => Promise<void>,
): void {
  ctx.status = 200;
  ctx.set('Content-Type', 'text/event-stream; charset=utf-8');
  ctx.set('Cache-Control', 'no-store, no-transform');
  // nginx would hold the events back.
  ctx.set('X-Accel-Buffering', 'no');
  if (ctx.method === 'HEAD') return;

  const out = new PassThrough();
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, options.closing]);
  const watch = setInterval(() => {
    if (!may()) gone.abort();
  }, WATCH_MS);
  const heartbeat = setInterval(() => out.write(': keep-alive\n\n'), options.heartbeatMs ?? HEARTBEAT_MS);
  out.write('retry: 2000\n\n');
  ctx.body = out;
  ctx.res.once('close', () => gone.abort());
  // Of a reader who has left already, no end would be heard.
  if (ctx.res.destroyed) gone.abort();
  const { session } = signedIn(ctx);
  const unheard = session === undefined ? undefined : options.sessions.onEnd(session.id, () => gone.abort());

  const send = async (event: StreamEvent): Promise<void> => {
    if (signal.aborted || out.write(format(event))) return;
    await once(out, 'drain', { signal });
  };
  work({ signal, send })
    .catch((error: unknown) => {
      if (!signal.aborted)
        options.logger.error({ err: error, path: ctx.path }, `an event stream ended early: ${messageOf(error)}`);
    })
    .finally(() => {
      clearInterval(watch);
      clearInterval(heartbeat);
      unheard?.();
      gone.abort();
      out.end();
    });
}

/** An event on the wire. What a line of it may not hold is taken out or spread over several lines. */
export function format({ event, id, data }: StreamEvent): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  const head = `${event === undefined ? '' : `event: ${event}\n`}${id === undefined ? '' : `id: ${id}\n`}`;
  return `${head}${lines.join('')}\n`;
}
