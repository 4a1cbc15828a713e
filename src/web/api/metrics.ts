import { z } from 'zod';
import type { AppMetrics } from '../../metrics/metrics.js';
import type { BoxSeries, Summary } from '../../metrics/series.js';
import { ranges } from '../../metrics/series.js';
import { signedIn } from '../auth.js';
import { route, type ApiContext, type Route } from './route.js';
import { params } from './schemas.js';

const query = z.object({
  range: z
    .enum(ranges)
    .default('day')
    .describe('How far back: hour (steps of 10 s), day (5 min), week (30 min), month (2 h) or year (a day).'),
});

const column = (what: string): z.ZodType<(number | null)[]> => z.array(z.number().nullable()).describe(what);

const summarySchema = z
  .object({
    visitors: z.number().describe('Distinct visitors; each counts once a day (UTC).'),
    sessions: z.number().describe('Pages that were opened.'),
    session_ms: z
      .number()
      .nullable()
      .describe('How long a page was open on average, of those that were closed. A page that reconnects counts again.'),
    requests: z.number(),
    errors: z.number().describe('Requests answered with a status of 5xx.'),
    latency_p50_ms: z.number().nullable().describe('Half of the requests got their first byte faster.'),
    latency_p95_ms: z.number().nullable(),
    cpu: z.number().nullable().describe('The average share of one core; 1 = a whole one.'),
    memory_bytes: z.number().nullable(),
    memory_max_bytes: z.number().nullable(),
    open_files_max: z.number().nullable().describe('The most open files and sockets at once.'),
    storage_bytes: z.number().nullable().describe("Disk space of the app's own files, as measured last."),
    log_bytes: z.number().nullable().describe("Disk space of the app's logs, as measured last."),
    ran_seconds: z.number().describe('How long the app ran.'),
    wakes: z.number(),
    wake_ms: z.number().nullable().describe('How long a wake took on average.'),
    restarts: z.number().describe('Restarts after a crash.'),
    deploys: z.number(),
    failed_deploys: z.number(),
    exceptions: z.number(),
    bytes_in: z.number(),
    bytes_out: z.number(),
    page_views: z.number().describe('How often visitors came to a page of the app.'),
    runs: z.number().describe('Runs of the script that ended, those of fragments included.'),
    run_ms: z.number().nullable().describe('How long a run took on average.'),
    run_max_ms: z.number().nullable(),
    messages_in: z.number().describe("Messages of Streamlit's WebSockets, from visitors."),
    messages_out: z.number().describe("Messages of Streamlit's WebSockets, to visitors."),
  })
  .meta({ id: 'MetricsSummary' });

const appSchema = z
  .object({
    app: z.string(),
    range: z.enum(ranges),
    step_seconds: z.number().int(),
    times: z
      .array(z.number().int())
      .describe('The start of each step, in seconds since 1970. The last step is in progress.'),
    series: z
      .object({
        cpu: column('Share of one core.'),
        memory_bytes: column('Average resident memory.'),
        memory_max_bytes: column('Highest resident memory.'),
        processes: column('Processes, including those that the app has started.'),
        open_files: column('The most open files and sockets at once.'),
        storage_bytes: column("Disk space of the app's own files."),
        log_bytes: column("Disk space of the app's logs."),
        open_pages: column('The most open pages at once.'),
        sessions: column('Pages that were opened.'),
        visitors: column('Visitors who were not there before on that day (UTC).'),
        requests_2xx: column('Answered requests.'),
        requests_3xx: column('Redirects and unchanged files.'),
        requests_4xx: column('Refused requests, and visitors who left before the answer.'),
        requests_5xx: column('Failed requests.'),
        latency_p50_ms: column('Median time to first byte.'),
        latency_p95_ms: column('95th percentile of the time to first byte.'),
        bytes_in: column('Bytes from visitors.'),
        bytes_out: column('Bytes to visitors.'),
        wakes: column('Wakes from sleep.'),
        restarts: column('Restarts after a crash.'),
        deploys: column('Deploys that went live.'),
        failed_deploys: column('Deploys that failed.'),
        exceptions: column('Exceptions that the app printed.'),
        page_views: column('How often visitors came to a page of the app.'),
        runs: column('Runs of the script that ended.'),
        run_ms: column('Average time of a run.'),
        run_max_ms: column('Longest time of a run.'),
        messages_in: column("Messages of Streamlit's WebSockets, from visitors."),
        messages_out: column("Messages of Streamlit's WebSockets, to visitors."),
      })
      .describe('One value for each step; null = not measured.'),
    marks: z.array(
      z.object({
        time: z.number().int(),
        kind: z.enum(['release', 'failed-deploy']),
        release: z.number().int().nullable(),
      }),
    ),
    total: summarySchema,
    pages: z
      .array(
        z.object({
          page: z
            .string()
            .nullable()
            .describe('Its path below the app, such as `/Sales`; null for all others together.'),
          views: z.number(),
          runs: z.number(),
          run_ms: z.number().nullable().describe('How long a run took on average.'),
        }),
      )
      .describe('The pages of the app, the most viewed first: up to 20, and the others together.'),
    releases: z.array(summarySchema.extend({ release: z.number().int() })).describe('By live release, newest first.'),
  })
  .meta({ id: 'Metrics' });

