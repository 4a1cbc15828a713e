import type { LogFile } from '../logs/log-file.js';
import { Phases } from './phases.js';

/** A line of a deploy's log. */
export type LineListener = (line: string) => void;

/** How much of a tool's output is logged, in characters: enough to read, not too much to search. */
const MAX_OUTPUT = 2 * 1024 * 1024;
/** The number of lines that are kept for later followers. */
const MAX_LINES = 5_000;

/**
 * The log of a deploy, written to its file and sent to everyone who follows it. Steps show the time since the deploy began;
 * the output of a tool is indented below its step.
 */
export class DeployLog {
  /** What the deploy spends its time on. */
  readonly phases = new Phases();
  readonly #file: LogFile;
  readonly #mask: (text: string) => string;
  readonly #begun = performance.now();
  readonly #listeners = new Set<LineListener>();
  #lines: string[] = [];
  #output = 0;
  #cut = false;
  #written: Promise<void> = Promise.resolve();

  constructor(file: LogFile, mask: (text: string) => string) {
    this.#file = file;
    this.#mask = mask;
  }

  /** ms since the deploy began */
  get elapsed(): number {
    return performance.now() - this.#begun;
  }

  /** Resolves when every line is in the file, or could not be written. */
  get written(): Promise<void> {
    return this.#written;
  }

  /** Hides in a sentence of this deploy what must not be read, as it is hidden in the log. */
  hide(text: string): string {
    return this.#mask(text);
  }

  /** Logs a step, or its result. */
  step(text: string): void {
    this.#write(`${`${(this.elapsed / 1000).toFixed(1)}s`.padStart(7)}  ${text}`);
  }

  /** Logs a line that a tool or the app printed. */
  output(text: string): void {
    if (this.#cut) return;
    this.#output += text.length + 1;
    this.#cut = this.#output > MAX_OUTPUT;
    this.#write(`         ${this.#cut ? '… truncated.' : text}`);
  }

  /** Calls back with every line so far, then with every new one. @returns a function that unsubscribes */
  follow(listener: LineListener): () => void {
    for (const line of this.#lines) listener(line);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Passes on a line that another server has written to the file. */
  relay(line: string): void {
    for (const listener of this.#listeners) listener(line);
  }

  #write(raw: string): void {
    const line = this.#mask(raw);
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines = this.#lines.slice(-MAX_LINES / 2);
    // The deploy's own result is in meta.json: a log that cannot be written (a full disk) must not change it.
    this.#written = this.#file.append(line).catch(() => undefined);
    for (const listener of this.#listeners) listener(line);
  }
}
