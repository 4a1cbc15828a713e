import type { App, Api } from './api.js';
import type { Context } from './context.js';
import { follow } from './events.js';
import { tableLines, type Colour, type Column } from './output.js';
import { harmless } from './text.js';
import { asSentence } from '../lib/words.js';
import { compactBytes, compactSpan } from '../lib/units.js';

/** How often (ms) a watched table is redrawn to update the uptime. */
const TICK_MS = 1_000;

const COLOURS: Record<string, Colour> = {
  running: 'green',
  starting: 'yellow',
  deploying: 'yellow',
  created: 'grey',
  stopped: 'grey',
  sleeping: 'grey',
  failed: 'red',
  crashed: 'red',
};

/** Prints a table of all apps, or of one. @throws Refusal `app-not-found` */
export async function status(cli: Context, id: string | undefined, options: { watch?: boolean }): Promise<void> {
  const api = await cli.api();
  const one = id === undefined ? undefined : await api.app(id);
  if (options.watch === true) return watch(cli, api, id);
  if (one !== undefined) {
    if (cli.out.json) return cli.out.data(one);
    for (const line of [...lines([one], cli, api), ...replicaLines(one, cli.out), ...cageLines(one)])
      cli.out.print(line);
    return;
  }
  const { apps, config_mistakes: mistakes, waits_for: reasons = [], runtime } = await api.overview();
  if (cli.out.json)
    return cli.out.data({ url: api.target.url, apps, config_mistakes: mistakes, waits_for: reasons, runtime });
  for (const line of lines(apps, cli, api)) cli.out.print(line);
  if (runtime !== undefined && runtime.kind !== 'process')
    cli.out.print(
      `\nApps run ${runtime.kind === 'swarm' ? 'on a Swarm with' : 'in containers of'} Docker ${harmless(runtime.version ?? '')}.`,
    );
  if (reasons.length > 0)
    cli.out.note(['', 'Deploys are waiting. Live apps keep running.', ...reasons.map(harmless)].join('\n'));
  if (mistakes.length > 0)
    cli.out.note(
      ['', 'config.json has errors. The last valid version stays in effect.', ...mistakes.map(harmless)].join('\n'),
    );
}

/** Returns the lines of the app table. @param since how many seconds ago it was true */
export function statusLines(apps: readonly App[], out: Context['out'], since = (_app: App): number => 0): string[] {
  const memories: Column<App>[] = apps.some((app) => app.memory_bytes !== undefined)
    ? [
        {
          title: 'memory',
          value: ({ memory_bytes: bytes }) => (bytes === null || bytes === undefined ? null : compactBytes(bytes)),
        },
      ]
    : [];
  // Only apps in place have ports.
  const ports: Column<App>[] = apps.some((app) => app.port !== null)
    ? [{ title: 'port', value: (app) => app.port }]
    : [];
  const columns: Column<App>[] = [
    { title: 'app', value: (app) => app.id, colour: () => 'bold' },
    { title: 'state', value: (app) => app.state, colour: (app) => COLOURS[app.state] },
    { title: 'release', value: (app) => app.release },
    { title: 'pid', value: (app) => app.pid },
    ...ports,
    {
      title: 'uptime',
      value: (app) => (app.uptime_seconds === null ? null : compactSpan(app.uptime_seconds + since(app))),
    },
    ...memories,
    { title: 'url', value: (app) => app.url },
    { title: 'name', value: (app) => app.name },
  ];
  return tableLines(apps, columns, out);
}

/** Returns a line below the table for each failed app, with the reason. */
function failures(apps: readonly App[]): string[] {
  const told = apps.filter((app) => app.state === 'failed' && (app.last_deploy?.reason ?? '') !== '');
  return told.length === 0
    ? []
    : ['', ...told.map((app) => `${app.id}: ${harmless(asSentence(app.last_deploy?.reason ?? ''))}`)];
}

