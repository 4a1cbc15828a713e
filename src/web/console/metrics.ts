import type { AppSeries, BoxSeries, Range, Summary } from '../../metrics/series.js';
import { ranges } from '../../metrics/series.js';
import { formatBytes, formatSpan } from '../../lib/units.js';
import { presentSummary as presentStates } from '../presenters.js';
import { drawPlot, formatValue, tableOf, type Line, type Plot, type PlotMark, type Unit } from '../plot.js';
import type { Page } from './page.js';
import type { AddRoute } from './route.js';
import type { PlotView, RangeView, ReleaseMetricsView, TileView } from '../machine-views.js';

/** What was measured of an app, and of the machine. */
export function metricsRoutes(add: AddRoute): void {
  add('get', '/apps/:id/metrics', 'see', async (page) => {
    const { app } = page.status;
    const range = rangeOf(page);
    const series = await page.deps.metrics.app(app.id, range);
    page.show('console/metrics', {
      ...(await page.app('metrics')),
      ranges: rangesView(page, `apps/${app.id}/metrics`, range),
      tiles: tilesOf(series.total),
      plots: appPlots(series).map(viewOf),
      source: `/api/apps/${app.id}/metrics?range=${range}`,
      step: series.step,
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
      summary: presentStates(page.host.apps.list()),
      ranges: rangesView(page, `machine`, range),
      tiles: boxTiles(page),
      plots: boxPlots(series).map(viewOf),
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
    name: name[0]?.toUpperCase() + name.slice(1),
    href: page.links.console(`${path}?range=${name}`),
    current: name === current,
  }));
}

function tilesOf(total: Summary): TileView[] {
  const failed = total.errors === 0 ? '' : `${formatValue(total.errors / Math.max(1, total.requests), 'share')} failed`;
  return [
    tile(
      'Visitors',
      formatValue(total.visitors, 'count'),
      `${counts(total.sessions, 'page opened', 'pages opened')}${total.sessionMs === null ? '' : `, ${formatSpan(total.sessionMs)} each`}`,
    ),
    tile('Requests', formatValue(total.requests, 'count'), failed, total.errors > 0),
    tile('Response time', formatValue(total.latencyP50, 'ms'), beside(total.latencyP95, 'ms', '95 % in ')),
    tile('CPU', formatValue(total.cpu, 'share'), total.cpu === null ? '' : 'of one core'),
    tile('Memory', formatValue(total.memory, 'bytes'), beside(total.memoryMax, 'bytes', 'highest ')),
    tile('Wakes', String(total.wakes), total.wakeMs === null ? '' : `${formatSpan(total.wakeMs)} on average`),
    tile('Restarts', String(total.restarts), 'after a crash', total.restarts > 0),
    tile('Exceptions', String(total.exceptions), '', total.exceptions > 0),
  ];
}

function boxTiles(page: Page): TileView[] {
  const now = page.deps.metrics.boxNow;
  if (now === undefined) return [];
  return [
    tile('CPU', formatValue(now.cpu, 'share'), `of ${counts(now.cores, 'core', 'cores')}, load ${now.load.toFixed(2)}`),
    tile('Memory', formatBytes(now.memory), `of ${formatBytes(now.memoryTotal)}`),
    tile('Disk', formatBytes(now.disk), `of ${formatBytes(now.diskTotal)}`, now.disk > now.diskTotal * 0.9),
    tile('Server', formatBytes(now.serverMemory), `CPU ${formatValue(now.serverCpu, 'share')}`),
    tile('Event loop', formatSpan(now.loopDelay), 'longest delay'),
    tile('Redis', now.redis === 0 ? '–' : formatSpan(now.redis), 'response time'),
  ];
}

function tile(label: string, value: string, note: string, bad = false): TileView {
  return { label, value, note, bad };
}

function beside(value: number | null, unit: Unit, before: string): string {
  return value === null ? '' : before + formatValue(value, unit);
}

function counts(number: number, one: string, many: string): string {
  return `${formatValue(number, 'count')} ${number === 1 ? one : many}`;
}

function line(name: string, field: string, values: Line['values']): Line {
  return { name, field, values };
}

function appPlots({ times, step, columns, marks }: AppSeries): Plot[] {
  const shown = marks.map(({ time, release, kind }): PlotMark =>
    kind === 'release' ? { time, label: String(release), bad: false } : { time, label: '×', bad: true },
  );
  const every = `per ${formatSpan(step * 1_000)
    .replace(/^1 /, '')
    .replace('24 h', 'day')}`;
  const plot = (title: string, unit: Unit, lines: Line[]): Plot => ({ title, unit, times, lines, marks: shown });
  return [
    plot('Memory', 'bytes', [
      line('Average', 'memory_bytes', columns.memory),
      line('Highest', 'memory_max_bytes', columns.memoryMax),
    ]),
    plot('CPU', 'share', [line('Share of one core', 'cpu', columns.cpu)]),
    plot(`Visitors ${every}`, 'count', [
      line('Open pages', 'open_pages', columns.pages),
      line('New visitors of the day', 'visitors', columns.visitors),
    ]),
    plot(`Requests ${every}`, 'count', [
      line('Answered', 'requests_2xx', columns.requests2xx),
      line('Redirected or unchanged', 'requests_3xx', columns.requests3xx),
      line('Refused', 'requests_4xx', columns.requests4xx),
      line('Failed', 'requests_5xx', columns.requests5xx),
    ]),
    plot('Time to first byte', 'ms', [
      line('Median', 'latency_p50_ms', columns.latencyP50),
      line('95th percentile', 'latency_p95_ms', columns.latencyP95),
    ]),
    plot(`Traffic ${every}`, 'bytes', [
      line('To visitors', 'bytes_out', columns.bytesOut),
      line('From visitors', 'bytes_in', columns.bytesIn),
    ]),
  ];
}

function boxPlots({ times, columns }: BoxSeries): Plot[] {
  const plot = (title: string, unit: Unit, lines: Line[]): Plot => ({ title, unit, times, lines, marks: [] });
  return [
    plot('CPU', 'share', [
      line('All cores', 'cpu', columns.cpu),
      line('The server, of one core', 'server_cpu', columns.serverCpu),
    ]),
    plot('Memory', 'bytes', [
      line('In use', 'memory_bytes', columns.memory),
      line('The server', 'server_memory_bytes', columns.serverMemory),
    ]),
    plot('Disk', 'bytes', [line('In use', 'disk_bytes', columns.disk)]),
    plot('Apps', 'count', [
      line('Running', 'running', columns.running),
      line('Open pages', 'open_pages', columns.pages),
    ]),
    plot('Delays', 'ms', [
      line('Event loop', 'loop_delay_ms', columns.loopDelay),
      line('Redis', 'redis_ms', columns.redis),
    ]),
    plot('Load average', 'count', [line('Of a minute', 'load', columns.load)]),
  ];
}

function viewOf(plot: Plot): PlotView {
  return {
    title: plot.title,
    unit: plot.unit,
    fields: plot.lines.map(({ field }) => field).join(' '),
    names: plot.lines.map(({ name }, place) => ({ name, tone: place + 1 })),
    svg: drawPlot(plot),
    rows: tableOf(plot).map(({ time, cells }) => ({ time: time.slice(0, 16).replace('T', ' '), cells })),
  };
}

function releaseView(page: Page, one: Summary & { release: number }): ReleaseMetricsView {
  return {
    number: one.release,
    href: page.links.console(`apps/${page.status.app.id}/deploys/${one.release}`),
    ran: formatSpan(one.ran * 1_000),
    cpu: formatValue(one.cpu, 'share'),
    memory: formatValue(one.memory, 'bytes'),
    highest: formatValue(one.memoryMax, 'bytes'),
    requests: formatValue(one.requests, 'count'),
    failed: formatValue(one.errors, 'count'),
    median: formatValue(one.latencyP50, 'ms'),
    p95: formatValue(one.latencyP95, 'ms'),
    restarts: one.restarts,
    exceptions: one.exceptions,
  };
}
