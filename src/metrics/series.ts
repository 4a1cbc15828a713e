import { app, box } from './fields.js';
import { latencyQuantile, requestsOf, type Point } from './points.js';
import { SPAN_S } from './store.js';

/** The spans of time that are shown, and in which steps (s). */
export const RANGES = {
  hour: { seconds: 3_600, step: 10 },
  day: { seconds: 86_400, step: 300 },
  week: { seconds: 7 * 86_400, step: 1_800 },
  month: { seconds: 31 * 86_400, step: 7_200 },
  year: { seconds: 366 * 86_400, step: 86_400 },
} as const;

export type Range = keyof typeof RANGES;

export const ranges = Object.keys(RANGES) as Range[];

/** A value for each step; null = nothing is known of it. */
export type Column = (number | null)[];

/** The steps of a range up to now: the start of each, in s since 1970. The last one is under way. */
export function timesOf(range: Range, now: number): number[] {
  const { seconds, step } = RANGES[range];
  const last = Math.floor(now / 1_000 / step);
  return Array.from({ length: seconds / step }, (_, place) => (last - seconds / step + 1 + place) * step);
}

/** A new live release, or a deploy that failed, as a mark on the plots. */
export interface Mark {
  /** s since 1970 */
  time: number;
  release: number | null;
  kind: 'release' | 'failed-deploy';
}

/** The figures of an app over a part of time. */
export interface Summary {
  visitors: number;
  sessions: number;
  /** How long a page was open on average, in ms, of those that were closed; null where none was. */
  sessionMs: number | null;
  requests: number;
  /** Of them, those with a status of 5xx. */
  errors: number;
  latencyP50: number | null;
  latencyP95: number | null;
  /** The share of one core; null where it did not run. */
  cpu: number | null;
  memory: number | null;
  memoryMax: number | null;
  openFilesMax: number | null;
  /** What its files took on the disk when they were measured last; null where they were not. */
  storage: number | null;
  logs: number | null;
  /** How long it ran, in s. */
  ran: number;
  wakes: number;
  /** How long a wake took on average, in ms. */
  wakeMs: number | null;
  restarts: number;
  deploys: number;
  failedDeploys: number;
  exceptions: number;
  bytesIn: number;
  bytesOut: number;
  /** How often a visitor came to a page of the app. */
  views: number;
  /** Runs of the script. */
  runs: number;
  /** How long a run took on average, and the longest, in ms; null where there was none. */
  runMs: number | null;
  runMaxMs: number | null;
  messagesIn: number;
  messagesOut: number;
}

export interface AppColumns {
  cpu: Column;
  memory: Column;
  memoryMax: Column;
  processes: Column;
  openFiles: Column;
  storage: Column;
  logs: Column;
  pages: Column;
  sessions: Column;
  visitors: Column;
  requests2xx: Column;
  requests3xx: Column;
  requests4xx: Column;
  requests5xx: Column;
  latencyP50: Column;
  latencyP95: Column;
  bytesIn: Column;
  bytesOut: Column;
  wakes: Column;
  restarts: Column;
  deploys: Column;
  failedDeploys: Column;
  exceptions: Column;
  views: Column;
  runs: Column;
  runMs: Column;
  runMaxMs: Column;
  messagesIn: Column;
  messagesOut: Column;
}

/** An app's figures in a range. */
export interface AppSeries {
  times: number[];
  step: number;
  columns: AppColumns;
  marks: Mark[];
  total: Summary;
  /** By live release, the newest first. */
  releases: (Summary & { release: number })[];
}

const BYTES = 1_024;

/**
 * The figures of an app as columns over the steps of a range.
 * @param points in the steps of the range
 * @param known the ticks in which the server measured: where it did not, a counter is unknown, not zero
 */
