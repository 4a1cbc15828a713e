// A page that is open, as a browser has it: a WebSocket to an app, and the text that its script shows.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { modules } from '../measure.js';

const { field, fieldsOf, pick, textOf } = await modules('domain/streamlit/proto');

/** How long a connection and a run of the script may take, in ms. */
const LIMIT_MS = 60_000;

export class Page {
  /** Told by the app with the first run; by it, a page that lost its connection comes back. */
  session = '';
  #socket;
  #texts = [];
  #finished = () => undefined;

  /** @param path of the app on the server, such as /apps/hello/~2 @param session the one to come back to */
  static async open(url, path, session = '') {
    const page = new Page();
    const protocols = ['streamlit', 'x', ...(session === '' ? [] : [session])];
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}/_stcore/stream`, protocols, {
      origin: url,
      handshakeTimeout: LIMIT_MS,
    });
    page.#socket = socket;
    page.session = session;
    socket.on('message', (data) => page.#receive(data));
    socket.on('error', () => undefined); // It is closed then.
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('close', () => reject(new Error('the connection was refused')));
    });
    return page;
  }

  get isOpen() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Runs the script. @returns the texts that it showed */
  async run() {
    this.#texts = [];
    let [timer, lost] = [];
    const ended = new Promise((resolve, reject) => {
      this.#finished = resolve;
      lost = () => reject(new Error('the connection was lost'));
      timer = setTimeout(() => reject(new Error('the script did not end')), LIMIT_MS);
      this.#socket.once('close', lost);
    });
    try {
      if (!this.isOpen) throw new Error('the connection was lost');
      this.#socket.send(field(11, field(1, '')));
      await ended;
    } finally {
      ended.catch(() => undefined); // Told above.
      clearTimeout(timer);
      this.#socket.off('close', lost);
    }
    return this.#texts;
  }

  async close() {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  #receive(data) {
    for (const { number, bytes } of fieldsOf(data)) {
      if (number === 4) this.session = textOf(bytes, 1, 6) || this.session;
      if (number === 5) this.#texts.push(pick(bytes, 3, 1, 1)?.bytes.toString() ?? '');
      if (number === 6) this.#finished();
    }
  }
}
