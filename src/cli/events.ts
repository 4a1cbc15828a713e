import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../errors.js';
import { Deadline } from '../lib/deadline.js';

/** A server-sent event. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface ServerEvent {
  /** "message" unless the server names it. */
  event: string;
  data: string;
  /** Its own id; undefined where it has none. */
  id: string | undefined;
}

/** Parses the events of a stream as it arrives. */
export async function* readEvents(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let event: { event?: string; id?: string; data: string[] } = { data: [] };
  for await (const part of stream) {
    rest += decoder.decode(part, { stream: true });
    // A CR at the very end may be the first half of CRLF.
    const ready = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
    const lines = ready.split(/\r\n|\r|\n/);
    rest = (lines.pop() ?? '') + rest.slice(ready.length);
    for (const line of lines) {
      if (line === '') {
        if (event.data.length > 0) yield { event: event.event ?? 'message', data: event.data.join('\n'), id: event.id };
        event = { data: [] };
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') event.data.push(value);
      else if (field === 'event') event.event = value;
      else if (field === 'id') event.id = value;
    }
  }
}

export interface Following {
  /** Opens the stream, after the event with this id if there is one. */
  open: (lastId: string | undefined) => Promise<AsyncIterable<Uint8Array>>;
  /** How long (ms) to retry a lost connection. */
  patienceMs: number;
  /** The time between two attempts, in ms. */
  pauseMs?: number;
  /** Called when the connection is lost, once until it is back. */
  lost?: () => void;
}

/**
 * Follows the events of a stream across lost connections, each event once. They come in pieces that end with an event
 * with an id or a name, since the server resumes after such an event; events of an incomplete piece are sent again.
 * Ends only when the caller stops. Throws what the server refuses with, or when patience runs out.
 */
export async function* follow(options: Following): AsyncGenerator<ServerEvent[]> {
  const { open, patienceMs, pauseMs = 1_000 } = options;
  let lastId: string | undefined;
  let stream = await open(undefined);
  for (;;) {
    let piece: ServerEvent[] = [];
    try {
      for await (const event of readEvents(stream)) {
        piece.push(event);
        if (event.id === undefined && event.event === 'message') continue;
        lastId = event.id ?? lastId;
        yield piece;
        piece = [];
      }
    } catch {
      // The connection broke, which is what this is here for; nothing else can fail in there.
    }
    options.lost?.();
    const deadline = new Deadline(patienceMs);
    for (;;) {
      await sleep(pauseMs);
      try {
        stream = await open(lastId);
        break;
      } catch (error) {
        if (!(error instanceof Refusal && error.code === 'not-reachable') || deadline.isOver) throw error;
      }
    }
  }
}