export function appSeries(range: Range, now: number, points: readonly Point[], known: ReadonlySet<number>): AppSeries {
  const { step } = RANGES[range];
  const times = timesOf(range, now);
  const byTick = new Map(points.map((point) => [point.tick, point.values]));
  const column = (of: (values: readonly number[]) => number | null): Column =>
    times.map((time) => {
      const values = byTick.get(time / step);
      return values === undefined ? null : of(values);
    });
  const counter = (place: number): Column =>
    times.map((time) => byTick.get(time / step)?.[place] ?? (known.has(time / step) ? 0 : null));
  const gauge = (place: number, unit = 1): Column =>
    column((values) => ((values[app.samples] ?? 0) > 0 ? (values[place] ?? 0) * unit : null));
  return {
    times,
    step,
    columns: {
      cpu: column(cpuOf),
      memory: gauge(app.memoryKb, BYTES),
      memoryMax: gauge(app.memoryMaxKb, BYTES),
      processes: gauge(app.processes),
      openFiles: column((values) => values[app.openFiles] || null),
      storage: column((values) => sizeIn(values, app.storageKb)),
      logs: column((values) => sizeIn(values, app.logsKb)),
      pages: counter(app.pages),
      sessions: counter(app.sessions),
      visitors: counter(app.visitors),
      requests2xx: counter(app.requests2xx),
      requests3xx: counter(app.requests3xx),
      requests4xx: counter(app.requests4xx),
      requests5xx: counter(app.requests5xx),
      latencyP50: column((values) => latencyQuantile(values, 0.5) ?? null),
      latencyP95: column((values) => latencyQuantile(values, 0.95) ?? null),
      bytesIn: counter(app.bytesIn),
      bytesOut: counter(app.bytesOut),
      wakes: counter(app.wakes),
      restarts: counter(app.restarts),
      deploys: counter(app.deploys),
      failedDeploys: counter(app.failedDeploys),
      exceptions: counter(app.exceptions),
      views: counter(app.views),
      runs: counter(app.runs),
      runMs: column((values) => meanRun(values[app.runs], values[app.runMs])),
      runMaxMs: column((values) => ((values[app.runs] ?? 0) > 0 ? (values[app.runMaxMs] ?? 0) : null)),
      messagesIn: counter(app.messagesIn),
      messagesOut: counter(app.messagesOut),
    },
    marks: marksOf(points, step),
    total: summaryOf(points),
    releases: byRelease(points),
  };
}

/** The share of one core that was used while it was measured. */
function cpuOf(values: readonly number[]): number | null {
  const samples = values[app.samples] ?? 0;
  return samples > 0 ? (values[app.cpuMs] ?? 0) / (samples * SPAN_S * 1_000) : null;
}

/** How long a run took on average, in ms; null where there was none. */
export function meanRun(runs = 0, ms = 0): number | null {
  return runs > 0 ? ms / runs : null;
}

/** A size that was measured: an app that has run has logs. */
function sizeIn(values: readonly number[], place: number): number | null {
  return (values[app.logsKb] ?? 0) > 0 ? (values[place] ?? 0) * BYTES : null;
}

function marksOf(points: readonly Point[], step: number): Mark[] {
  const marks: Mark[] = [];
  let before: number | undefined;
  for (const { tick, values } of points) {
    const release = values[app.release] ?? 0;
    if (release > 0) {
      if (before !== undefined && release !== before) marks.push({ time: tick * step, release, kind: 'release' });
      before = release;
    }
    if ((values[app.failedDeploys] ?? 0) > 0) marks.push({ time: tick * step, release: null, kind: 'failed-deploy' });
  }
  return marks;
}

/** Sums up an app's points. */
export function summaryOf(points: readonly Point[]): Summary {
  const sum = (place: number): number => points.reduce((all, { values }) => all + (values[place] ?? 0), 0);
  const most = (place: number): number => points.reduce((max, { values }) => Math.max(max, values[place] ?? 0), 0);
  const samples = sum(app.samples);
  const mean = points.reduce((all, { values }) => all + (values[app.memoryKb] ?? 0) * (values[app.samples] ?? 0), 0);
  const last = points.findLast(({ values }) => (values[app.logsKb] ?? 0) > 0)?.values ?? [];
  const classes = Array.from({ length: app.latency10 + 1 }, (_, place) => (place < app.latency0 ? 0 : sum(place)));
  return {
    visitors: sum(app.visitors),
    sessions: sum(app.sessions),
    sessionMs: sum(app.closedPages) > 0 ? sum(app.closedPagesMs) / sum(app.closedPages) : null,
    requests: points.reduce((all, { values }) => all + requestsOf(values), 0),
    errors: sum(app.requests5xx),
    latencyP50: latencyQuantile(classes, 0.5) ?? null,
    latencyP95: latencyQuantile(classes, 0.95) ?? null,
    cpu: samples > 0 ? sum(app.cpuMs) / (samples * SPAN_S * 1_000) : null,
    memory: samples > 0 ? (mean / samples) * BYTES : null,
    memoryMax: samples > 0 ? most(app.memoryMaxKb) * BYTES : null,
    openFilesMax: most(app.openFiles) || null,
    storage: sizeIn(last, app.storageKb),
    logs: sizeIn(last, app.logsKb),
    ran: samples * SPAN_S,
    wakes: sum(app.wakes),
    wakeMs: sum(app.wakes) > 0 ? sum(app.wakeMs) / sum(app.wakes) : null,
    restarts: sum(app.restarts),
    deploys: sum(app.deploys),
    failedDeploys: sum(app.failedDeploys),
    exceptions: sum(app.exceptions),
    bytesIn: sum(app.bytesIn),
    bytesOut: sum(app.bytesOut),
    views: sum(app.views),
    runs: sum(app.runs),
    runMs: meanRun(sum(app.runs), sum(app.runMs)),
    runMaxMs: sum(app.runs) > 0 ? most(app.runMaxMs) : null,
    messagesIn: sum(app.messagesIn),
    messagesOut: sum(app.messagesOut),
  };
}

