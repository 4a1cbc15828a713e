import { messageOf } from '../errors.js';
import { expose, families, type Exposed, type Family } from './exposition.js';
import type { AppStore } from '../store/apps.js';
import { app as fields, BOX_ID, pageOf } from './fields.js';
import { mostViewed, type PageViews } from './page-views.js';
import type { Recorder } from './recorder.js';
import {
  appNow,
  appSeries,
  boxNow,
  boxSeries,
  RANGES,
  timesOf,
  type AppNow,
  type AppSeries,
  type BoxNow,
  type BoxSeries,
  type Column,
  type Range,
} from './series.js';
import type { Sizes } from './sizes.js';
import type { MetricsStore } from './store.js';

/** How long (ms) the small plots of the app list are used again. */
const FRESH_MS = 60_000;

/** The steps (s) of the small plots, which show a day. */
const SPARK_S = 3_600;
const DAY_S = 86_400;

export interface MetricsOptions {
  store: Pick<MetricsStore, 'series' | 'all'>;
  recorder: Pick<Recorder, 'latest' | 'totals'>;
  sizes: Pick<Sizes, 'of'>;
  apps: Pick<AppStore, 'find' | 'list'>;
  /** Told what could not be read. */
  warn: (text: string) => void;
  /** ms since 1970 */
  now?: () => number;
}

/** An app's figures in a range, with those of its pages. */
export interface AppMetrics extends AppSeries {
  pages: PageViews[];
}

/** A small plot of a day. */
export interface Spark {
  /** Bytes. */
  memory: Column;
  visitors: number;
}

/** Answers what was measured. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #now: () => number;
  #sparks: { at: number; all: Promise<ReadonlyMap<string, Spark>> } | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** The figures of an app. An earlier app with the same id is not told of. */
  async app(id: string, range: Range): Promise<AppMetrics> {
    const now = this.#now();
    const created = Date.parse(this.#options.apps.find(id)?.createdAt ?? '') || 0;
    const { step } = RANGES[range];
    const from = (timesOf(range, now)[0] ?? 0) * 1_000;
    const { store } = this.#options;
    const since = Math.max(from, created);
    const [points, box, pages] = await Promise.all([
      store.series(id, since, now, step),
      store.series(BOX_ID, since, now, step),
      store.all(since, now, step, (one) => pageOf(one)?.app === id),
    ]);
    const series = appSeries(range, now, points, new Set(box.map(({ tick }) => tick)));
    return { ...series, pages: mostViewed(pages) };
  }

  /** The figures of the machine. */
  async box(range: Range): Promise<BoxSeries> {
    const now = this.#now();
    const from = (timesOf(range, now)[0] ?? 0) * 1_000;
    return boxSeries(range, now, await this.#options.store.series(BOX_ID, from, now, RANGES[range].step));
  }

  /** What the machine used in the last span of 10 s; undefined before the first one. */
  get boxNow(): BoxNow | undefined {
    const values = this.#options.recorder.latest.get(BOX_ID);
    return values === undefined ? undefined : boxNow(values);
  }

  /** What an app used in the last span of 10 s; undefined where nothing was measured. */
  appNow(id: string): AppNow | undefined {
    const values = this.#options.recorder.latest.get(id);
    return values === undefined ? undefined : appNow(id, values);
  }

  /** Writes the metrics for Prometheus. */
  expose(format: 'openmetrics' | 'text', facts: Pick<Exposed, 'version' | 'apps'>): string {
    return expose(this.#exposed(facts), format);
  }

  /** The metrics in no format yet. */
  families(facts: Pick<Exposed, 'version' | 'apps'>): Family[] {
    return families(this.#exposed(facts));
  }

  #exposed(facts: Pick<Exposed, 'version' | 'apps'>): Exposed {
    const { recorder, sizes } = this.#options;
    return { ...facts, latest: recorder.latest, totals: recorder.totals, sizeOf: (app) => sizes.of(app) };
  }

  /** The small plots of all apps. */
  async sparks(): Promise<ReadonlyMap<string, Spark>> {
    const now = this.#now();
    if (this.#sparks === undefined || Math.abs(now - this.#sparks.at) > FRESH_MS) {
      // They decorate the list of apps, which must not fail with them; the next look tries again.
      const all = this.#readSparks(now).catch((error: unknown) => {
        this.#sparks = undefined;
        this.#options.warn(`The plots of the app list cannot be read: ${messageOf(error)}`);
        return new Map<string, Spark>();
      });
      this.#sparks = { at: now, all };
    }
    return this.#sparks.all;
  }

  async #readSparks(now: number): Promise<ReadonlyMap<string, Spark>> {
    const last = Math.floor(now / 1_000 / SPARK_S);
    const first = last - DAY_S / SPARK_S + 1;
    const all = await this.#options.store.all(first * SPARK_S * 1_000, now, SPARK_S, (id) => pageOf(id) === undefined);
    return new Map(
      this.#options.apps.list().map(({ id, createdAt }) => {
        const points = (all.get(id) ?? []).filter(({ tick }) => (tick + 1) * SPARK_S * 1_000 > Date.parse(createdAt));
        const byTick = new Map(points.map(({ tick, values }) => [tick, values]));
        const memory = Array.from({ length: DAY_S / SPARK_S }, (_, place) => {
          const values = byTick.get(first + place);
          return (values?.[fields.samples] ?? 0) > 0 ? (values?.[fields.memoryKb] ?? 0) * 1_024 : null;
        });
        const visitors = points.reduce((sum, { values }) => sum + (values[fields.visitors] ?? 0), 0);
        return [id, { memory, visitors }];
      }),
    );
  }
}
