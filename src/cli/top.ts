import { setTimeout as sleep } from 'node:timers/promises';
import type { UsageAnswer } from '../web/api/metrics.js';
import { formatBytes, formatSpan } from '../lib/units.js';
import type { Context } from './context.js';
import { percent } from './metrics.js';
import { tableLines, type Column } from './output.js';

/** How often a terminal is redrawn, in ms; the server measures every 10 s. */
const TICK_MS = 5_000;

const COLUMNS: Column<UsageAnswer['apps'][number]>[] = [
  { title: 'cpu', value: ({ cpu }) => percent(cpu) },
  { title: 'memory', value: ({ memory_bytes: memory }) => formatBytes(memory) },
  { title: 'pages', value: ({ open_pages: pages }) => pages },
  { title: 'requests/s', value: ({ requests_per_second: rate }) => (rate === 0 ? 0 : rate.toFixed(1)) },
  { title: 'processes', value: ({ processes }) => processes },
  { title: 'files', value: ({ open_files: files }) => files },
  { title: 'disk', value: ({ storage_bytes: storage, log_bytes: logs }) => diskOf(storage, logs) },
  { title: 'state', value: ({ state }) => state },
  { title: 'app', value: ({ app }) => app, colour: () => 'bold' },
];

/** What an app takes on the disk with its logs. */
export function diskOf(storage: number | null, logs: number | null): string | null {
  return storage === null || logs === null ? null : formatBytes(storage + logs);
}

/** Shows what the apps use, the most demanding first; on a terminal again and again until it is interrupted. */
export async function top(cli: Context): Promise<void> {
  const { out } = cli;
  const api = await cli.api();
  for (;;) {
    const usage = await api.get<UsageAnswer>('/usage');
    if (out.json) return out.data(usage);
    const lines = topLines(usage, out);
    if (!out.terminal) {
      for (const line of lines) out.print(line);
      return;
    }
    const shown = lines.length < out.rows ? lines : lines.slice(0, out.rows - 1);
    out.write(`\x1b[H${shown.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    await sleep(TICK_MS);
  }
}

/** The lines of the table, below those about the machine. */
export function topLines({ box, apps }: UsageAnswer, out: Parameters<typeof tableLines>[2]): string[] {
  const machine =
    box === null
      ? []
      : [
          `CPU ${percent(box.cpu) ?? ''} of ${box.cores} cores, load ${box.load.toFixed(2)} · ` +
            `memory ${formatBytes(box.memory_bytes)} of ${formatBytes(box.memory_total_bytes)} · ` +
            `disk ${formatBytes(box.disk_bytes)} of ${formatBytes(box.disk_total_bytes)}`,
          `Server: CPU ${percent(box.server_cpu) ?? ''}, memory ${formatBytes(box.server_memory_bytes)}, ` +
            `longest event-loop delay ${formatSpan(box.loop_delay_ms)}`,
          '',
        ];
  return [...machine, ...(apps.length === 0 ? ['No apps are running.'] : tableLines(apps, COLUMNS, out))];
}
