import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';
import { field, fieldsOf, pick, textOf } from '../../src/domain/streamlit/proto.js';

// The few messages that a visitor's page cannot do without, from streamlit/proto/{BackMsg,ForwardMsg,NewSession,Delta}.proto.

export interface ClientOptions {
  /** The session to come back to. */
  session?: string;
  /** Its Origin is the app's own, unless one is given here. */
  headers?: Record<string, string>;
  /** Where the app's server is, such as `/apps/hello/~2`; the app's own address where it is not given. */
  path?: string;
}

/** A visitor's page without a browser: one WebSocket to an app, and what the script has shown on it. */
export class StreamlitClient {
  readonly socket: WebSocket;
  /** Told by the app with the first run. */
  session = '';
  /** All that was received, as bytes. */
  received = Buffer.alloc(0);
  #texts: string[] = [];
  #finished = 0;
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.#hear(data));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /**
   * Connects to an app.
   * @param app its address, such as `http://127.0.0.1:8080/apps/hello/`
   * @throws Error with the status where the upgrade is refused
   */
  static async connect(app: string, options: ClientOptions = {}): Promise<StreamlitClient> {
    const url = new URL(app);
    const path = options.path ?? url.pathname.replace(/\/$/, '');
    const { origin = url.origin, ...headers } = options.headers ?? {};
    const protocols = [
      'streamlit',
      'PLACEHOLDER_AUTH_TOKEN',
      ...(options.session === undefined ? [] : [options.session]),
    ];
    const socket = new WebSocket(`${url.origin.replace('http', 'ws')}${path}/_stcore/stream`, protocols, {
      origin,
      maxPayload: 256 * 1024 * 1024,
      headers,
    });
    const client = new StreamlitClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_, answer: IncomingMessage) => {
        socket.terminate();
        reject(new Error(`the upgrade was refused with ${answer.statusCode}`));
      });
      socket.once('error', reject);
    });
    return client;
  }

  get isOpen(): boolean {
    return !this.#closed && this.socket.readyState === WebSocket.OPEN;
  }

  /**
   * Runs the script and waits for its end.
   * @param query the page's query, without "?"
   * @param options.widget a text as a widget would send it, to make the message large
   * @param options.page the name of the page of a multipage app; the first one unless given
   * @returns the texts that it showed with `st.text`, in their order
   */
  async run(query = '', options: { limitMs?: number; widget?: string; page?: string } = {}): Promise<string[]> {
    const limitMs = options.limitMs ?? 60_000;
    const before = this.#finished;
    this.#texts = [];
    this.#send(query, options.widget, options.page);
    const deadline = Date.now() + limitMs;
    while (this.#finished === before) {
      if (this.#closed) throw new Error('the app closed the connection');
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`the script did not end within ${limitMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#texts;
  }

  /** The text that begins like this, without its beginning. @throws Error where the last run showed none */
  text(prefix: string): string {
    const found = this.#texts.find((text) => text.startsWith(prefix));
    if (found === undefined)
      throw new Error(`there is no text "${prefix}…" among: ${this.#texts.join(' | ').slice(0, 2_000)}`);
    return found.slice(prefix.length);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.socket.close();
    await once(this.socket, 'close');
  }

  #send(query: string, widget: string | undefined, page = ''): void {
    const state =
      widget === undefined
        ? Buffer.alloc(0)
        : field(2, field(1, Buffer.concat([field(1, 'a-widget'), field(6, widget)])));
    this.socket.send(field(11, Buffer.concat([field(1, query), state, field(4, page)])));
  }

  #hear(data: Buffer): void {
    // Only the beginning of a large message is kept: it is enough to look into.
    this.received = Buffer.concat([this.received, data.subarray(0, 64 * 1024)]).subarray(-1024 * 1024);
    for (const part of fieldsOf(data)) {
      if (part.number === 4) this.session = textOf(part.bytes, 1, 6) || this.session;
      else if (part.number === 5) this.#show(part.bytes);
      else if (part.number === 6) this.#finished += 1;
    }
    this.#wake();
  }

  #show(delta: Buffer): void {
    const body = pick(delta, 3, 1, 1);
    if (body !== undefined) this.#texts.push(body.bytes.toString('utf8'));
  }
}
