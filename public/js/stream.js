// Server-sent events by fetch: an EventSource cannot send headers, and the page's token must not appear in a URL.
import { headers } from './page.js';

/** The default delay before reconnecting, in ms. */
const RETRY_MS = 2_000;

/**
 * Listens like an EventSource and reconnects by itself. Events: `open`, `error` (with `closed` true if the answer was not a
 * stream; it is then up to the listener to try again), `message`, and those of the server.
 */
export class Stream extends window.EventTarget {
  /** False once it has given up or was closed. */
  live = true;
  #url;
  #end = new AbortController();
  #last = '';
  #retry = RETRY_MS;
  #timer;

  constructor(url) {
    super();
    this.#url = url;
    this.#run();
  }

  close() {
    this.live = false;
    clearTimeout(this.#timer);
    this.#end.abort();
  }

  async #run() {
    try {
      const answer = await fetch(this.#url, {
        headers: {
          ...headers,
          Accept: 'text/event-stream',
          ...(this.#last === '' ? {} : { 'Last-Event-ID': this.#last }),
        },
        credentials: 'same-origin',
        cache: 'no-store',
        signal: this.#end.signal,
      });
      if (!answer.ok || !(answer.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
        answer.body?.cancel();
        return this.#lost(true);
      }
      this.dispatchEvent(new window.Event('open'));
      await this.#read(answer.body.pipeThrough(new window.TextDecoderStream()).getReader());
    } catch {
      // Not reachable, or interrupted: both are handled below.
    }
    this.#lost(false);
  }

  async #read(reader) {
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (rest + value).split('\n\n');
      rest = events.pop();
      for (const event of events) if (this.live) this.#take(event.split('\n'));
    }
  }

  #take(lines) {
    const data = [];
    let type = 'message';
    for (const line of lines) {
      const colon = line.indexOf(':');
      const value = line.slice(colon + 1).replace(/^ /, '');
      switch (line.slice(0, Math.max(colon, 0))) {
        case 'data':
          data.push(value);
          break;
        case 'event':
          type = value;
          break;
        case 'id':
          this.#last = value;
          break;
        case 'retry':
          this.#retry = Number(value) || RETRY_MS;
      }
    }
    if (data.length > 0) this.dispatchEvent(new window.MessageEvent(type, { data: data.join('\n') }));
  }

  #lost(closed) {
    if (!this.live) return;
    if (closed) this.live = false;
    else this.#timer = setTimeout(() => this.#run(), this.#retry);
    this.dispatchEvent(Object.assign(new window.Event('error'), { closed }));
  }
}
