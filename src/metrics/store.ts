import { join } from 'node:path';
import { messageOf } from '../errors.js';
import { blank, BOX_ID } from './fields.js';
import { Level, type LevelOptions } from './level.js';
import { merge, rollUp, type Point } from './points.js';

/** The figures of one span, by app. */
export type Figures = ReadonlyMap<string, readonly number[]>;

/** One resolution. */
export interface Resolution {
  name: string;
  /** The length of a span, in s. */
  seconds: number;
  blockSpans: number;
  keepBlocks: number;
  maxBytes: number;
}

const MB = 1_000_000;

/** For a day, a month and two years, in at most 100 MB. */
export const RESOLUTIONS = [
  { name: '10s', seconds: 10, blockSpans: 360, keepBlocks: 24, maxBytes: 30 * MB },
  { name: '5m', seconds: 300, blockSpans: 288, keepBlocks: 31, maxBytes: 32 * MB },
  { name: '1h', seconds: 3_600, blockSpans: 720, keepBlocks: 25, maxBytes: 36 * MB },
] as const satisfies readonly Resolution[];

/** How many spans of 10 s are written together, and how many are kept for a disk that is full. */
const BATCH = 6;
const MAX_PENDING = 60;

/** How many spans before the current one are looked through for the last that was written. */
const LOOK_BACK = 1_000;

/** The seconds of the finest spans. */
export const SPAN_S = RESOLUTIONS[0].seconds;

/**
 * The store of all figures: three resolutions, each filled from the finer one. It has one owner at a time, from `open` to
 * `close`: two servers must not write to the same folder.
 */
export class MetricsStore {
  readonly #levels: { level: Level; seconds: number; blockSpans: number }[];
  readonly #warn: (text: string) => void;
  /** Spans of 10 s that are not on disk yet. */
  #pending: { tick: number; figures: Figures }[] = [];
  /** The span of each coarser resolution that is under way. */
  readonly #current: ({ tick: number; figures: Map<string, number[]> } | undefined)[] = [];
  #lost = false;

