import { appPath } from './api.js';
import type { Context } from './context.js';
import { follow } from './events.js';
import { cut, harmlessLine } from './text.js';

/** Returns to the beginning of the terminal's line, and clears it. */
const REDRAW = '\r\x1b[K';

export interface LogsOptions {
  follow?: boolean;
  lines: number;
  build?: boolean;
  release?: number;
}

/** Prints the end of an app's output or of a deploy log, or follows it. */
export async function logs(cli: Context, id: string, options: LogsOptions): Promise<void> {
  const { out } = cli;
  const query = new URLSearchParams({ tail: String(options.lines) });
  if (options.build === true || options.release !== undefined) query.set('source', 'build');
  if (options.release !== undefined) query.set('release', String(options.release));
  const path = appPath(id, `/logs?${query.toString()}`);
  const api = await cli.api();
  const print = (line: string): void => {
    if (out.json) out.data({ line });
    else out.print(out.terminal ? harmlessLine(line) : line);
  };

  if (options.follow !== true) {
    const found = await api.get<{ lines: string[] }>(path);
    if (out.json) return out.data(found);
    for (const line of found.lines) print(line);
    return;
  }
  const pieces = follow({
    open: (lastId) => api.events(`${path}&follow=1`, lastId),
    patienceMs: Infinity,
    lost: () => out.note('Connection lost, reconnecting …'),
  });
  let isDrawn = false;
  for await (const piece of pieces) {
    for (const { event, data } of piece) {
      // A progress bar is drawn over until its line is complete; elsewhere, only that line counts.
      if (isDrawn) out.write(REDRAW);
      isDrawn = event === 'redraw' && out.terminal && !out.json;
      if (isDrawn) out.write(cut(harmlessLine(data), (out.columns ?? 80) - 1));
      if (event === 'redraw') continue;
      // The log of a deploy ends with it.
      if (event === 'end') return out.json ? out.data({ end: JSON.parse(data) as unknown }) : undefined;
      print(data);
    }
  }
}