const boxSchema = z
  .object({
    range: z.enum(ranges),
    step_seconds: z.number().int(),
    times: z.array(z.number().int()),
    series: z.object({
      cpu: column('Share of all processors.'),
      memory_bytes: column('Memory in use.'),
      disk_bytes: column('Used space on the disk with the data folder.'),
      load: column('Load average of a minute.'),
      loop_delay_ms: column("The longest delay of the server's event loop."),
      redis_ms: column('The longest answer of Redis.'),
      server_cpu: column("The server's share of one core."),
      server_memory_bytes: column("The server's resident memory."),
      open_pages: column('The most open pages at once.'),
      requests: column('Requests for apps.'),
      running: column('Running apps.'),
    }),
  })
  .meta({ id: 'BoxMetrics' });

const usageSchema = z
  .object({
    box: z
      .object({
        cpu: z.number().describe('Share of all processors.'),
        cores: z.number().int(),
        memory_bytes: z.number(),
        memory_total_bytes: z.number(),
        disk_bytes: z.number(),
        disk_total_bytes: z.number(),
        load: z.number(),
        loop_delay_ms: z.number(),
        redis_ms: z.number(),
        server_cpu: z.number(),
        server_memory_bytes: z.number(),
      })
      .nullable()
      .describe('The machine; null if you are not an admin, and in the first seconds of the server.'),
    apps: z
      .array(
        z.object({
          app: z.string(),
          state: z.string(),
          cpu: z.number().describe('Share of one core.'),
          memory_bytes: z.number(),
          processes: z.number().int(),
          open_files: z.number().int(),
          storage_bytes: z.number().nullable().describe("Disk space of the app's own files; null = not measured yet."),
          log_bytes: z.number().nullable().describe("Disk space of the app's logs; null = not measured yet."),
          open_pages: z.number().int(),
          requests_per_second: z.number(),
        }),
      )
      .describe('The apps that you work on and that run or were visited, by CPU and memory.'),
  })
  .meta({ id: 'Usage' });

export type MetricsAnswer = z.infer<typeof appSchema>;
export type BoxMetricsAnswer = z.infer<typeof boxSchema>;
export type UsageAnswer = z.infer<typeof usageSchema>;

/** The calls about what was measured. */
export function metricsRoutes(api: ApiContext): Route[] {
  const { metrics, rights, host } = api;
  return [
    route({
      method: 'get',
      path: '/apps/{id}/metrics',
      tag: 'metrics',
      can: 'see',
      summary: 'Get the metrics of an app',
      params: params.app,
      query,
      answers: { 200: { description: 'The metrics.', content: { 'application/json': appSchema } } },
      async handle(ctx, { params: { id }, query: { range } }) {
        const { app } = host.apps.get(id);
        ctx.body = { app: app.id, range, ...presentSeries(await metrics.app(app.id, range)) } satisfies MetricsAnswer;
      },
    }),

    route({
      method: 'get',
      path: '/server/metrics',
      tag: 'metrics',
      can: 'server',
      summary: 'Get the metrics of the machine',
      query,
      answers: { 200: { description: 'The metrics.', content: { 'application/json': boxSchema } } },
      async handle(ctx, { query: { range } }) {
        ctx.body = { range, ...presentBox(await metrics.box(range)) } satisfies BoxMetricsAnswer;
      },
    }),

    route({
      method: 'get',
      path: '/usage',
      tag: 'metrics',
      can: 'list',
      summary: 'Get what apps use now',
      description: 'As measured in the last ten seconds.',
      answers: { 200: { description: 'The usage.', content: { 'application/json': usageSchema } } },
      async handle(ctx) {
        const by = signedIn(ctx).principal;
        const seen = host.apps.list().filter(({ app }) => rights.may(by, 'see', app));
        ctx.body = presentUsage(
          rights.may(by, 'server') ? metrics.boxNow : undefined,
          seen.flatMap(({ app, state }) => {
            const now = metrics.appNow(app.id);
            return now === undefined ? [] : [{ ...now, state }];
          }),
        );
      },
    }),
  ];
}

