import { appPath, type Deploy } from './api.js';
import type { Context } from './context.js';
import { tableLines, type Colour, type Column } from './output.js';
import { compactSpan } from '../lib/units.js';

const COLOURS: Record<string, Colour> = {
  live: 'green',
  failed: 'red',
  queued: 'yellow',
  building: 'yellow',
  starting: 'yellow',
};

/** Lists the deploys of an app and their results, newest first. */
export async function deploys(cli: Context, id: string, options: { lines: number }): Promise<void> {
  const path = appPath(id, `/deploys?per_page=${Math.min(options.lines, 100)}`);
  const api = await cli.api();
  const found = await api.get<{ deploys: Deploy[]; total: number }>(path);
  if (cli.out.json) return cli.out.data(found);
  if (found.deploys.length === 0) return cli.out.print(`No deploys of ${id} yet.`);
  for (const line of tableLines(found.deploys, columns(new Date()), cli.out)) cli.out.print(line);
}

function columns(now: Date): Column<Deploy>[] {
  return [
    { title: 'release', value: (deploy) => deploy.release, colour: () => 'bold' },
    { title: 'state', value: (deploy) => deploy.state, colour: (deploy) => COLOURS[deploy.state] },
    { title: 'commit', value: (deploy) => deploy.commit.slice(0, 7) },
    { title: 'branch', value: (deploy) => deploy.branch },
    { title: 'by', value: (deploy) => deploy.by.replace(/\s+/g, '_') },
    { title: 'age', value: (deploy) => compactSpan((now.getTime() - Date.parse(deploy.created_at)) / 1_000) },
    { title: 'took', value: (deploy) => (deploy.seconds === null ? null : compactSpan(deploy.seconds)) },
    {
      title: 'message',
      value: (deploy) => (deploy.reason === null ? deploy.message : `${deploy.message} (${deploy.reason})`),
    },
  ];
}
