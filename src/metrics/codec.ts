import { deflateSync, inflateSync } from 'node:zlib';
import type { Point } from './points.js';

/** The largest figure that is kept, so that twice of it is a whole number too. */
const MAX_FIGURE = 2 ** 50;

/** The most bytes that one app's part of a block may become; more is damage. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Writes whole numbers, small ones in one byte. */
export class Writer {
  #bytes: Buffer;
  #length = 0;

  constructor(size = 1_024) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  get length(): number {
    return this.#length;
  }

  /** @param value not negative; fractions are rounded */
  number(value: number): void {
    this.#reserve(8);
    let rest = value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A number that may be negative. */
  signed(value: number): void {
    this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  text(value: string): void {
    const bytes = Buffer.from(value);
    this.number(bytes.length);
    this.bytes(bytes);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Begins again. */
  clear(): void {
    this.#length = 0;
  }

  /** What was written so far; valid until more is written. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads what `Writer` has written. @throws Error where there is less than is asked for */
export class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) throw new Error('the data ends early');
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  text(): string {
    return this.bytes().toString();
  }

  /** Bytes after their number. */
  bytes(): Buffer {
    const length = this.number();
    if (this.#at + length > this.#bytes.length) throw new Error('the data ends early');
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }
}

/** Encodes the figures of spans that follow each other, for the journal; undefined = nothing was measured. */
export function encodeRow(row: readonly (readonly number[] | undefined)[], writer: Writer): void {
  writer.number(row.length);
  for (const values of row) {
    let count = 0;
    for (const value of values ?? []) if (value >= 0.5) count += 1;
    writer.number(count);
    if (values === undefined) continue;
    for (let place = 0; place < values.length; place += 1) {
      const value = values[place] ?? 0;
      if (value < 0.5) continue;
      writer.number(place);
      writer.number(value);
    }
  }
}

/** @param first the tick of the first span @param width how many fields there are */
export function decodeRow(bytes: Buffer, first: number, width: number): Point[] {
  const reader = new Reader(bytes);
  const points: Point[] = [];
  const rows = reader.number();
  for (let row = 0; row < rows; row += 1) {
    const count = reader.number();
    if (count === 0) continue;
    const values = new Array<number>(width).fill(0);
    for (let field = 0; field < count; field += 1) {
      const [place, value] = [reader.number(), reader.number()];
      // A newer version knows more fields.
      if (place < width) values[place] = value;
    }
    points.push({ tick: first + row, values });
  }
  return points;
}

/**
 * Encodes all points of an app in a block, field by field, each as the difference to the one before: what hardly changes
 * takes hardly any room.
 */
export function encodeColumns(points: readonly Point[]): Buffer {
  const writer = new Writer();
  writer.number(points.length);
  let before = 0;
  for (const { tick } of points) {
    writer.signed(tick - before);
    before = tick;
  }
  const width = Math.max(0, ...points.map(({ values }) => values.length));
  for (let place = 0; place < width; place += 1) {
    if (!points.some(({ values }) => (values[place] ?? 0) >= 0.5)) continue;
    writer.number(place);
    let last = 0;
    for (const { values } of points) {
      const value = Math.min(Math.round(values[place] ?? 0), MAX_FIGURE);
      writer.signed(value - last);
      last = value;
    }
  }
  return deflateSync(writer.done());
}

/** @throws Error where it is damaged */
export function decodeColumns(bytes: Buffer, width: number): Point[] {
  const reader = new Reader(inflateSync(bytes, { maxOutputLength: MAX_BYTES }));
  const count = reader.number();
  const points: Point[] = [];
  let tick = 0;
  for (let at = 0; at < count; at += 1) {
    tick += reader.signed();
    points.push({ tick, values: new Array<number>(width).fill(0) });
  }
  while (!reader.done) {
    const place = reader.number();
    let value = 0;
    for (const point of points) {
      value += reader.signed();
      if (place < width) point.values[place] = value;
    }
  }
  return points;
}
