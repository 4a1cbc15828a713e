import type { PageViews } from '../../metrics/page-views.js';
import type { AppSeries, BoxSeries, Range, Summary } from '../../metrics/series.js';
import { ranges } from '../../metrics/series.js';
import { formatBytes, formatSpan } from '../../lib/units.js';
import { presentSummary as presentStates } from '../presenters.js';
import { drawPlot, formatValue, tableOf, type Line, type Plot, type PlotMark, type Unit } from '../plot.js';
import type { Words } from '../messages/messages.js';
import type { Page } from './page.js';
import type { AddRoute } from './route.js';
import type { PageViewsView, PlotView, RangeView, ReleaseMetricsView, TileView } from '../machine-views.js';

/** What was measured of an app, and of the machine. */
export function metricsRoutes(add: AddRoute): void {
  add('get', '/apps/:id/metrics', 'see', async (page) => {
    const { app } = page.status;
    const range = rangeOf(page);
    const series = await page.deps.metrics.app(app.id, range);
    page.show('console/metrics', {
      ...(await page.app('metrics')),
      ranges: rangesView(page, `apps/${app.id}/metrics`, range),
      tiles: tilesOf(series.total, page.words),
      plots: appPlots(series, page.words).map((plot) => viewOf(plot, page.words)),
      source: `/api/apps/${app.id}/metrics?range=${range}`,
      step: series.step,
      // An app with a single page has nothing to compare.
      pages: series.pages.length < 2 ? [] : series.pages.map((one) => pageView(one, page.words)),
      releases: series.releases.map((one) => releaseView(page, one)),
    });
  });

  add('get', '/machine', 'server', async (page) => {
    const range = rangeOf(page);
    const { metrics } = page.deps;
    const sort = page.ctx.query.sort === 'cpu' ? 'cpu' : 'memory';
    const apps = page.host.apps.list().flatMap(({ app }) => {
      const now = metrics.appNow(app.id);
      return now === undefined ? [] : [{ ...now, name: app.name }];
    });
    const list = apps.sort((a, b) => b[sort] - a[sort]);
    const total = metrics.boxNow?.memoryTotal ?? 0;
    const series = await metrics.box(range);
    page.show('console/machine', {
      summary: presentStates(page.host.apps.list(), page.words),
      ranges: rangesView(page, `machine`, range),
      tiles: boxTiles(page),
      plots: boxPlots(series, page.words).map((plot) => viewOf(plot, page.words)),
      source: `/api/server/metrics?range=${range}`,
      step: series.step,
      sort,
      byMemory: page.links.console('machine'),
      byCpu: page.links.console('machine?sort=cpu'),
      apps: list.map((one) => ({
        name: one.name,
        href: page.links.console(`apps/${one.id}/metrics`),
        cpu: formatValue(one.cpu, 'share'),
        memory: formatBytes(one.memory),
        part: total === 0 ? '–' : formatValue(one.memory / total, 'share'),
        pages: one.pages,
        requests: formatValue(one.requests, 'count'),
        processes: one.processes,
      })),
    });
  });
}

function rangeOf(page: Page): Range {
  const { range } = page.ctx.query;
  return ranges.find((one) => one === range) ?? 'day';
}

function rangesView(page: Page, path: string, current: Range): RangeView[] {
  return ranges.map((name) => ({
    name: page.words.t(`range.${name}`),
    href: page.links.console(`${path}?range=${name}`),
    current: name === current,
  }));
}

