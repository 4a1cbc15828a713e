import type { App } from '../domain/app/app.js';
import type { Tally, Traffic } from '../gateway/traffic.js';
import type { Runtime, Usage } from '../runtime/runtime.js';
import type { AppStore } from '../store/apps.js';
import type { BoxReader } from './box.js';
import {
  app as fields,
  blank,
  box,
  BOX_ID,
  latencyPlace,
  page as pageFields,
  pageId,
  pageOf,
  rulesOf,
  type AppField,
} from './fields.js';
import { PageNames } from './page-names.js';
import type { Happening, Happenings } from './happenings.js';
import { requestsOf } from './points.js';
import { SPAN_S, type MetricsStore } from './store.js';
import type { Sizes } from './sizes.js';
import type { Visitors } from './visitors.js';

const SPAN_MS = SPAN_S * 1_000;

/** By how much (ms) a timer may be early. */
const EARLY_MS = 200;

/** How many spans are written together with the visitors of the day. */
const FLUSH_SPANS = 6;

/** How many spans lie between two counts of open files. */
const FILES_SPANS = 6;

export interface RecorderOptions {
  store: Pick<MetricsStore, 'add'>;
  apps: Pick<AppStore, 'list'>;
  runtime: Pick<Runtime, 'usage'>;
  traffic: Pick<Traffic, 'take' | 'subscribe'>;
  happenings: Pick<Happenings, 'subscribe'>;
  visitors: Pick<Visitors, 'isNew' | 'flush'>;
  box: Pick<BoxReader, 'read'>;
  sizes: Pick<Sizes, 'of'>;
  warn: (text: string) => void;
  /** ms since 1970 */
  now?: () => number;
}

/** Called with the figures of each span of 10 s. */
export type SpanListener = (figures: ReadonlyMap<string, readonly number[]>) => void;

