import type { AppSize } from './sizes.js';
import { app as fields, box as boxFields, BOX_ID, LATENCY_BOUNDS, page as pageFields, pageOf } from './fields.js';

/** What is told to Prometheus about an app in addition to its figures. */
export interface ExposedApp {
  id: string;
  /** True where it serves. */
  up: boolean;
  /** The live release. */
  release: number | null;
}

export interface Exposed {
  version: string;
  apps: readonly ExposedApp[];
  /** The figures of the last span, by app. */
  latest: ReadonlyMap<string, readonly number[]>;
  /** The counters since the start of the server, by app. */
  totals: ReadonlyMap<string, readonly number[]>;
  /** What the files of an app take; undefined where that was not measured yet. */
  sizeOf: (app: string) => AppSize | undefined;
}

type Labels = Readonly<Record<string, string>>;

/** A metric with what was measured of it. */
export interface Family {
  /** Without the suffix of a counter. */
  name: string;
  type: 'counter' | 'gauge' | 'histogram' | 'info';
  help: string;
  samples: { suffix?: string; labels: Labels; value: number }[];
}

const PREFIX = 'streamlit_host_';
const KB = 1_024;

/**
 * Writes the metrics as OpenMetrics, or in the text format of Prometheus, which names counters in another way. The only labels
 * with free values are the ids of the apps that there are, and the paths of up to 20 pages of each (`page-names.ts`), so there are
 * never more series than a fixed number for each app.
 * @see https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function expose(exposed: Exposed, format: 'openmetrics' | 'text'): string {
  const lines = families(exposed).flatMap((family) => linesOf(family, format));
  return [...lines, ...(format === 'openmetrics' ? ['# EOF'] : []), ''].join('\n');
}

/** What is exposed, in whatever format. */
export function families({ version, apps, latest, totals, sizeOf }: Exposed): Family[] {
  const now = (id: string, place: number): number => latest.get(id)?.[place] ?? 0;
  const total = (id: string, place: number): number => totals.get(id)?.[place] ?? 0;
  const gauge = (name: string, help: string, value: (one: ExposedApp) => number | undefined): Family => ({
    ...{ name: `${PREFIX}app_${name}`, type: 'gauge', help },
    samples: apps.flatMap((one) => {
      const is = value(one);
      return is === undefined ? [] : [{ labels: { app: one.id }, value: is }];
    }),
  });
  const counter = (name: string, help: string, place: number, unit = 1): Family => ({
    ...{ name: `${PREFIX}app_${name}`, type: 'counter', help },
    samples: apps.map(({ id }) => ({ labels: { app: id }, value: total(id, place) * unit })),
  });
  const split = (name: string, help: string, label: string, places: Readonly<Record<string, number>>): Family => ({
    ...{ name: `${PREFIX}app_${name}`, type: 'counter', help },
    samples: apps.flatMap(({ id }) =>
      Object.entries(places).map(([value, place]) => ({
        labels: { app: id, [label]: value },
        value: total(id, place),
      })),
    ),
  });
  const machine = (name: string, help: string, place: number, unit = 1): Family => ({
    ...{ name: PREFIX + name, type: 'gauge', help },
    samples: latest.has(BOX_ID) ? [{ labels: {}, value: now(BOX_ID, place) * unit }] : [],
  });
  return [
    {
      ...{ name: `${PREFIX}build`, type: 'info', help: 'The version of the server.' },
      samples: [{ suffix: '_info', labels: { version }, value: 1 }],
    },
    gauge('up', 'Whether the app serves.', ({ up }) => (up ? 1 : 0)),
    gauge('release', 'The number of the live release.', ({ release }) => release ?? undefined),
    gauge('memory_bytes', 'Resident memory of the app.', ({ id }) => now(id, fields.memoryKb) * KB),
    gauge('processes', 'Processes of the app.', ({ id }) => now(id, fields.processes)),
    gauge('open_files', 'Open files and sockets of the app.', ({ id }) => now(id, fields.openFiles)),
    gauge('storage_bytes', "Disk space of the app's own files.", ({ id }) => sizeOf(id)?.storage),
    gauge('log_bytes', 'Disk space of the logs of the app.', ({ id }) => sizeOf(id)?.logs),
    gauge('open_pages', 'Open pages of the app.', ({ id }) => now(id, fields.pages)),
    counter('cpu_seconds', 'Processor time of the app.', fields.cpuMs, 0.001),
    counter('sessions', 'Pages of the app that were opened.', fields.sessions),
    counter('ended_sessions', 'Pages of the app that were closed.', fields.closedPages),
    counter('session_seconds', 'Time that closed pages of the app had been open.', fields.closedPagesMs, 0.001),
    counter('visitors', 'Visitors, each counted once a day.', fields.visitors),
    split('http_requests', 'Requests for the app by the class of their status.', 'code', {
      '2xx': fields.requests2xx,
      '3xx': fields.requests3xx,
      '4xx': fields.requests4xx,
      '5xx': fields.requests5xx,
    }),
    {
      ...{ name: `${PREFIX}app_first_byte_seconds`, type: 'histogram', help: 'Time to the first byte of a response.' },
      samples: apps.flatMap(({ id }) => buckets(id, (place) => total(id, place))),
    },
    {
      ...{ name: `${PREFIX}app_page_views`, type: 'counter', help: 'Views of the pages of a multipage app.' },
      samples: viewsOf(apps, totals),
    },
    counter('script_runs', "Runs of the app's script that ended.", fields.runs),
    counter('script_run_seconds', "Time that runs of the app's script took.", fields.runMs, 0.001),
    split('websocket_messages', "Messages of Streamlit's WebSockets.", 'direction', {
      in: fields.messagesIn,
      out: fields.messagesOut,
    }),
    counter('received_bytes', 'Bytes from visitors of the app.', fields.bytesIn),
    counter('sent_bytes', 'Bytes to visitors of the app.', fields.bytesOut),
    counter('wakes', 'Wakes of the app from sleep.', fields.wakes),
    counter('wake_seconds', 'Time that wakes of the app took.', fields.wakeMs, 0.001),
    counter('restarts', 'Restarts of the app after a crash.', fields.restarts),
    split('deploys', 'Deploys of the app by their result.', 'result', {
      live: fields.deploys,
      failed: fields.failedDeploys,
    }),
    counter('deploy_seconds', 'Time that deploys of the app took.', fields.deployMs, 0.001),
    counter('exceptions', 'Exceptions that the app printed.', fields.exceptions),
    machine('machine_memory_used_bytes', 'Memory of the machine that is in use.', boxFields.memoryKb, KB),
    machine('machine_memory_size_bytes', 'Memory of the machine.', boxFields.memoryTotalKb, KB),
    machine('machine_disk_used_bytes', 'Used space on the disk with the data folder.', boxFields.diskKb, KB),
    machine('machine_disk_size_bytes', 'Size of the disk with the data folder.', boxFields.diskTotalKb, KB),
    machine('machine_load1', 'Load average of a minute.', boxFields.load100, 0.01),
    machine('resident_memory_bytes', 'Resident memory of the server.', boxFields.serverMemoryKb, KB),
    machine('event_loop_delay_seconds', 'Longest delay of the event loop in 10 s.', boxFields.loopDelayUs, 1e-6),
    machine('redis_response_seconds', 'Last response time of Redis.', boxFields.redisUs, 1e-6),
    {
      ...{ name: `${PREFIX}cpu_seconds`, type: 'counter', help: 'Processor time of the server.' },
      samples: [{ labels: {}, value: total(BOX_ID, boxFields.serverCpuMs) / 1_000 }],
    },
  ];
}

