import type { MetricsAnswer } from '../web/api/metrics.js';
import { appPath } from './api.js';
import type { Context } from './context.js';
import { tableLines, type Column } from './output.js';
import { formatBytes, formatSpan } from '../lib/units.js';
import { counted } from '../lib/words.js';

type Total = MetricsAnswer['total'];

/** Prints what was measured of an app: over the whole range, and by release. */
export async function metrics(cli: Context, id: string, { range }: { range: string }): Promise<void> {
  const api = await cli.api();
  const found = await api.get<MetricsAnswer>(appPath(id, `/metrics?range=${encodeURIComponent(range)}`));
  if (cli.out.json) return cli.out.data(found);
  const { total, releases, pages } = found;
  cli.out.print(
    `${id}, last ${range}: ${counted(total.visitors, 'visitor', 'visitors')}, ` +
      `${counted(total.sessions, 'page opened', 'pages opened')}${total.session_ms === null ? '' : ` (${formatSpan(total.session_ms)} each)`}, ${counted(total.requests, 'request', 'requests')}`,
  );
  if (total.runs > 0)
    cli.out.print(
      `${counted(total.runs, 'script run', 'script runs')}, ${formatSpan(total.run_ms ?? 0)} on average, ${formatSpan(total.run_max_ms ?? 0)} at most`,
    );
  if (releases.length === 0) return cli.out.print('The app did not run in this time.');
  const columns: Column<Total & { release: number }>[] = [
    { title: 'release', value: (one) => one.release },
    { title: 'ran', value: (one) => formatSpan(one.ran_seconds * 1_000) },
    { title: 'cpu', value: (one) => percent(one.cpu) },
    { title: 'memory', value: (one) => bytes(one.memory_bytes) },
    { title: 'highest', value: (one) => bytes(one.memory_max_bytes) },
    { title: 'requests', value: (one) => one.requests },
    { title: 'failed', value: (one) => one.errors },
    { title: 'median', value: (one) => span(one.latency_p50_ms) },
    { title: 'p95', value: (one) => span(one.latency_p95_ms) },
    { title: 'restarts', value: (one) => one.restarts },
    { title: 'exceptions', value: (one) => one.exceptions },
  ];
  cli.out.print('');
  for (const line of tableLines(releases, columns, cli.out)) cli.out.print(line);
  // An app with a single page has nothing to compare.
  if (pages.length < 2) return;
  cli.out.print('');
  for (const line of tableLines(pages, PAGES, cli.out)) cli.out.print(line);
}

const PAGES: Column<MetricsAnswer['pages'][number]>[] = [
  { title: 'views', value: ({ views }) => views },
  { title: 'runs', value: ({ runs }) => runs },
  { title: 'average', value: ({ run_ms: ms }) => span(ms) },
  { title: 'page', value: ({ page }) => page ?? 'all others', colour: () => 'bold' },
];

/** The share of a core as a percentage. */
export function percent(share: number | null): string | null {
  if (share === null) return null;
  return `${share < 0.0995 ? (share * 100).toFixed(1) : Math.round(share * 100)}%`;
}

function bytes(value: number | null): string | null {
  return value === null ? null : formatBytes(value);
}

function span(ms: number | null): string | null {
  return ms === null ? null : formatSpan(ms);
}
