/**
 * How a figure of several spans becomes one: counters are added, gauges are averaged by how often they were read, or their
 * highest or last value is kept.
 */
export type Rule = 'sum' | 'mean' | 'max' | 'last';

/** The upper bounds of the times to first byte that are told apart, in ms; a longer one falls into a last class. */
export const LATENCY_BOUNDS = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;

/**
 * What is measured of an app. The place of a field is its number on disk: new ones go to the end, and none is used again.
 * All values are whole numbers that are not negative, in the unit of the name.
 */
const APP = {
  /** How often its processes were read; 0 where only events are known. */
  samples: 'sum',
  cpuMs: 'sum',
  memoryKb: 'mean',
  memoryMaxKb: 'max',
  processes: 'max',
  /** The live release. */
  release: 'last',
  /** Open pages. */
  pages: 'max',
  /** Pages that were opened. */
  sessions: 'sum',
  /** Visitors who were not there yet that day. */
  visitors: 'sum',
  /** Requests by the class of their status. */
  requests2xx: 'sum',
  requests3xx: 'sum',
  requests4xx: 'sum',
  requests5xx: 'sum',
  bytesIn: 'sum',
  bytesOut: 'sum',
  /** Times to first byte: their sum, and how many are in each class. */
  latencyMs: 'sum',
  latency0: 'sum',
  latency1: 'sum',
  latency2: 'sum',
  latency3: 'sum',
  latency4: 'sum',
  latency5: 'sum',
  latency6: 'sum',
  latency7: 'sum',
  latency8: 'sum',
  latency9: 'sum',
  latency10: 'sum',
  wakes: 'sum',
  wakeMs: 'sum',
  restarts: 'sum',
  deploys: 'sum',
  failedDeploys: 'sum',
  deployMs: 'sum',
  exceptions: 'sum',
  /** Pages that were closed, and for how long they had been open. */
  closedPages: 'sum',
  closedPagesMs: 'sum',
  /** Files and sockets; they are counted once a minute. */
  openFiles: 'max',
  /** On the disk; 0 where it was not measured yet. The highest, since a part of a span may be from before that. */
  storageKb: 'max',
  logsKb: 'max',
  /** How often a visitor came to a page of a multipage app. */
  views: 'sum',
  /** Runs of the script that ended, how long they took together, and the longest. */
  runs: 'sum',
  runMs: 'sum',
  runMaxMs: 'max',
  /** Messages of Streamlit's WebSockets, from visitors and to them. */
  messagesIn: 'sum',
  messagesOut: 'sum',
} as const satisfies Record<string, Rule>;

/** What is measured of the machine and of the server itself. */
const BOX = {
  samples: 'sum',
  /** All processors together. */
  cpuMs: 'sum',
  cores: 'last',
  memoryKb: 'mean',
  memoryTotalKb: 'last',
  /** Of the disk with the data folder. */
  diskKb: 'last',
  diskTotalKb: 'last',
  /** The load average of a minute, in hundredths. */
  load100: 'mean',
  /** The longest that the event loop was late. */
  loopDelayUs: 'max',
  /** The longest that Redis took to answer. */
  redisUs: 'max',
  serverCpuMs: 'sum',
  serverMemoryKb: 'mean',
  pages: 'max',
  requests: 'sum',
  running: 'max',
} as const satisfies Record<string, Rule>;

/** What is measured of a page of an app. */
const PAGE = { views: 'sum', runs: 'sum', runMs: 'sum' } as const satisfies Record<string, Rule>;

export type AppField = keyof typeof APP;
export type BoxField = keyof typeof BOX;

/** The id under which the figures of the machine are kept; no app can have it. */
export const BOX_ID = ':box';

const APP_RULES: readonly Rule[] = Object.values(APP);
const BOX_RULES: readonly Rule[] = Object.values(BOX);
const PAGE_RULES: readonly Rule[] = Object.values(PAGE);
const places = <Field extends string>(table: Record<Field, Rule>): Record<Field, number> =>
  Object.fromEntries(Object.keys(table).map((name, place) => [name, place])) as Record<Field, number>;

/** The places of the fields. */
export const app = places(APP);
export const box = places(BOX);
export const page = places(PAGE);

/** The names of the fields, by place. */
export const appFields = Object.keys(APP) as AppField[];
export const boxFields = Object.keys(BOX) as BoxField[];

/** The id under which the figures of a page are kept; no app can have it. @param path such as `/Sales` */
export function pageId(appId: string, path: string): string {
  return `${appId} ${path}`;
}

/** The page that an id is of; undefined for an app, and for the machine. */
export function pageOf(id: string): { app: string; path: string } | undefined {
  const end = id.indexOf(' ');
  return end === -1 ? undefined : { app: id.slice(0, end), path: id.slice(end + 1) };
}

/** The rules of what is kept under an id. */
export function rulesOf(id: string): readonly Rule[] {
  return id === BOX_ID ? BOX_RULES : id.includes(' ') ? PAGE_RULES : APP_RULES;
}

/** Returns figures that say nothing yet. */
export function blank(id: string): number[] {
  return new Array<number>(rulesOf(id).length).fill(0);
}

/** Returns the place of the class that a time to first byte (ms) belongs to. */
export function latencyPlace(ms: number): number {
  const place = LATENCY_BOUNDS.findIndex((bound) => ms <= bound);
  return app.latency0 + (place === -1 ? LATENCY_BOUNDS.length : place);
}
