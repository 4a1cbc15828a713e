import type { SendHandle } from 'node:child_process';
import { messageOf, Refusal } from '../errors.js';

/** What a call is answered with: a value, and possibly an open socket. */
export interface Answer {
  value?: unknown;
  handle?: SendHandle | undefined;
}

/** What is called, with what it is given. */
export type Handler = (data: unknown) => Promise<Answer | undefined> | Answer | undefined | void;

/** The part of a process that messages go through: of a child, or of this process to its parent. */
export interface Channel {
  readonly connected: boolean;
  send?:
    | ((message: object, handle?: SendHandle, options?: object, done?: (error: Error | null) => void) => boolean)
    | undefined;
  disconnect?(): void;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

type Message =
  | { kind: 'call'; id: number; what: string; data?: unknown }
  | { kind: 'answer'; id: number; value?: unknown; error?: string };

/**
 * Calls between two servers of one data folder, over the channel between a process and its child. Open sockets can be part
 * of an answer (https://nodejs.org/api/child_process.html#subprocesssendmessage-sendhandle-options-callback).
 */
export class Peer {
  readonly #channel: Channel;
  readonly #handlers = new Map<string, Handler>();
  readonly #calls = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  readonly #gone = new AbortController();
  #last = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.on('message', (message, handle) => void this.#hear(message as Message, handle as SendHandle | undefined));
    channel.on('disconnect', () => {
      this.#gone.abort();
      for (const { reject } of this.#calls.values()) reject(lost());
      this.#calls.clear();
    });
  }

  /** Aborted once the other process is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Closes the channel: for the other process, this one is gone. */
  close(): void {
    if (this.#channel.connected) this.#channel.disconnect?.();
  }

  /** Answers calls by this name. */
  serve(what: string, handler: Handler): void {
    this.#handlers.set(what, handler);
  }

  /** Calls the other process. @throws Refusal `handover-failed` with its reason, or where it ends before it has answered */
  async call(what: string, data?: unknown): Promise<Answer> {
    if (this.gone.aborted) throw lost();
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#send({ kind: 'call', id, what, data });
    });
  }

  /** The same, where nothing comes of it if the other process is gone. */
  tell(what: string, data?: unknown): void {
    this.call(what, data).catch(() => undefined);
  }

  async #hear(message: Message, handle: SendHandle | undefined): Promise<void> {
    if (message.kind === 'answer') {
      const call = this.#calls.get(message.id);
      this.#calls.delete(message.id);
      if (message.error === undefined) call?.resolve({ value: message.value, handle });
      else call?.reject(new Refusal('unavailable', 'handover-failed', message.error));
      return;
    }
    const { id, what, data } = message;
    try {
      const answer = (await this.#handlers.get(what)?.(data)) ?? {};
      this.#send({ kind: 'answer', id, value: answer.value }, answer.handle);
    } catch (error) {
      this.#send({ kind: 'answer', id, error: messageOf(error) });
    }
  }

  /** What cannot be sent any more is not missed: the other process is gone, which `gone` tells. */
  #send(message: Message, handle?: SendHandle): void {
    if (this.gone.aborted || !this.#channel.connected) return;
    this.#channel.send?.(message, handle, { keepOpen: true }, () => undefined);
  }
}

function lost(): Refusal {
  return new Refusal('unavailable', 'handover-failed', 'The other server has ended.');
}