function byRelease(points: readonly Point[]): (Summary & { release: number })[] {
  const groups = new Map<number, Point[]>();
  let release = 0;
  for (const point of points) {
    // What is counted while nothing runs, such as a request that wakes the app, belongs to the release of before.
    release = point.values[app.release] || release;
    if (release > 0) groups.set(release, [...(groups.get(release) ?? []), point]);
  }
  return [...groups].sort(([a], [b]) => b - a).map(([number, group]) => ({ release: number, ...summaryOf(group) }));
}

/** The figures of the machine as columns. */
export interface BoxSeries {
  times: number[];
  step: number;
  columns: {
    /** The share of all processors. */
    cpu: Column;
    memory: Column;
    disk: Column;
    load: Column;
    /** ms */
    loopDelay: Column;
    /** ms */
    redis: Column;
    /** The server's share of one core. */
    serverCpu: Column;
    serverMemory: Column;
    pages: Column;
    requests: Column;
    running: Column;
  };
}

/** The figures of the machine over the steps of a range. @param points in the steps of the range */
export function boxSeries(range: Range, now: number, points: readonly Point[]): BoxSeries {
  const { step } = RANGES[range];
  const times = timesOf(range, now);
  const byTick = new Map(points.map((point) => [point.tick, point.values]));
  const column = (place: number, of = (value: number, _values: readonly number[]): number => value): Column =>
    times.map((time) => {
      const values = byTick.get(time / step);
      return values === undefined ? null : of(values[place] ?? 0, values);
    });
  const measuredMs = (values: readonly number[]): number => Math.max(1, values[box.samples] ?? 0) * SPAN_S * 1_000;
  const bytes = (value: number): number => value * BYTES;
  return {
    times,
    step,
    columns: {
      cpu: column(box.cpuMs, (ms, values) =>
        Math.min(1, ms / measuredMs(values) / Math.max(1, values[box.cores] ?? 1)),
      ),
      memory: column(box.memoryKb, bytes),
      disk: column(box.diskKb, bytes),
      load: column(box.load100, (value) => value / 100),
      loopDelay: column(box.loopDelayUs, (value) => value / 1_000),
      redis: column(box.redisUs, (value) => value / 1_000),
      serverCpu: column(box.serverCpuMs, (ms, values) => ms / measuredMs(values)),
      serverMemory: column(box.serverMemoryKb, bytes),
      pages: column(box.pages),
      requests: column(box.requests),
      running: column(box.running),
    },
  };
}

/** What the machine uses now. */
export interface BoxNow {
  cpu: number;
  cores: number;
  memory: number;
  memoryTotal: number;
  disk: number;
  diskTotal: number;
  load: number;
  loopDelay: number;
  redis: number;
  serverCpu: number;
  serverMemory: number;
}

/** The figures of the machine in one span of 10 s. */
export function boxNow(values: readonly number[]): BoxNow {
  const of = (place: number): number => values[place] ?? 0;
  const cores = Math.max(1, of(box.cores));
  return {
    cpu: Math.min(1, of(box.cpuMs) / (SPAN_S * 1_000) / cores),
    cores,
    memory: of(box.memoryKb) * BYTES,
    memoryTotal: of(box.memoryTotalKb) * BYTES,
    disk: of(box.diskKb) * BYTES,
    diskTotal: of(box.diskTotalKb) * BYTES,
    load: of(box.load100) / 100,
    loopDelay: of(box.loopDelayUs) / 1_000,
    redis: of(box.redisUs) / 1_000,
    serverCpu: of(box.serverCpuMs) / (SPAN_S * 1_000),
    serverMemory: of(box.serverMemoryKb) * BYTES,
  };
}

/** What an app uses now. */
export interface AppNow {
  id: string;
  cpu: number;
  memory: number;
  processes: number;
  openFiles: number;
  /** What its files take on the disk; null where that was not measured yet. */
  storage: number | null;
  logs: number | null;
  pages: number;
  /** Requests a second. */
  requests: number;
}

/** The figures of an app in one span of 10 s. */
export function appNow(id: string, values: readonly number[]): AppNow {
  return {
    id,
    cpu: cpuOf(values) ?? 0,
    memory: (values[app.memoryKb] ?? 0) * BYTES,
    processes: values[app.processes] ?? 0,
    openFiles: values[app.openFiles] ?? 0,
    storage: sizeIn(values, app.storageKb),
    logs: sizeIn(values, app.logsKb),
    pages: values[app.pages] ?? 0,
    requests: requestsOf(values) / SPAN_S,
  };
}
