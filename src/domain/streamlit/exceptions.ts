/** An exception that a Python app has printed. */
export interface PrintedException {
  /** Such as `ValueError` or `sqlalchemy.exc.OperationalError`. */
  type: string;
  message: string;
  /** The printed traceback, including those of the exceptions that caused it. */
  lines: string[];
}

/** Where an exception was raised, as far as the project is concerned. */
export interface RaisedAt {
  file: string;
  line: number;
  /** The function, or `<module>`. */
  function: string;
}

const HEADER = /^[\s|]*Traceback \(most recent call last\):$/;
/** The text between the tracebacks of exceptions that follow from each other. */
const CHAIN = /^(The above exception was the direct cause of|During handling of the above exception)/;
const TYPE = /^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: (.*))?$/s;
const FRAME = /^[\s|]*File "(.+)", line (\d+)(?:, in (.+))?$/;

/** The most lines of a traceback that are kept: its beginning and its end tell the most. */
const MAX_LINES = 80;

/**
 * Finds exceptions in what a Python app prints, line by line. One is complete with the first line that does not belong to it.
 * @see https://docs.python.org/3/library/traceback.html
 */
export class ExceptionReader {
  #lines: string[] = [];
  #last: { type: string; message: string } | undefined;
  /** True within a traceback, until its last line. */
  #inside = false;

  /** @returns the exceptions that these lines complete */
  push(lines: readonly string[]): PrintedException[] {
    return lines.flatMap((line) => this.#add(line));
  }

  /** @returns the exception that nothing has followed yet */
  end(): PrintedException[] {
    return this.#inside ? [] : this.#take();
  }

  #add(line: string): PrintedException[] {
    if (this.#inside) {
      this.#keep(line);
      if (/^\s/.test(line) || line === '') return [];
      const [, type = '', message = ''] = TYPE.exec(line) ?? [];
      this.#inside = false;
      // Anything else has broken off the traceback: another thread has printed.
      if (type === '') this.#forget();
      else this.#last = { type, message };
      return [];
    }
    if (HEADER.test(line)) {
      const found = this.#chained() ? [] : this.#take();
      this.#keep(line);
      this.#inside = true;
      return found;
    }
    if (this.#last === undefined) return [];
    if (line.trim() === '' || CHAIN.test(line)) {
      this.#keep(line);
      return [];
    }
    return this.#take();
  }

  #chained(): boolean {
    return this.#last !== undefined && this.#lines.slice(-3).some((line) => CHAIN.test(line));
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.splice(MAX_LINES / 2, 1, '  …');
    if (this.#lines.length > MAX_LINES) this.#lines.splice(MAX_LINES / 2 + 1, 1);
  }

  #forget(): void {
    this.#lines = [];
    this.#last = undefined;
  }

  #take(): PrintedException[] {
    const last = this.#last;
    const lines = this.#lines;
    this.#forget();
    if (last === undefined) return [];
    while (lines.at(-1)?.trim() === '') lines.pop();
    return [{ ...last, lines }];
  }
}

/** Where an exception was raised: the last frame of its last traceback, which was shortened to the project's own frames. */
export function raisedAt(lines: readonly string[]): RaisedAt | undefined {
  const frame = lines.map((line) => FRAME.exec(line)).findLast((match) => match !== null);
  const [, file = '', line = '', name = '<module>'] = frame ?? [];
  return frame == null ? undefined : { file, line: Number(line), function: name };
}

/** The line of code at which an exception was raised: it stays the same when lines above it change. */
export function codeOf(lines: readonly string[]): string {
  const frame = lines.findLastIndex((line) => FRAME.test(line));
  const code = frame === -1 ? undefined : lines[frame + 1];
  return code !== undefined && /^\s/.test(code) ? code.trim() : '';
}
