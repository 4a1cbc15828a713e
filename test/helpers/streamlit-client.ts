import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';

// Streamlit speaks protobuf (https://protobuf.dev/programming-guides/encoding/); the few messages that a visitor's page
// cannot do without are written and read by hand, from streamlit/proto/{BackMsg,ForwardMsg,NewSession,Delta}.proto.

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
    const protocols = ['streamlit', 'PLACEHOLDER_AUTH_TOKEN', ...(options.session === undefined ? [] : [options.session])];
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
   * @returns the texts that it showed with `st.text`, in their order
   */
  async run(query = '', options: { limitMs?: number; widget?: string } = {}): Promise<string[]> {
    const limitMs = options.limitMs ?? 60_000;
    const before = this.#finished;
    this.#texts = [];
    this.#send(query, options.widget);
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
    if (found === undefined) throw new Error(`there is no text "${prefix}…" among: ${this.#texts.join(' | ').slice(0, 2_000)}`);
    return found.slice(prefix.length);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.socket.close();
    await once(this.socket, 'close');
  }

  #send(query: string, widget: string | undefined): void {
    const state = widget === undefined ? Buffer.alloc(0) : field(2, field(1, Buffer.concat([field(1, 'a-widget'), field(6, widget)])));
    this.socket.send(field(11, Buffer.concat([field(1, query), state])));
  }

  #hear(data: Buffer): void {
    // Only the beginning of a large message is kept: it is enough to look into.
    this.received = Buffer.concat([this.received, data.subarray(0, 64 * 1024)]).subarray(-1024 * 1024);
    for (const part of read(data)) {
      if (part.number === 4) this.session = string(pick(part, 1, 6)) || this.session;
      else if (part.number === 5) this.#show(part);
      else if (part.number === 6) this.#finished += 1;
    }
    this.#wake();
  }

  #show(delta: Field): void {
    const body = pick(delta, 3, 1, 1);
    if (body !== undefined) this.#texts.push(string(body));
  }
}

interface Field {
  number: number;
  /** Empty for a number. */
  bytes: Buffer;
}

/** The fields of a message. */
function* read(message: Buffer): Iterable<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) {
      varint();
      yield { number, bytes: Buffer.alloc(0) };
      continue;
    }
    const length = wire === 2 ? varint() : wire === 1 ? 8 : 4;
    yield { number, bytes: message.subarray(at, at + length) };
    at += length;
  }
}

/** A field within fields, by their numbers. */
function pick(from: Field, ...numbers: number[]): Field | undefined {
  let found: Field | undefined = from;
  for (const number of numbers) found = found && [...read(found.bytes)].find((one) => one.number === number);
  return found;
}

function string(from: Field | undefined): string {
  return from?.bytes.toString('utf8') ?? '';
}

/** A field of text or of another message. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}
