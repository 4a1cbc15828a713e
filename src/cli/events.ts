import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../errors.js';

/** A server-sent event. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface ServerEvent {
  /** "message" unless the server names it. */
  event: string;
  data: string;
  /** Its own id; undefined where it has none. */
  id: string | undefined;
}

/** The events of a stream, as its bytes come in. */
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
  /** Opens the stream; from behind the event with this id, where there is one. */
  open: (lastId: string | undefined) => Promise<AsyncIterable<Uint8Array>>;
  /** How long (ms) a lost connection is tried again before it is given up. */
  patienceMs: number;
  /** Between two tries, in ms. */
  pauseMs?: number;
  /** The connection was lost, for the first time since it stood. */
  lost?: () => void;
}

/**
 * The events of a stream in pieces, over lost connections, each event once: a piece ends with an event that has an id or
 * a name, since behind such an event the server goes on. What came without one before the line broke comes again.
 * Ends only when the caller stops, and throws when patience is over, or what the server refuses with.
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
    const deadline = Date.now() + patienceMs;
    for (;;) {
      await sleep(pauseMs);
      try {
        stream = await open(lastId);
        break;
      } catch (error) {
        if (!(error instanceof Refusal && error.code === 'not-reachable') || Date.now() > deadline) throw error;
      }
    }
  }
}