function tilesOf(total: Summary, words: Words): TileView[] {
  const pages = words.t('tile.pages', { count: total.sessions, n: formatValue(total.sessions, 'count') });
  return [
    tile(
      words.t('apps.visitors'),
      formatValue(total.visitors, 'count'),
      total.sessionMs === null ? pages : words.t('tile.pagesEach', { pages, span: formatSpan(total.sessionMs, words) }),
    ),
    tile(
      words.t('metrics.requests'),
      formatValue(total.requests, 'count'),
      total.errors === 0 ? '' : words.t('tile.failed', { n: formatValue(total.errors, 'count') }),
      total.errors > 0,
    ),
    tile(
      words.t('tile.responseTime'),
      formatValue(total.latencyP50, 'ms', words),
      total.latencyP95 === null ? '' : words.t('tile.p95', { span: formatValue(total.latencyP95, 'ms', words) }),
    ),
    tile(
      words.t('line.runs'),
      formatValue(total.runs, 'count'),
      total.runMs === null ? '' : words.t('tile.average', { span: formatSpan(total.runMs, words) }),
    ),
    tile(words.t('apps.cpu'), formatValue(total.cpu, 'share'), total.cpu === null ? '' : words.t('tile.ofCore')),
    tile(
      words.t('apps.memory'),
      formatValue(total.memory, 'bytes'),
      total.memoryMax === null ? '' : words.t('tile.highest', { memory: formatBytes(total.memoryMax) }),
    ),
    tile(
      words.t('tile.disk'),
      total.storage === null ? '–' : formatBytes(total.storage + (total.logs ?? 0)),
      total.logs === null ? '' : words.t('tile.logs', { size: formatBytes(total.logs) }),
    ),
    tile(
      words.t('tile.wakes'),
      String(total.wakes),
      total.wakeMs === null ? '' : words.t('tile.average', { span: formatSpan(total.wakeMs, words) }),
    ),
    tile(words.t('metrics.restarts'), String(total.restarts), words.t('tile.afterCrash'), total.restarts > 0),
    tile(words.t('metrics.exceptions'), String(total.exceptions), '', total.exceptions > 0),
  ];
}

function boxTiles({ deps, words }: Page): TileView[] {
  const now = deps.metrics.boxNow;
  if (now === undefined) return [];
  const of = (total: number): string => words.t('tile.of', { total: formatBytes(total) });
  return [
    tile(
      words.t('apps.cpu'),
      formatValue(now.cpu, 'share'),
      words.t('tile.cores', { count: now.cores, n: formatValue(now.cores, 'count'), load: now.load.toFixed(2) }),
    ),
    tile(words.t('apps.memory'), formatBytes(now.memory), of(now.memoryTotal)),
    tile(words.t('tile.disk'), formatBytes(now.disk), of(now.diskTotal), now.disk > now.diskTotal * 0.9),
    tile(
      words.t('tile.server'),
      formatBytes(now.serverMemory),
      words.t('tile.serverCpu', { share: formatValue(now.serverCpu, 'share') }),
    ),
    tile(words.t('tile.eventLoop'), formatSpan(now.loopDelay, words), words.t('tile.longestDelay')),
    tile(words.t('tile.redis'), now.redis === 0 ? '–' : formatSpan(now.redis, words), words.t('tile.redisTime')),
  ];
}

function tile(label: string, value: string, note: string, bad = false): TileView {
  return { label, value, note, bad };
}

function line(name: string, field: string, values: Line['values']): Line {
  return { name, field, values };
}

function appPlots({ times, step, columns, marks }: AppSeries, words: Words): Plot[] {
  const shown = marks.map(({ time, release, kind }): PlotMark =>
    kind === 'release' ? { time, label: String(release), bad: false } : { time, label: '×', bad: true },
  );
  const span = spanOf(step, words);
  const plot = (title: string, unit: Unit, lines: Line[]): Plot => ({ title, unit, times, lines, marks: shown });
  return [
    plot(words.t('apps.memory'), 'bytes', [
      line(words.t('line.average'), 'memory_bytes', columns.memory),
      line(words.t('metrics.highest'), 'memory_max_bytes', columns.memoryMax),
    ]),
    plot(words.t('apps.cpu'), 'share', [line(words.t('line.share'), 'cpu', columns.cpu)]),
    plot(words.t('plot.visitors', { span }), 'count', [
      line(words.t('machine.pages'), 'open_pages', columns.pages),
      line(words.t('line.newVisitors'), 'visitors', columns.visitors),
    ]),
    plot(words.t('plot.requests', { span }), 'count', [
      line(words.t('line.answered'), 'requests_2xx', columns.requests2xx),
      line(words.t('line.redirected'), 'requests_3xx', columns.requests3xx),
      line(words.t('line.refused'), 'requests_4xx', columns.requests4xx),
      line(words.t('metrics.failed'), 'requests_5xx', columns.requests5xx),
    ]),
    plot(words.t('plot.firstByte'), 'ms', [
      line(words.t('metrics.median'), 'latency_p50_ms', columns.latencyP50),
      line(words.t('line.p95'), 'latency_p95_ms', columns.latencyP95),
    ]),
    plot(words.t('plot.runs', { span }), 'count', [
      line(words.t('line.runs'), 'runs', columns.runs),
      line(words.t('line.pageViews'), 'page_views', columns.views),
    ]),
    plot(words.t('plot.runTime'), 'ms', [
      line(words.t('line.average'), 'run_ms', columns.runMs),
      line(words.t('line.longest'), 'run_max_ms', columns.runMaxMs),
    ]),
    plot(words.t('plot.traffic', { span }), 'bytes', [
      line(words.t('line.out'), 'bytes_out', columns.bytesOut),
      line(words.t('line.in'), 'bytes_in', columns.bytesIn),
    ]),
    plot(words.t('plot.openFiles'), 'count', [line(words.t('metrics.highest'), 'open_files', columns.openFiles)]),
    plot(words.t('tile.disk'), 'bytes', [
      line(words.t('line.storage'), 'storage_bytes', columns.storage),
      line(words.t('line.logs'), 'log_bytes', columns.logs),
    ]),
  ];
}

