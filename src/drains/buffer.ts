/** A line that an app has printed. */
export interface LogLine {
  app: string;
  release: number;
  /** When it was read, in ms since 1970. */
  at: number;
  text: string;
}

/** Lines that are sent at once, and how many were dropped before them. */
export interface Batch {
  lines: LogLine[];
  dropped: number;
}

/** The most lines and characters that wait for a drain. */
export const MAX_LINES = 10_000;
export const MAX_CHARACTERS = 4_000_000;

/** The most lines and characters that are sent at once. */
export const BATCH_LINES = 500;
export const BATCH_CHARACTERS = 200_000;

/** Lines that wait for a drain, in bounded memory: the oldest are dropped where it is too slow, and counted. */
export class LineBuffer {
  #lines: LogLine[] = [];
  #characters = 0;
  #dropped = 0;

  get isEmpty(): boolean {
    return this.#lines.length === 0 && this.#dropped === 0;
  }

  /** How many lines were dropped that the next batch says. */
  get dropped(): number {
    return this.#dropped;
  }

  push(lines: readonly LogLine[]): void {
    for (const line of lines) this.#characters += line.text.length;
    this.#lines = this.#lines.concat(lines);
    this.#trim();
  }

  /** Takes what is to be sent next. */
  take(): Batch {
    let count = 0;
    let size = 0;
    for (const { text } of this.#lines) {
      if (count === BATCH_LINES || (count > 0 && size + text.length > BATCH_CHARACTERS)) break;
      size += text.length;
      count += 1;
    }
    const batch = { lines: this.#lines.slice(0, count), dropped: this.#dropped };
    this.#lines = this.#lines.slice(count);
    this.#characters -= size;
    this.#dropped = 0;
    return batch;
  }

  /** Puts back what could not be sent. */
  putBack({ lines, dropped }: Batch): void {
    for (const line of lines) this.#characters += line.text.length;
    this.#lines = lines.concat(this.#lines);
    this.#dropped += dropped;
    this.#trim();
  }

  #trim(): void {
    let over = 0;
    while (this.#lines.length - over > MAX_LINES || this.#characters > MAX_CHARACTERS) {
      this.#characters -= this.#lines[over]?.text.length ?? 0;
      over += 1;
    }
    this.#dropped += over;
    if (over > 0) this.#lines = this.#lines.slice(over);
  }
}
