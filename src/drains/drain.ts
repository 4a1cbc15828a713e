import { messageOf } from '../errors.js';
import { Deadline } from '../lib/deadline.js';
import { LineBuffer, type LogLine } from './buffer.js';
import type { Sink } from './sinks.js';

/** How long (ms) is waited after a failure: doubled with each one. */
const WAIT_MS = { least: 1_000, most: 60_000 };

/** How a drain does. */
export interface DrainState {
  /** The lines that were sent and dropped since the start of the server. */
  sent: number;
  dropped: number;
  /** Why the last try failed, in one sentence; undefined where it did not. */
  problem: string | undefined;
}

/** Brings lines to one place, one batch after the other. Pushing lines never waits for it. */
export class Drain {
  readonly #sink: Sink;
  readonly #buffer = new LineBuffer();
  readonly #wait: { least: number; most: number };
  readonly #state: DrainState = { sent: 0, dropped: 0, problem: undefined };
  /** The dropped lines that the batch on its way says. */
  #telling = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(sink: Sink, wait: { least: number; most: number } = WAIT_MS) {
    this.#sink = sink;
    this.#wait = wait;
  }

  get state(): Readonly<DrainState> {
    return { ...this.#state, dropped: this.#state.dropped + this.#telling + this.#buffer.dropped };
  }

  push(lines: readonly LogLine[]): void {
    this.#buffer.push(lines);
    this.#begin();
  }

  /** Ends. What waits is sent for a while (ms), and the rest is lost. */
  async close(limitMs = 1_000): Promise<void> {
    const end = new Deadline(limitMs);
    while (this.#sending !== undefined && this.#failures === 0 && !end.isOver) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, end.left)));
      await Promise.race([this.#sending, late]).finally(() => clearTimeout(timer));
    }
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#sink.close();
  }

  #begin(): void {
    if (this.#closed || this.#sending !== undefined || this.#timer !== undefined || this.#buffer.isEmpty) return;
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#failures === 0) return this.#begin();
      if (this.#closed) return;
      const { least, most } = this.#wait;
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined;
          this.#begin();
        },
        Math.min(least * 2 ** (this.#failures - 1), most),
      ).unref();
    });
  }

  async #send(): Promise<void> {
    const batch = this.#buffer.take();
    this.#telling = batch.dropped;
    try {
      await this.#sink.send(batch);
      this.#failures = 0;
      this.#state.sent += batch.lines.length;
      this.#state.dropped += batch.dropped;
      this.#state.problem = undefined;
    } catch (error) {
      this.#failures += 1;
      this.#state.problem = messageOf(error);
      this.#buffer.putBack(batch);
    } finally {
      this.#telling = 0;
    }
  }
}
