import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';

/** The longest message, in characters: a picture has a tenth of that. */
const MAX_MESSAGE = 16 * 1024 * 1024;

const values = z.record(z.string(), z.unknown());

/** A page may have taken the browser over, so it is not taken at its word. */
const messageSchema = z.object({
  id: z.number().optional(),
  method: z.string().optional(),
  params: values.default({}),
  result: values.default({}),
  error: z.object({ message: z.string() }).optional(),
});

/** Something that the browser tells by itself. */
export interface DevToolsEvent {
  method: string;
  params: Record<string, unknown>;
}

interface Waiting {
  resolve: (result: Record<string, unknown>) => void;
  reject: (error: Error) => void;
}

/**
 * A browser's DevTools protocol over a pair of pipes: nobody else on the machine can speak to the browser, as they could
 * over a port. Messages are JSON and end with a zero byte. (https://chromedevtools.github.io/devtools-protocol/)
 */
export class DevTools {
  readonly #to: Writable;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: DevToolsEvent) => void>();
  #last = 0;
  #rest = '';
  #closed = false;

  constructor(to: Writable, from: Readable) {
    this.#to = to;
    from.setEncoding('utf8');
    from.on('data', (chunk: string) => this.#hear(chunk));
    // However the pipes end, nobody may wait for ever.
    for (const pipe of [to, from]) {
      pipe.on('error', () => this.close());
      pipe.on('close', () => this.close());
    }
  }

  /**
   * Sends a command.
   * @param session of the page that is meant; none for the browser itself
   * @throws Error where the browser refuses or is gone
   */
  async send(method: string, params: object = {}, session?: string): Promise<Record<string, unknown>> {
    if (this.#closed) throw new Error(`${method}: the browser is gone`);
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#to.write(
        `${JSON.stringify({ id, method, params, ...(session === undefined ? {} : { sessionId: session }) })}\0`,
      );
    });
  }

  /** Calls back with every event from now on. */
  on(listener: (event: DevToolsEvent) => void): void {
    this.#listeners.add(listener);
  }

  /** Refuses what is still waited for. */
  close(): void {
    this.#closed = true;
    this.#rest = '';
    for (const { reject } of this.#waiting.values()) reject(new Error('the browser is gone'));
    this.#waiting.clear();
  }

  #hear(chunk: string): void {
    const [end = '', ...others] = chunk.split('\0');
    this.#rest += end;
    for (const begin of others) {
      this.#take(this.#rest);
      this.#rest = begin;
    }
    if (this.#rest.length > MAX_MESSAGE) this.close();
  }

  #take(text: string): void {
    const message = this.#closed ? undefined : read(text);
    // Anything else does not come from a browser that speaks this protocol.
    if (message === undefined) return this.close();
    const { id, method, params, result, error } = message;
    if (method !== undefined) for (const listener of this.#listeners) listener({ method, params });
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || waiting === undefined) return;
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(new Error(error.message));
  }
}

function read(text: string): z.infer<typeof messageSchema> | undefined {
  try {
    return messageSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // Not JSON: the caller closes the connection.
  }
}