/**
 * Measures all apps and the machine every 10 s. Between two looks it only counts what it is told; the apps are not asked for
 * anything.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<SpanListener>();
  /** What was counted since the last look. */
  #counts = new Map<string, number[]>();
  /** What was counted since the start of the server. */
  readonly #totals = new Map<string, number[]>();
  #latest: ReadonlyMap<string, readonly number[]> = new Map();
  /** The processor time of each process at the last look, in s; undefined before the first one. */
  #cpuSeconds: Map<string, number> | undefined;
  readonly #pageNames = new PageNames((app, path) => void this.#totals.delete(pageId(app, path)));
  /** The open files of each process when they were counted last. */
  #openFiles = new Map<string, number>();
  #looks = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #ends: (() => void)[] = [];

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** The figures of the last span. */
  get latest(): ReadonlyMap<string, readonly number[]> {
    return this.#latest;
  }

  /** The counters since the start of the server; of gauges there is nothing. */
  get totals(): ReadonlyMap<string, readonly number[]> {
    return this.#totals;
  }

  /** @returns a function that unsubscribes */
  subscribe(listener: SpanListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  begin(): void {
    const { traffic, happenings, visitors } = this.#options;
    this.#ends = [
      traffic.subscribe((app, who) => {
        if (visitors.isNew(app, who, this.#now())) this.count(app, 'visitors');
      }),
      happenings.subscribe((happening) => this.#happened(happening)),
    ];
    this.#schedule();
  }

  /** Counts something that happened to an app. */
  count(app: string, field: AppField, amount = 1): void {
    const counts = this.#counts.get(app) ?? blank(app);
    counts[fields[field]] = (counts[fields[field]] ?? 0) + amount;
    this.#counts.set(app, counts);
  }

  /** Looks at all that is measured, which ends a span. */
  async look(): Promise<void> {
    const { store, visitors, warn } = this.#options;
    const { figures, pages } = this.#figures();
    figures.set(BOX_ID, await this.#boxFigures(figures));
    this.#latest = figures;
    const all = pages.size === 0 ? figures : new Map([...figures, ...pages]);
    for (const [id, values] of all) this.#addUp(id, values);
    for (const listener of this.#listeners) listener(figures);
    await store.add(this.#now(), all);
    if (++this.#looks % FLUSH_SPANS === 0)
      await visitors.flush().catch((error: unknown) => warn(`Today's visitors cannot be written: ${String(error)}`));
  }

  /** Ends with what was counted so far. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const ends = this.#ends;
    // A look that goes on schedules no other one.
    this.#ends = [];
    for (const end of ends) end();
    await this.#looking;
    await this.look().catch((error: unknown) => this.#failed(error));
    // A full disk must not keep the server from stopping; it was said before.
    await this.#options.visitors.flush().catch(() => undefined);
  }

  /** Spans end at whole multiples of 10 s, so that those of a restart are those of before. */
  #schedule(): void {
    const left = SPAN_MS - (this.#now() % SPAN_MS);
    // Timers can be early by what ran before them: the span that is as good as over has ended already.
    const wait = left < EARLY_MS ? left + SPAN_MS : left;
    this.#timer = setTimeout(() => {
      this.#looking = this.look()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => {
          if (this.#ends.length > 0) this.#schedule();
        });
    }, wait).unref();
  }

  #failed(error: unknown): void {
    this.#options.warn(`Metrics cannot be recorded: ${String(error)}`);
  }

  /** What was measured of apps, and of their pages. */
  #figures(): { figures: Map<string, number[]>; pages: Map<string, number[]> } {
    const { apps, runtime, traffic } = this.#options;
    const usage = runtime.usage((mark) => this.#looks % FILES_SPANS === 0 || !this.#openFiles.has(mark));
    const figures = this.#counts;
    this.#counts = new Map();
    const before = this.#cpuSeconds;
    this.#cpuSeconds = new Map();
    this.#openFiles = new Map(
      [...usage].map(([mark, used]) => [mark, used.openFiles ?? this.#openFiles.get(mark) ?? 0]),
    );
    const known = new Set<string>();
    for (const app of apps.list()) {
      known.add(app.id);
      this.#addProcesses(figures, app, usage, before);
      this.#addSizes(figures.get(app.id), app.id);
    }
    const pages = new Map<string, number[]>();
    for (const [id, tally] of traffic.take()) {
      // An app that was removed meanwhile.
      if (!known.has(id)) continue;
      addTally(valuesOf(figures, id), tally);
      this.#addPages(pages, id, tally);
    }
    for (const id of figures.keys()) if (!known.has(id)) figures.delete(id);
    for (const id of this.#totals.keys())
      if (id !== BOX_ID && !known.has(pageOf(id)?.app ?? id)) this.#totals.delete(id);
    this.#pageNames.keep(known);
    return { figures, pages };
  }

  #addPages(figures: Map<string, number[]>, app: string, { byPage }: Tally): void {
    for (const [path, { views, runs, runMs }] of byPage) {
      const values = valuesOf(figures, pageId(app, this.#pageNames.nameOf(app, path, this.#now())));
      add(values, pageFields.views, views);
      add(values, pageFields.runs, runs);
      add(values, pageFields.runMs, runMs);
    }
  }

  #addProcesses(
    figures: Map<string, number[]>,
    app: App,
    usage: ReadonlyMap<string, Usage>,
    before: ReadonlyMap<string, number> | undefined,
  ): void {
    for (const { mark } of app.processes) {
      const used = usage.get(mark);
      if (used === undefined) continue;
      const values = valuesOf(figures, app.id);
      values[fields.samples] = 1;
      values[fields.release] = app.live ?? 0;
      add(values, fields.memoryKb, used.memory / 1_024);
      add(values, fields.memoryMaxKb, used.memory / 1_024);
      add(values, fields.processes, used.processes);
      add(values, fields.openFiles, this.#openFiles.get(mark) ?? 0);
      // What a new process has used was used in this span; of one that an earlier server began, only what it uses from now on counts.
      const had = before === undefined ? used.cpuSeconds : (before.get(mark) ?? 0);
      add(values, fields.cpuMs, Math.max(0, used.cpuSeconds - had) * 1_000);
      this.#cpuSeconds?.set(mark, used.cpuSeconds);
    }
  }

  /** Of an app that does not run, nothing changes. */
  #addSizes(values: number[] | undefined, app: string): void {
    const size = this.#options.sizes.of(app);
    if (size === undefined || values === undefined || values[fields.samples] === 0) return;
    values[fields.storageKb] = size.storage / 1_024;
    values[fields.logsKb] = size.logs / 1_024;
  }

  async #boxFigures(figures: ReadonlyMap<string, readonly number[]>): Promise<number[]> {
    const values = await this.#options.box.read();
    for (const [id, each] of figures) {
      if (id === BOX_ID) continue;
      add(values, box.pages, each[fields.pages] ?? 0);
      add(values, box.requests, requestsOf(each));
      if ((each[fields.samples] ?? 0) > 0) add(values, box.running, 1);
    }
    return values;
  }

  #addUp(id: string, values: readonly number[]): void {
    const totals = this.#totals.get(id) ?? blank(id);
    for (const [place, rule] of rulesOf(id).entries()) if (rule === 'sum') add(totals, place, values[place] ?? 0);
    this.#totals.set(id, totals);
  }

  #happened(happening: Happening): void {
    const { app } = happening;
    switch (happening.kind) {
      case 'deployed':
        this.count(app, 'deploys');
        return this.count(app, 'deployMs', happening.ms);
      case 'deploy-failed':
        return this.count(app, 'failedDeploys');
      case 'woken':
        this.count(app, 'wakes');
        return this.count(app, 'wakeMs', happening.ms);
      case 'restarted':
        return this.count(app, 'restarts');
      default:
        return;
    }
  }
}

function valuesOf(figures: Map<string, number[]>, id: string): number[] {
  const values = figures.get(id) ?? blank(id);
  figures.set(id, values);
  return values;
}

function add(values: number[], place: number, amount: number): void {
  values[place] = (values[place] ?? 0) + amount;
}

function addTally(values: number[], tally: Tally): void {
  for (const [place, count] of tally.answers.entries()) add(values, fields.requests2xx + place, count);
  for (const ms of tally.latencies) {
    add(values, latencyPlace(ms), 1);
    add(values, fields.latencyMs, ms);
  }
  add(values, fields.bytesIn, tally.bytesIn);
  add(values, fields.bytesOut, tally.bytesOut);
  add(values, fields.sessions, tally.opened);
  add(values, fields.closedPages, tally.closed);
  add(values, fields.closedPagesMs, tally.closedMs);
  values[fields.pages] = tally.pages;
  add(values, fields.views, tally.views);
  add(values, fields.runs, tally.runs);
  add(values, fields.runMs, tally.runMs);
  values[fields.runMaxMs] = tally.runMaxMs;
  add(values, fields.messagesIn, tally.messagesIn);
  add(values, fields.messagesOut, tally.messagesOut);
}