/** Below the table of one app, its processes, where it has or should have several. */
export function replicaLines({ processes = [] }: App, out: Context['out']): string[] {
  if (processes.length === 0) return [];
  type Replica = (typeof processes)[number];
  const columns: Column<Replica>[] = [
    { title: 'replica', value: ({ replica }) => replica },
    {
      title: 'state',
      value: ({ state, draining }) => (draining ? 'draining' : state === 'ready' ? 'running' : state),
      colour: ({ state }) => COLOURS[state === 'ready' ? 'running' : state],
    },
    { title: 'pages', value: ({ sessions }) => sessions },
    { title: 'pid', value: ({ pid }) => pid },
    { title: 'uptime', value: ({ uptime_seconds: uptime }) => (uptime === null ? null : compactSpan(uptime)) },
    { title: 'memory', value: ({ memory_bytes: bytes }) => (bytes === null ? null : compactBytes(bytes)) },
    { title: 'cpu', value: ({ cpu }) => (cpu === null ? null : `${Math.round(cpu * 100)} %`) },
    { title: 'restarts', value: ({ restarts }) => restarts },
  ];
  return ['', ...tableLines(processes, columns, out)];
}

/** Below the table of one app, what it runs in; servers before 0.3 do not tell. */
function cageLines({ cage }: App): string[] {
  return cage === undefined || cage === null ? [] : ['', `Cage: ${harmless(cage.description)}`];
}

function lines(apps: readonly App[], cli: Context, api: Api, since?: (app: App) => number): string[] {
  if (apps.length > 0) return [...statusLines(apps, cli.out, since), ...failures(apps)];
  return [`No apps yet. Push one with: git push ${api.target.url}/git/<name>.git main`];
}

/**
 * Shows every change until interrupted: an updated table, or one line of JSON per change.
 * @param only the one app that is shown; all unless given
 */
async function watch(cli: Context, api: Api, only: string | undefined): Promise<void> {
  const { out } = cli;
  const apps = new Map<string, { app: App; at: number }>();
  let lost = false;
  const since = (app: App): number => (performance.now() - (apps.get(app.id)?.at ?? performance.now())) / 1_000;
  const draw = (): void => {
    const list = [...apps.values()].map((each) => each.app).sort((a, b) => (a.id < b.id ? -1 : 1));
    const all = lines(list, cli, api, since);
    if (!out.terminal) return out.print(`${all.join('\n')}\n`);
    if (lost) all.push(out.paint('yellow', 'Connection lost, reconnecting …'));
    const shown =
      all.length < out.rows ? all : [...all.slice(0, out.rows - 2), `… and ${all.length - out.rows + 2} more`];
    out.write(`\x1b[H${shown.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
  };
  const timer = out.terminal && !out.json ? setInterval(draw, TICK_MS) : undefined;
  const events = follow({
    open: (lastId) => api.events('/events', lastId),
    patienceMs: Infinity,
    lost: () => {
      lost = true;
      if (!out.terminal) out.note('Connection lost, reconnecting …');
    },
  });
  try {
    for await (const piece of events) {
      lost = false;
      for (const { event, data } of piece) {
        const told = narrowed(event, JSON.parse(data) as Told, only);
        if (told === undefined) continue;
        if (event === 'snapshot') apps.clear();
        for (const app of event === 'snapshot' ? (told.apps ?? []) : event === 'app' ? [told as App] : [])
          apps.set(app.id, { app, at: performance.now() });
        if (event === 'removed' && told.id !== undefined) apps.delete(told.id);
        if (out.json) out.data({ event, ...told });
      }
      if (!out.json) draw();
    }
  } finally {
    clearInterval(timer);
  }
}

/** The data of an event: all apps, one, or the id of one. */
type Told = Partial<App> & { apps?: App[] };

/** Returns an event without other apps than the one shown; undefined if nothing is left. */
export function narrowed(event: string, told: Told, only: string | undefined): Told | undefined {
  if (only === undefined) return told;
  if (event === 'snapshot') return { ...told, apps: (told.apps ?? []).filter(({ id }) => id === only) };
  return told.id === only ? told : undefined;
}
