import { connect } from 'node:net';
import WebSocket from 'ws';
import { hear, rerun, type AppPage } from '../domain/streamlit/page-run.js';
import type { Address } from '../lib/address.js';
import { FROM_HERE } from '../lib/ask.js';

/** How a page of an app ran. */
export interface PageRun {
  /** The page's name; empty for the first one. */
  page: string;
  /** The lines of the exception that a visitor would see; undefined if there is none. */
  exception?: string[];
  /** True if it did not finish in time, or its process ended. */
  late: boolean;
}

export interface RunPagesOptions {
  /** The address of its process. */
  address: Address;
  /** The path of the app on its process, such as `/apps/hello`. */
  path: string;
  /** For each page, in ms. */
  limitMs: number;
  signal: AbortSignal;
}

/**
 * Opens an app as a visitor's browser does, and runs its pages one after the other in one session.
 * @returns the result of each page, in order, up to the first that failed
 * @throws Error if it cannot connect
 */
export async function runPages({ address, path, limitMs, signal }: RunPagesOptions): Promise<PageRun[]> {
  const visit = new Visit(address, `${path}/_stcore/stream`, limitMs, signal);
  try {
    await visit.opened;
    const runs = [await visit.run('', '')];
    for (const { hash, name } of visit.pages.filter((page) => !page.first)) {
      if (runs.some((run) => run.late || run.exception !== undefined)) break;
      runs.push(await visit.run(hash, name));
    }
    return runs;
  } finally {
    visit.end();
  }
}

class Visit {
  readonly opened: Promise<void>;
  pages: AppPage[] = [];
  readonly #socket: WebSocket;
  readonly #limitMs: number;
  readonly #signal: AbortSignal;
  #exception: string[] | undefined;
  /** Settles the run in progress: true if the script finished. */
  #settle: (ended: boolean) => void = () => undefined;
  readonly #gone = (): void => this.#settle(false);

  constructor(address: Address, path: string, limitMs: number, signal: AbortSignal) {
    this.#limitMs = limitMs;
    this.#signal = signal;
    this.#socket = new WebSocket(`ws://localhost${path}`, ['streamlit'], {
      maxPayload: 256 * 1024 * 1024,
      handshakeTimeout: limitMs,
      headers: FROM_HERE,
      createConnection: () => connect('socket' in address ? { path: address.socket } : address),
    });
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once('open', resolve);
      this.#socket.on('error', reject);
    });
    this.#socket.on('message', (message: Buffer) => this.#hear(message));
    this.#socket.on('close', this.#gone);
    signal.addEventListener('abort', this.#gone);
  }

  async run(hash: string, page: string): Promise<PageRun> {
    this.#exception = undefined;
    let timer: NodeJS.Timeout | undefined;
    const ended = await new Promise<boolean>((resolve) => {
      this.#settle = resolve;
      timer = setTimeout(this.#gone, this.#limitMs);
      if (this.#signal.aborted || this.#socket.readyState !== WebSocket.OPEN) resolve(false);
      else this.#socket.send(rerun(hash));
    });
    clearTimeout(timer);
    return { page, late: !ended, ...(this.#exception !== undefined && { exception: this.#exception }) };
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#gone);
    this.#socket.terminate();
  }

  #hear(message: Buffer): void {
    const heard = hear(message);
    if (heard.pages !== undefined) this.pages = heard.pages;
    this.#exception ??= heard.exception;
    if (heard.finished === true) this.#settle(true);
  }
}