/** The views by page. Pages that are not told apart have a label that no path has. */
function viewsOf(apps: readonly ExposedApp[], totals: Exposed['totals']): Family['samples'] {
  const known = new Set(apps.map(({ id }) => id));
  return [...totals].flatMap(([id, values]) => {
    const page = pageOf(id);
    return page === undefined || !known.has(page.app)
      ? []
      : [{ labels: { app: page.app, page: page.path }, value: values[pageFields.views] ?? 0 }];
  });
}

/** A histogram as both formats have it: counts up to a bound, their sum and their number. */
function buckets(id: string, of: (place: number) => number): Family['samples'] {
  const samples: Family['samples'] = [];
  let count = 0;
  for (const [place, bound] of LATENCY_BOUNDS.entries()) {
    count += of(fields.latency0 + place);
    samples.push({ suffix: '_bucket', labels: { app: id, le: decimal(bound / 1_000) }, value: count });
  }
  count += of(fields.latency0 + LATENCY_BOUNDS.length);
  samples.push(
    { suffix: '_bucket', labels: { app: id, le: '+Inf' }, value: count },
    { suffix: '_sum', labels: { app: id }, value: of(fields.latencyMs) / 1_000 },
    { suffix: '_count', labels: { app: id }, value: count },
  );
  return samples;
}

function linesOf({ name, type, help, samples }: Family, format: 'openmetrics' | 'text'): string[] {
  if (samples.length === 0) return [];
  const suffixOf = { counter: '_total', info: '_info', gauge: '', histogram: '' }[type];
  const isText = format === 'text';
  const shown = isText ? name + suffixOf : name;
  return [
    `# HELP ${shown} ${help}`,
    `# TYPE ${shown} ${isText && type === 'info' ? 'gauge' : type}`,
    ...samples.map(({ suffix = suffixOf, labels, value }) => {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
      return `${name}${suffix}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number(value)}`;
    }),
  ];
}

function escape(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

/** A bound as OpenMetrics writes it: always with a point. */
function decimal(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function number(value: number): string {
  return String(Number(value.toPrecision(12)));
}
