import { appendFile, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasCode, messageOf } from '../errors.js';
import { replaceFile, sweepDrafts } from '../lib/replace-file.js';
import { Turns } from '../lib/turns.js';
import { readBlock, Unreadable, writeBlock } from './block.js';
import { decodeColumns, decodeRow, encodeColumns, encodeRow, Reader, Writer } from './codec.js';
import { rulesOf } from './fields.js';
import { beginJournal, frame, readJournal } from './frames.js';
import { merge, type Point } from './points.js';

/** Only the server reads what visitors do. */
const MODE = 0o600;

/** How many apps are packed before others get their turn. */
const AT_ONCE = 20;

export interface LevelOptions {
  /** Its own folder. */
  folder: string;
  /** How many spans make a block. */
  blockSpans: number;
  /** How many blocks are kept. The newest ones, whatever the clock says: a clock that is wrong for a while deletes nothing. */
  keepBlocks: number;
  /** The most bytes on disk; the oldest blocks go first. */
  maxBytes: number;
  /** Told what could not be read and was moved aside. */
  warn: (text: string) => void;
}

/** Returns whether the figures of an id are read. */
type Only = (id: string) => boolean;

/** The figures of consecutive spans, by app; undefined = nothing was measured. */
export type Rows = ReadonlyMap<string, readonly (readonly number[] | undefined)[]>;

/**
 * One resolution of the figures on disk. New spans are appended to the journal of their block, in frames with checksums, so that a
 * crash costs no more than the frame that was being written. Once a block is over, its journal is packed app by app.
 */
export class Level {
  readonly #options: LevelOptions;
  readonly #turns = new Turns();
  /** The journals that exist, with their lengths in bytes. */
  readonly #journals = new Map<number, number>();
  readonly #blocks = new Map<number, number>();
  #lastTick: number | undefined;
  /** True once somebody was told that blocks cannot be packed. */
  #unpacked = false;

  constructor(options: LevelOptions) {
    this.#options = options;
  }

  /** The last span that has figures; undefined where nothing was recorded yet. */
  get lastTick(): number | undefined {
    return this.#lastTick;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return [...this.#journals.values(), ...this.#blocks.values()].reduce((sum, size) => sum + size, 0);
  }