function presentSeries({
  times,
  step,
  columns,
  marks,
  total,
  pages,
  releases,
}: AppMetrics): Omit<MetricsAnswer, 'app' | 'range'> {
  return {
    step_seconds: step,
    times,
    series: {
      cpu: columns.cpu,
      memory_bytes: columns.memory,
      memory_max_bytes: columns.memoryMax,
      processes: columns.processes,
      open_files: columns.openFiles,
      storage_bytes: columns.storage,
      log_bytes: columns.logs,
      open_pages: columns.pages,
      sessions: columns.sessions,
      visitors: columns.visitors,
      requests_2xx: columns.requests2xx,
      requests_3xx: columns.requests3xx,
      requests_4xx: columns.requests4xx,
      requests_5xx: columns.requests5xx,
      latency_p50_ms: columns.latencyP50,
      latency_p95_ms: columns.latencyP95,
      bytes_in: columns.bytesIn,
      bytes_out: columns.bytesOut,
      wakes: columns.wakes,
      restarts: columns.restarts,
      deploys: columns.deploys,
      failed_deploys: columns.failedDeploys,
      exceptions: columns.exceptions,
      page_views: columns.views,
      runs: columns.runs,
      run_ms: columns.runMs,
      run_max_ms: columns.runMaxMs,
      messages_in: columns.messagesIn,
      messages_out: columns.messagesOut,
    },
    marks,
    total: presentSummary(total),
    pages: pages.map(({ path, views, runs, runMs }) => ({ page: path, views, runs, run_ms: runMs })),
    releases: releases.map(({ release, ...summary }) => ({ release, ...presentSummary(summary) })),
  };
}

function presentSummary(of: Summary): MetricsAnswer['total'] {
  return {
    visitors: of.visitors,
    sessions: of.sessions,
    session_ms: of.sessionMs,
    requests: of.requests,
    errors: of.errors,
    latency_p50_ms: of.latencyP50,
    latency_p95_ms: of.latencyP95,
    cpu: of.cpu,
    memory_bytes: of.memory,
    memory_max_bytes: of.memoryMax,
    open_files_max: of.openFilesMax,
    storage_bytes: of.storage,
    log_bytes: of.logs,
    ran_seconds: of.ran,
    wakes: of.wakes,
    wake_ms: of.wakeMs,
    restarts: of.restarts,
    deploys: of.deploys,
    failed_deploys: of.failedDeploys,
    exceptions: of.exceptions,
    bytes_in: of.bytesIn,
    bytes_out: of.bytesOut,
    page_views: of.views,
    runs: of.runs,
    run_ms: of.runMs,
    run_max_ms: of.runMaxMs,
    messages_in: of.messagesIn,
    messages_out: of.messagesOut,
  };
}

function presentBox({ times, step, columns }: BoxSeries): Omit<BoxMetricsAnswer, 'range'> {
  return {
    step_seconds: step,
    times,
    series: {
      cpu: columns.cpu,
      memory_bytes: columns.memory,
      disk_bytes: columns.disk,
      load: columns.load,
      loop_delay_ms: columns.loopDelay,
      redis_ms: columns.redis,
      server_cpu: columns.serverCpu,
      server_memory_bytes: columns.serverMemory,
      open_pages: columns.pages,
      requests: columns.requests,
      running: columns.running,
    },
  };
}

function presentUsage(
  box: ApiContext['metrics']['boxNow'],
  apps: readonly (NonNullable<ReturnType<ApiContext['metrics']['appNow']>> & { state: string })[],
): UsageAnswer {
  return {
    box:
      box === undefined
        ? null
        : {
            cpu: box.cpu,
            cores: box.cores,
            memory_bytes: box.memory,
            memory_total_bytes: box.memoryTotal,
            disk_bytes: box.disk,
            disk_total_bytes: box.diskTotal,
            load: box.load,
            loop_delay_ms: box.loopDelay,
            redis_ms: box.redis,
            server_cpu: box.serverCpu,
            server_memory_bytes: box.serverMemory,
          },
    apps: [...apps]
      .sort((a, b) => b.cpu - a.cpu || b.memory - a.memory)
      .map(({ id, state, cpu, memory, processes, openFiles, storage, logs, pages, requests }) => ({
        app: id,
        state,
        cpu,
        memory_bytes: memory,
        processes,
        open_files: openFiles,
        storage_bytes: storage,
        log_bytes: logs,
        open_pages: pages,
        requests_per_second: requests,
      })),
  };
}
