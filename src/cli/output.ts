import { harmless, cut, pad, widthOf } from './text.js';

/** Where the command writes: results to stdout, messages to stderr. */
export interface Output {
  /** True if results are JSON. */
  readonly json: boolean;
  /** True if stdout is a terminal. */
  readonly terminal: boolean;
  /** The terminal's columns; undefined in a pipe. */
  readonly columns: number | undefined;
  /** The terminal's rows. */
  readonly rows: number;
  /** Prints a line of the result. */
  print(line: string): void;
  /** Prints the result as one line of JSON. */
  data(value: unknown): void;
  /** Prints a text unchanged, without a newline. */
  write(text: string): void;
  /** Prints a line that is not part of the result. */
  note(line: string): void;
  paint(colour: Colour, text: string): string;
}

export type Colour = 'green' | 'yellow' | 'red' | 'grey' | 'bold';

const CODES: Record<Colour, [begin: number, end: number]> = {
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  grey: [90, 39],
  bold: [1, 22],
};

/** @see https://no-color.org for NO_COLOR */
export function createOutput(options: { json: boolean; env: NodeJS.ProcessEnv }): Output {
  const { stdout, stderr } = process;
  const { env, json } = options;
  const terminal = stdout.isTTY === true;
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '' && env.FORCE_COLOR !== '0';
  const colours = !json && (forced || (terminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'));
  return {
    json,
    terminal,
    get columns() {
      return terminal ? stdout.columns : undefined;
    },
    get rows() {
      return stdout.rows ?? 24;
    },
    print: (line) => void stdout.write(`${line}\n`),
    data: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    write: (text) => void stdout.write(text),
    note: (line) => void stderr.write(`${line}\n`),
    paint(colour, text) {
      const [begin, end] = CODES[colour];
      return colours ? `\x1b[${begin}m${text}\x1b[${end}m` : text;
    },
  };
}

/** A column of a table. The last one is not padded, and is cut at the edge of the terminal. */
export interface Column<T> {
  title: string;
  /** null = no value; shown as "-", so that columns can be counted. */
  value(row: T): string | number | null;
  colour?(row: T): Colour | undefined;
}

/** Returns the aligned lines of a table; without colours in a pipe. */
export function tableLines<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  out: Pick<Output, 'columns' | 'paint'>,
): string[] {
  const right = columns.map(
    (column) => rows.length > 0 && rows.every((row) => typeof (column.value(row) ?? 0) === 'number'),
  );
  const cells = rows.map((row) => columns.map((column) => textOf(column.value(row))));
  const widths = columns.map((column, place) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[place] ?? ''))),
  );
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const room = out.columns === undefined ? Infinity : Math.max(10, out.columns - before);
  const lay = (text: string, place: number): string => {
    const side = right[place] === true ? 'right' : 'left';
    if (place < columns.length - 1) return pad(text, widths[place] ?? 0, side);
    return cut(side === 'right' ? pad(text, widths[place] ?? 0, side) : text, room);
  };
  const lines = [
    out.paint(
      'grey',
      columns
        .map((column, place) => lay(column.title.toUpperCase(), place))
        .join('  ')
        .trimEnd(),
    ),
  ];
  for (const [number, row] of rows.entries()) {
    const texts = columns.map((column, place) => {
      const text = lay(cells[number]?.[place] ?? '', place);
      const colour = column.colour?.(row);
      return colour === undefined ? text : out.paint(colour, text);
    });
    lines.push(texts.join('  ').trimEnd());
  }
  return lines;
}

function textOf(value: string | number | null): string {
  const text = harmless(String(value ?? '-'));
  return text === '' ? '-' : text;
}