function boxPlots({ times, columns }: BoxSeries, words: Words): Plot[] {
  const plot = (title: string, unit: Unit, lines: Line[]): Plot => ({ title, unit, times, lines, marks: [] });
  return [
    plot(words.t('apps.cpu'), 'share', [
      line(words.t('line.allCores'), 'cpu', columns.cpu),
      line(words.t('line.serverCpu'), 'server_cpu', columns.serverCpu),
    ]),
    plot(words.t('apps.memory'), 'bytes', [
      line(words.t('line.inUse'), 'memory_bytes', columns.memory),
      line(words.t('line.server'), 'server_memory_bytes', columns.serverMemory),
    ]),
    plot(words.t('tile.disk'), 'bytes', [line(words.t('line.inUse'), 'disk_bytes', columns.disk)]),
    plot(words.t('nav.apps'), 'count', [
      line(words.t('line.running'), 'running', columns.running),
      line(words.t('machine.pages'), 'open_pages', columns.pages),
    ]),
    plot(words.t('plot.delays'), 'ms', [
      line(words.t('tile.eventLoop'), 'loop_delay_ms', columns.loopDelay),
      line(words.t('tile.redis'), 'redis_ms', columns.redis),
    ]),
    plot(words.t('plot.load'), 'count', [line(words.t('line.ofMinute'), 'load', columns.load)]),
  ];
}

/** What a value of a plot is per: "min", "5 min", "day". @param step in s */
function spanOf(step: number, words: Words): string {
  const named = { 60: 'span.minute', 3_600: 'span.hour', 86_400: 'span.day' } as const;
  return step in named ? words.t(named[step as keyof typeof named]) : formatSpan(step * 1_000, words);
}

function viewOf(plot: Plot, words: Words): PlotView {
  return {
    title: plot.title,
    unit: plot.unit,
    fields: plot.lines.map(({ field }) => field).join(' '),
    names: plot.lines.map(({ name }, place) => ({ name, tone: place + 1 })),
    svg: drawPlot(plot, words),
    rows: tableOf(plot, words).map(({ time, cells }) => ({ time: time.slice(0, 16).replace('T', ' '), cells })),
  };
}

function pageView({ path, views, runs, runMs }: PageViews, words: Words): PageViewsView {
  return {
    name: path ?? words.t('metrics.otherPages'),
    views: formatValue(views, 'count'),
    runs: formatValue(runs, 'count'),
    run: formatValue(runMs, 'ms', words),
  };
}

function releaseView(page: Page, one: Summary & { release: number }): ReleaseMetricsView {
  return {
    number: one.release,
    href: page.links.console(`apps/${page.status.app.id}/deploys/${one.release}`),
    ran: formatSpan(one.ran * 1_000, page.words),
    cpu: formatValue(one.cpu, 'share'),
    memory: formatValue(one.memory, 'bytes'),
    highest: formatValue(one.memoryMax, 'bytes'),
    requests: formatValue(one.requests, 'count'),
    failed: formatValue(one.errors, 'count'),
    median: formatValue(one.latencyP50, 'ms', page.words),
    p95: formatValue(one.latencyP95, 'ms', page.words),
    restarts: one.restarts,
    exceptions: one.exceptions,
  };
}