  /** @param folder its own folder @param warn told what is wrong with the store */
  constructor(folder: string, warn: (text: string) => void, resolutions: readonly Resolution[] = RESOLUTIONS) {
    this.#warn = warn;
    this.#levels = resolutions.map(({ name, seconds, ...rest }) => {
      const options: LevelOptions = { ...rest, folder: join(folder, name), warn };
      return { level: new Level(options), seconds, blockSpans: rest.blockSpans };
    });
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#levels.reduce((sum, { level }) => sum + level.bytes, 0);
  }

  /** Opens the store, and sums up what an earlier server did not come to. @param now in ms since 1970 */
  async open(now: number): Promise<void> {
    for (const { level } of this.#levels) await level.open();
    for (let place = 1; place < this.#levels.length; place += 1) await this.#catchUp(place, now);
  }

  /** Sums up the spans of the finer resolution that are not in this one yet. */
  async #catchUp(place: number, now: number): Promise<void> {
    const [fine, coarse] = [this.#levels[place - 1], this.#levels[place]];
    if (fine === undefined || coarse === undefined) return;
    const size = coarse.seconds / fine.seconds;
    const current = Math.floor(now / 1_000 / coarse.seconds);
    const next = (await lastBefore(coarse.level, current)) + 1;
    if (next > current) return;
    const open = new Map<string, number[]>();
    const over = new Map<number, Map<string, number[]>>();
    const found = await fine.level.readAll(next * size, (current + 1) * size - 1);
    for (const [id, points] of found) {
      for (const { tick, values } of rollUp(id, points, size)) {
        if (tick >= current) open.set(id, values);
        else over.set(tick, (over.get(tick) ?? new Map<string, number[]>()).set(id, values));
      }
    }
    for (const [tick, figures] of [...over].sort(([a], [b]) => a - b)) await coarse.level.append(tick, rowsOf(figures));
    if (open.size > 0) this.#current[place] = { tick: current, figures: open };
  }

  /**
   * Adds what was measured in a span of 10 s. It is written with the next batch.
   * @param end the end of the span, in ms since 1970; a timer may be late by a second
   */
  async add(end: number, figures: Figures): Promise<void> {
    const tick = Math.floor((end / 1_000 - 1) / SPAN_S);
    this.#pending.push({ tick, figures });
    const over = this.#sumUp(1, tick, figures);
    if (this.#pending.length >= BATCH || over.length > 0) await this.flush();
    for (const { place, tick: at, figures: sums } of over) await this.#write(place, at, rowsOf(sums));
  }

  /** Adds figures to the spans under way. @returns those that are over now */
  #sumUp(place: number, tick: number, figures: Figures): { place: number; tick: number; figures: Figures }[] {
    const [fine, coarse] = [this.#levels[place - 1], this.#levels[place]];
    if (fine === undefined || coarse === undefined) return [];
    const wide = Math.floor((tick * fine.seconds) / coarse.seconds);
    const over: { place: number; tick: number; figures: Figures }[] = [];
    let current = this.#current[place];
    if (current !== undefined && current.tick !== wide) {
      over.push({ place, ...current }, ...this.#sumUp(place + 1, current.tick, current.figures));
      current = undefined;
    }
    current ??= { tick: wide, figures: new Map() };
    this.#current[place] = current;
    for (const [id, values] of figures) {
      const sums = current.figures.get(id) ?? blank(id);
      merge(id, sums, values);
      current.figures.set(id, sums);
    }
    return over;
  }

  /** Writes what is not on disk yet. On a full disk, it is kept for a while and tried again. */
  async flush(): Promise<void> {
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    for (const { first, rows, before } of runsOf(batch, this.#levels[0]?.blockSpans ?? 1)) {
      if (await this.#write(0, first, rows)) continue;
      this.#pending = [...batch.slice(before), ...this.#pending].slice(-MAX_PENDING);
      return;
    }
  }

  /** @returns false where it could not be written */
  async #write(place: number, first: number, rows: Map<string, (readonly number[] | undefined)[]>): Promise<boolean> {
    try {
      await this.#levels[place]?.level.append(first, rows);
      this.#lost = false;
      return true;
    } catch (error) {
      if (!this.#lost) this.#warn(`Metrics cannot be written: ${messageOf(error)}`);
      this.#lost = true;
      return false;
    }
  }

  /**
   * The points of an app in the given span length, both times included (ms since 1970).
   * @param seconds a multiple of one of the resolutions; the coarsest that fits is read
   */
  async series(id: string, from: number, to: number, seconds: number): Promise<Point[]> {
    const { place, size, first, last } = this.#range(from, to, seconds);
    const level = this.#levels[place]?.level;
    const points = (await level?.read(id, first, last)) ?? [];
    return rollUp(id, [...points, ...this.#unwritten(place, id, first, last)], size);
  }

  /** The points of all apps, as `series` has them. @param only of which ids; of all unless given */
  async all(
    from: number,
    to: number,
    seconds: number,
    only: (id: string) => boolean = () => true,
  ): Promise<Map<string, Point[]>> {
    const { place, size, first, last } = this.#range(from, to, seconds);
    const found = (await this.#levels[place]?.level.readAll(first, last, only)) ?? new Map<string, Point[]>();
    const ids = new Set([...found.keys(), ...this.#unwrittenIds().filter(only)]);
    return new Map(
      [...ids].map((id) => [
        id,
        rollUp(id, [...(found.get(id) ?? []), ...this.#unwritten(place, id, first, last)], size),
      ]),
    );
  }

  #range(from: number, to: number, seconds: number): { place: number; size: number; first: number; last: number } {
    const place = this.#levels.findLastIndex((one) => seconds % one.seconds === 0);
    const step = this.#levels[place]?.seconds ?? SPAN_S;
    const [first, last] = [from, to].map((time) => Math.floor(time / 1_000 / step));
    return { place, size: seconds / step, first: first ?? 0, last: last ?? 0 };
  }

  #unwrittenIds(): string[] {
    return [
      ...this.#pending.flatMap(({ figures }) => [...figures.keys()]),
      ...this.#current.flatMap((one) => [...(one?.figures.keys() ?? [])]),
    ];
  }

  /** What of a resolution is not on disk: of a coarser one, the spans under way of all that are finer. */
  #unwritten(place: number, id: string, first: number, last: number): Point[] {
    const points: Point[] = [];
    const take = (tick: number, values: readonly number[] | undefined): void => {
      if (values !== undefined && tick >= first && tick <= last) points.push({ tick, values: [...values] });
    };
    if (place === 0) for (const { tick, figures } of this.#pending) take(tick, figures.get(id));
    for (let at = place; at >= 1; at -= 1) {
      const current = this.#current[at];
      if (current === undefined) continue;
      const ratio = (this.#levels[place]?.seconds ?? 1) / (this.#levels[at]?.seconds ?? 1);
      take(Math.floor(current.tick / ratio), current.figures.get(id));
    }
    return points;
  }

  /** Writes what is left. The spans under way are summed up again by the next server. */
  async close(): Promise<void> {
    await this.flush();
    for (const { level } of this.#levels) await level.close();
  }
}

/** The last span up to now that a level has. After it may be what was written while the clock was wrong. */
async function lastBefore(level: Level, current: number): Promise<number> {
  const last = level.lastTick ?? -1;
  if (last <= current) return last;
  // The machine is measured in every span.
  const found = await level.read(BOX_ID, current - LOOK_BACK, current);
  return found.at(-1)?.tick ?? current - 1;
}

function rowsOf(figures: Figures): Map<string, (readonly number[])[]> {
  return new Map([...figures].map(([id, values]) => [id, [values]]));
}

/**
 * Spans in the order in which they were measured, in runs of consecutive ones of one block: a gap, or a clock that was put back,
 * begins another. `before` is how many spans come before a run.
 */
function* runsOf(
  batch: readonly { tick: number; figures: Figures }[],
  blockSpans: number,
): Generator<{ first: number; rows: Map<string, (readonly number[] | undefined)[]>; before: number }> {
  for (let at = 0; at < batch.length;) {
    const first = batch[at]?.tick ?? 0;
    let end = at + 1;
    while (batch[end]?.tick === first + end - at && (first + end - at) % blockSpans !== 0) end += 1;
    const rows = new Map<string, (readonly number[] | undefined)[]>();
    for (let place = at; place < end; place += 1) {
      for (const [id, values] of batch[place]?.figures ?? []) {
        const row = rows.get(id) ?? new Array<readonly number[] | undefined>(end - at).fill(undefined);
        row[place - at] = values;
        rows.set(id, row);
      }
    }
    yield { first, rows, before: at };
    at = end;
  }
}