  /** Finds what is there, and repairs what a crash has left. What cannot be read is moved aside. */
  async open(): Promise<void> {
    await this.#inTurn(async () => {
      const { folder, blockSpans } = this.#options;
      await ensureFolder(folder, 0o700);
      await sweepDrafts(folder);
      for (const name of await readdir(folder)) {
        const [, number = '', kind] = /^(\d+)\.(journal|block)$/.exec(name) ?? [];
        if (kind === undefined) continue;
        if (kind === 'block') this.#blocks.set(Number(number), (await stat(join(folder, name))).size);
        else await this.#openJournal(Number(number));
      }
      for (const number of this.#blocks.keys()) this.#seen((number + 1) * blockSpans - 1);
      await this.#sealAllBut(Math.max(...this.#journals.keys()));
    });
  }

  /**
   * Appends the figures of consecutive spans, which are of one block, and packs the blocks that are over.
   * @param first the tick of the first span
   * @throws Error where nothing of them could be appended
   */
  async append(first: number, rows: Rows): Promise<void> {
    const spans = Math.max(0, ...[...rows.values()].map((row) => row.length));
    await this.#inTurn(async () => {
      const block = Math.floor(first / this.#options.blockSpans);
      await this.#appendTo(block, first, rows, spans);
      this.#seen(first + spans - 1);
      // What was appended stays, packed or not: appended again, it would count twice.
      await this.#sealAllBut(block).then(
        () => (this.#unpacked = false),
        (error: unknown) => {
          if (!this.#unpacked) this.#options.warn(`Metrics cannot be packed: ${messageOf(error)}`);
          this.#unpacked = true;
        },
      );
    });
  }

  /** The points of an app, both ticks included; in the order of time, one for each tick. */
  async read(id: string, from: number, to: number): Promise<Point[]> {
    const all = await this.readAll(from, to, (one) => one === id);
    return all.get(id) ?? [];
  }

  /** The points of all apps, both ticks included. @param only of which; of all unless given */
  async readAll(from: number, to: number, only?: Only): Promise<Map<string, Point[]>> {
    return this.#inTurn(() => this.#read(from, to, only));
  }

  /** Resolves once nothing is being written. */
  async close(): Promise<void> {
    await this.#inTurn(() => Promise.resolve());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take('', work);
  }

  #seen(tick: number): void {
    this.#lastTick = Math.max(this.#lastTick ?? tick, tick);
  }

  #path(number: number, kind: 'journal' | 'block'): string {
    return join(this.#options.folder, `${String(number)}.${kind}`);
  }

  async #openJournal(number: number): Promise<void> {
    const path = this.#path(number, 'journal');
    const bytes = await readFile(path);
    const { frames, good, state } = readJournal(bytes);
    if (state === 'newer' || state === 'damaged') await this.#moveAside(path, new Unreadable(state), good > 0);
    if (good === 0) {
      if (state === 'torn') await rm(path, { force: true });
      return;
    }
    if (good < bytes.length) await truncate(path, good);
    this.#journals.set(number, good);
    for (const content of frames) {
      const reader = new Reader(content);
      const first = reader.number();
      this.#seen(first + reader.number() - 1);
    }
  }

  /** @param copy true where a part of the file can be read and stays */
  async #moveAside(path: string, why: Error, copy = false): Promise<void> {
    const aside = `${path}.unreadable`;
    if (copy) await replaceFile(aside, await readFile(path), { mode: MODE, sync: false });
    else await rename(path, aside);
    this.#options.warn(`Cannot read ${path}, a part of the metrics: ${messageOf(why)}. It was moved to ${aside}.`);
  }

  async #appendTo(block: number, first: number, rows: Rows, spans: number): Promise<void> {
    const writer = new Writer(64 * 1024);
    writer.number(first);
    writer.number(spans);
    const row = new Writer();
    for (const [id, part] of rows) {
      if (part.every((values) => values === undefined)) continue;
      row.clear();
      encodeRow(part, row);
      writer.text(id);
      writer.number(row.length);
      writer.bytes(row.done());
    }
    const known = this.#journals.get(block);
    const bytes = Buffer.concat([known === undefined ? beginJournal() : Buffer.alloc(0), frame(writer.done())]);
    try {
      await appendFile(this.#path(block, 'journal'), bytes, { mode: MODE });
    } catch (error) {
      // What a full disk has taken of it would hide all that comes later. If that fails too, the first error says why.
      const path = this.#path(block, 'journal');
      await (known === undefined ? rm(path, { force: true }) : truncate(path, known)).catch(() => undefined);
      throw error;
    }
    this.#journals.set(block, (known ?? 0) + bytes.length);
  }

  async #read(from: number, to: number, only?: Only): Promise<Map<string, Point[]>> {
    const { blockSpans } = this.#options;
    const [first, last] = [Math.floor(from / blockSpans), Math.floor(to / blockSpans)];
    const numbers = [...new Set([...this.#blocks.keys(), ...this.#journals.keys()])]
      .filter((number) => number >= first && number <= last)
      .sort((a, b) => a - b);
    const found = new Map<string, Point[]>();
    for (const number of numbers) {
      for (const [id, points] of await this.#readOne(number, from, to, only)) {
        const within = points.filter(({ tick }) => tick >= from && tick <= to);
        if (within.length > 0) found.set(id, [...(found.get(id) ?? []), ...within]);
      }
    }
    return new Map([...found].map(([id, points]) => [id, inOrder(id, points)]));
  }

  /** What is known of one part of time: all of the ticks that are asked for, and maybe others. */
  async #readOne(number: number, from: number, to: number, only?: Only): Promise<Map<string, Point[]>> {
    const found = new Map<string, Point[]>();
    const take = (id: string, points: Point[]): void => {
      const before = found.get(id);
      if (before === undefined) found.set(id, points);
      else before.push(...points);
    };
    if (this.#blocks.has(number)) {
      try {
        const { pieces } = await readBlock(this.#path(number, 'block'), only);
        for (const [id, piece] of pieces) take(id, decodeColumns(piece, rulesOf(id).length));
      } catch (error) {
        await this.#lose(number, error);
      }
    }
    if (this.#journals.has(number)) {
      const { frames } = readJournal(await readFile(this.#path(number, 'journal')));
      let read = 0;
      for (const content of frames) {
        const reader = new Reader(content);
        const first = reader.number();
        if (first > to || first + reader.number() <= from) continue;
        for (const [id, points] of pointsOf(content, only)) take(id, points);
        if (++read % AT_ONCE === 0) await setImmediate();
      }
    }
    return found;
  }

  /** A block that cannot be read is one no more. */
  async #lose(number: number, error: unknown): Promise<void> {
    this.#blocks.delete(number);
    if (hasCode(error, 'ENOENT')) return;
    await this.#moveAside(this.#path(number, 'block'), error instanceof Unreadable ? error : new Unreadable('damaged'));
  }

  async #sealAllBut(current: number): Promise<void> {
    const { maxBytes } = this.#options;
    try {
      for (const [number, size] of [...this.#journals].sort(([a], [b]) => a - b))
        if (number !== current || size > maxBytes / 4) await this.#seal(number);
    } finally {
      await this.#prune(current);
    }
  }

  /** Packs a journal into the block of its part of time, which may be there already where the clock was put back. */
  async #seal(number: number): Promise<void> {
    const [journal, path] = [this.#path(number, 'journal'), this.#path(number, 'block')];
    const { name, frames } = readJournal(await readFile(journal));
    const before = await this.#pieces(number);
    // Unless a crash came between the block and the end of its journal.
    if (before?.journal !== name) {
      const rows = new Map<string, [content: Buffer, first: number][]>();
      for (const content of frames)
        for (const [id, row, first] of rowsOf(content)) rows.set(id, [...(rows.get(id) ?? []), [row, first]]);
      const pieces = new Map(before?.pieces);
      let packed = 0;
      for (const [id, all] of rows) {
        const width = rulesOf(id).length;
        const old = pieces.get(id);
        const points = [
          ...(old === undefined ? [] : this.#decoded(id, old)),
          ...all.flatMap(([row, first]) => decodeRow(row, first, width)),
        ];
        pieces.set(id, encodeColumns(inOrder(id, points)));
        if (++packed % AT_ONCE === 0) await setImmediate();
      }
      const block = writeBlock(pieces, name);
      await replaceFile(path, block, { mode: MODE });
      this.#blocks.set(number, block.length);
    }
    await rm(journal, { force: true });
    this.#journals.delete(number);
  }

  /** What a block has of an app; nothing where that is damaged, since the rest must be packed nonetheless. */
  #decoded(id: string, piece: Buffer): Point[] {
    try {
      return decodeColumns(piece, rulesOf(id).length);
    } catch (error) {
      this.#options.warn(`Cannot read a part of the metrics of ${id}: ${messageOf(error)}. It was removed.`);
      return [];
    }
  }

  async #pieces(number: number): Promise<Awaited<ReturnType<typeof readBlock>> | undefined> {
    if (!this.#blocks.has(number)) return undefined;
    try {
      return await readBlock(this.#path(number, 'block'));
    } catch (error) {
      await this.#lose(number, error);
      return undefined;
    }
  }

  /** Removes what is too old or too much: the oldest blocks, then journals that could not be packed. */
  async #prune(current: number): Promise<void> {
    const { keepBlocks, maxBytes } = this.#options;
    for (const [kind, files] of [
      ['block', this.#blocks],
      ['journal', this.#journals],
    ] as const) {
      const old = [...files.keys()].sort((a, b) => a - b);
      while (old.length > 0 && (old.length > keepBlocks || this.bytes > maxBytes)) {
        const number = old.shift() ?? 0;
        if (kind === 'journal' && number === current) continue;
        await rm(this.#path(number, kind), { force: true });
        files.delete(number);
      }
    }
  }
}

/** Points in the order of time, one for each tick: where the clock was put back, two were measured in one. */
function inOrder(id: string, points: Point[]): Point[] {
  const sorted = points.every(({ tick }, place) => place === 0 || tick > (points[place - 1]?.tick ?? 0))
    ? points
    : [...points].sort((a, b) => a.tick - b.tick);
  const kept: Point[] = [];
  for (const point of sorted) {
    const last = kept.at(-1);
    if (last?.tick === point.tick) merge(id, last.values, point.values);
    else kept.push(point);
  }
  return kept;
}

/** The rows of a frame: the app, its encoded figures, and the tick of the first. */
function* rowsOf(content: Buffer, only?: Only): Generator<[id: string, row: Buffer, first: number]> {
  const reader = new Reader(content);
  const first = reader.number();
  reader.number();
  while (!reader.done) {
    const id = reader.text();
    const row = reader.bytes();
    if (only === undefined || only(id)) yield [id, row, first];
  }
}

function* pointsOf(content: Buffer, only?: Only): Generator<[id: string, points: Point[]]> {
  for (const [id, row, first] of rowsOf(content, only)) yield [id, decodeRow(row, first, rulesOf(id).length)];
}
