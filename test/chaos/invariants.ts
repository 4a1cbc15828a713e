import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { appSchema, type App } from '../../src/domain/app/app.js';
import { isPending, type Release } from '../../src/domain/app/release.js';
import { run } from '../helpers/project.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';
import { isStopped, processesOf, runs, type Seen } from './machine.js';
import { strangeLines } from './server-log.js';
import type { AppName, Plan } from './plan.js';
import { TTL_S, type ChaosApp, type World } from './world.js';

/** How long a pusher may wait once the server is back and nothing of the push goes on, in ms. */
const PUSHER_MS = 10_000;
/** How long (ms) a backup may take, which has a lower priority than everything else on a busy machine. */
const BACKUP_MS = 60_000;
/** How long everything may take to hold, in ms: on a busy machine, apps take their time to start. */
const SETTLE_MS = 60_000;
/** After how long (ms) an app that does not answer is started again, with the questions that it must leave unanswered. */
const HANG_MS = 90_000;
const PAUSE_MS = 50;

/** What a round left. */
export interface Aftermath {
  plan: Plan;
  /** Resolves once every client has its answer. */
  done: Promise<unknown>;
  isDone: () => boolean;
  /** What visitors noticed that they must not notice. */
  noticed: () => string[];
}

/** Waits until everything holds. @returns what does not */
export async function check(world: World, aftermath: Aftermath): Promise<string[]> {
  const silent = await answered(world, aftermath);
  if (silent !== undefined) return [silent];
  await world.keepWanted();
  const states: Check[] = [settled, serving, recorded, running, tidy];
  const deadline = Date.now() + SETTLE_MS + (aftermath.plan.fault === 'hang-app' ? HANG_MS : 0);
  for (;;) {
    const wrong = await broken(world, states);
    if (wrong.length === 0) break;
    if (Date.now() > deadline) return wrong;
    await sleep(PAUSE_MS);
  }
  const facts = await broken(world, [told, pages, whole, audited]);
  const strange = strangeLines(world.log, aftermath.plan.fault).map((line) => `the server logged: ${line}`);
  return [...facts, ...strange, ...aftermath.noticed().map((one) => `a visitor saw ${one}`)];
}

/** Waits until each client has its answer. A pusher waits as long as the deploy goes on, and little longer. @returns who waits for longer */
async function answered(world: World, { done, isDone }: Aftermath): Promise<string | undefined> {
  for (let quietSince = Date.now(); !isDone();) {
    await Promise.race([done, sleep(PAUSE_MS)]);
    const pending = (await records(world)).some((app) => app.releases.some(({ state }) => isPending(state)));
    if (pending) quietSince = Date.now();
    const backup = (await names(join(world.data, 'tmp'))).some((name) => name.startsWith('backup-'));
    if (isDone() || Date.now() - quietSince < (backup ? BACKUP_MS : PUSHER_MS)) continue;
    const waiting = world.sent.filter((one) => one.told === undefined).map(({ app }) => app);
    return `a client waits although nothing goes on: ${waiting.join(', ') || 'of the API'}`;
  }
  return undefined;
}

type Check = (world: World) => Promise<string[]>;

async function broken(world: World, checks: readonly Check[]): Promise<string[]> {
  const found = await Promise.all(
    checks.map((one) => one(world).catch((error: unknown) => [`${one.name}: ${String(error)}`])),
  );
  return found.flat();
}

/** The records on disk. */
async function records(world: World): Promise<App[]> {
  const folder = join(world.data, 'apps');
  const read = async (id: string): Promise<App[]> => {
    const text = await readFile(join(folder, id, 'meta.json'), 'utf8').catch(() => undefined);
    // It is being deleted; what is left of it is found below.
    return text === undefined ? [] : [appSchema.parse(JSON.parse(text))];
  };
  return (await Promise.all((await readdir(folder)).map(read))).flat();
}

/** No deploy is pending, and each that failed says why. */
const settled: Check = async (world) =>
  (await records(world)).flatMap((app) =>
    app.releases.flatMap((release) => {
      const about = `release ${release.number} of ${app.id} is ${release.state}`;
      if (isPending(release.state)) return [about];
      const why = release.reason ?? '';
      return release.state === 'failed' && (why === '' || why.includes('internal error')) ? [`${about}: "${why}"`] : [];
    }),
  );

/** Each wanted app shows the version of its newest good release. */
const serving: Check = async (world) => {
  const checked = await Promise.all(
    (await records(world)).map(async (app) => {
      const known = world.apps.get(app.id as AppName);
      if (app.live === null || known?.wanted !== 'running') return [];
      const newest = Math.max(...app.releases.filter(hasServed).map(({ number }) => number));
      if (newest !== app.live) return [`${app.id} serves release ${app.live} instead of ${newest}`];
      const commit = app.releases.find(({ number }) => number === newest)?.commit ?? '';
      const code = await run(
        'git',
        ['show', `${commit}:app.py`],
        join(world.data, 'apps', repositoryOf(app), 'repo.git'),
      );
      const wanted = /version=[a-z]+-\d+/.exec(code.output)?.[0] ?? '?';
      const client = await StreamlitClient.connect(`${world.host.url}/apps/${app.id}/`);
      try {
        const shown = await client.run('', { limitMs: 20_000 });
        return shown.includes(wanted) ? [] : [`${app.id} shows ${shown.join(' ')} instead of ${wanted}`];
      } finally {
        await client.close();
      }
    }),
  );
  return checked.flat();
};

/** What the API says is on disk, and runs. */
const recorded: Check = async (world) => {
  const list = await records(world);
  const checked = await Promise.all(
    list.map(async (app) => {
      const said = await world.host.app(app.id);
      const wrong: string[] = [];
      if (said.release !== app.live) wrong.push(`the API says release ${String(said.release)}, the record ${app.live}`);
      if (app.wanted === 'running' && app.live !== null && said.state !== 'running')
        wrong.push(`it is ${String(said.state)} although it is wanted`);
      if (said.state === 'running' && !runs(Number(said.pid))) wrong.push(`pid ${String(said.pid)} does not run`);
      for (const { pid, release } of app.processes) {
        const { state } = app.releases.find(({ number }) => number === release) ?? {};
        if (!runs(Number(pid))) wrong.push(`pid ${pid} of release ${release} is on record and does not run`);
        if (state !== 'live' && state !== 'draining') wrong.push(`release ${release} is ${state} and has a process`);
      }
      return wrong.map((one) => `${app.id}: ${one}`);
    }),
  );
  const ready = await world.host.api('/../readyz');
  return [...checked.flat(), ...(ready.status === 200 ? [] : [`/readyz: ${await ready.text()}`])];
};

/** Nothing runs that nobody knows. */
const running: Check = async (world) => {
  const servers = await world.servers();
  const known = new Set((await records(world)).flatMap((app) => app.processes.map(({ mark }) => mark)));
  const seen = await processesOf(world.data, world.mark, servers);
  const isOwn = (one: Seen): boolean =>
    servers.includes(one.pid) ||
    /(redis|valkey)-server/.test(one.command) ||
    known.has(`${world.mark}/${one.mark ?? ''}`) ||
    isCompiling(one, seen, servers);
  const strays = seen.filter((one) => !isOwn(one));
  const redis = seen.filter(({ command }) => /(redis|valkey)-server/.test(command));
  return [
    ...strays.map((one) => `a stray process: ${one.pid} (${one.state}) ${one.mark ?? ''} ${one.command.slice(0, 200)}`),
    ...(redis.length === 1 ? [] : [`${redis.length} Redis run`]),
  ];
};

/** The server compiles environments in the background, for minutes where others need the processor. */
function isCompiling({ mark }: Seen, seen: readonly Seen[], servers: number[]): boolean {
  const together = seen.filter((one) => mark !== undefined && one.mark === mark);
  return (
    together.some(({ command }) => command.includes('compile.py')) &&
    together.some((one) => servers.includes(one.parent))
  );
}

/** No unfinished work is left on disk, and each process has its socket, its secrets and its control group. */
const tidy: Check = async (world) => {
  const list = await records(world);
  const processes = list.flatMap((app) => app.processes);
  const left: string[] = [];
  for (const folder of ['tmp', 'builds/drafts'])
    left.push(...(await names(join(world.data, folder))).filter(isNoBytecode).map((name) => `${folder}/${name}`));
  for (const folder of ['', 'apps', 'run', 'audit', 'alerts', 'metrics', ...list.map(({ id }) => `apps/${id}`)])
    left.push(...(await names(join(world.data, folder))).filter((name) => name.endsWith('.draft')));
  for (const { id } of list) {
    const repository = join(world.data, 'apps', id, 'repo.git');
    const all = await readdir(repository, { recursive: true }).catch(() => []);
    left.push(...all.filter((name) => /\.lock$|incoming-|tmp_/.test(name)).map((name) => `${id}/repo.git/${name}`));
  }
  for (const id of await names(join(world.data, 'apps')))
    if (!list.some((app) => app.id === id)) left.push(`apps/${id}`);
  const sockets = await names(join(world.data, 'run/app'));
  const groups = await names(`/sys/fs/cgroup/memory/streamlit-host-${world.mark}`);
  const own = groups.filter((name) => !name.includes('.') && !['tasks', 'notify_on_release'].includes(name));
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter((line) => line.includes(world.data));
  return [
    ...left.map((name) => `left on disk: ${name}`),
    ...mounts.map((line) => `left mounted: ${line}`),
    ...(sockets.length === processes.length ? [] : [`${sockets.length} sockets of ${processes.length} processes`]),
    ...(own.length === 0 || own.length === processes.length
      ? []
      : [`${own.length} control groups of ${processes.length} processes`]),
  ];
};

/** Nobody was told anything that is not so. */
const told: Check = async (world) => {
  const list = await records(world);
  return world.sent.flatMap(({ app, commit, told: answer, deleted }) => {
    if (deleted) return [];
    const releases = list.flatMap((one) => (one.id === app || one.preview?.of === app ? one.releases : []));
    const release = releases.findLast((one) => one.commit === commit);
    const served = release !== undefined && hasServed(release);
    const reason = /remote rejected\].*\((.*)\)/.exec(answer?.output ?? '')?.[1];
    // What is pushed to another branch than the deploy branch is only stored.
    const isLive = answer?.code === 0 && answer.output.includes('is live');
    if (isLive && !served) return [`${app}: a push was accepted and its release is ${release?.state}`];
    if (reason !== undefined && served && !/stopping|reloaded/.test(reason))
      return [`${app}: a push was rejected (${reason}) and its release is ${release.state}`];
    return reason?.includes('nternal error') === true ? [`${app}: a push was rejected: ${reason}`] : [];
  });
};

/** Pages keep their state as long as the process behind them lives. */
const pages: Check = async (world) => {
  const wrong: string[] = [];
  for (const app of world.apps.values()) wrong.push(...(await keepPage(world, app)));
  return wrong;
};

async function keepPage(world: World, app: ChaosApp): Promise<string[]> {
  const { page } = app;
  const wrong: string[] = [];
  // One that hangs answers no page, until the server ends it.
  if (page !== undefined && runs(page.pid) && !(await isStopped(page.pid))) {
    const path = `/apps/${app.id}/~${page.release}`;
    const lostFor = page.client.isOpen ? 0 : Date.now() - page.lostAt;
    if (!page.client.isOpen && lostFor < (TTL_S - 1) * 1_000) {
      const options = { path, session: page.client.session };
      page.client = await StreamlitClient.connect(`${world.host.url}/apps/${app.id}/`, options);
    }
    if (page.client.isOpen) {
      const shown = await page.client.run();
      page.count += 1;
      if (!shown.includes(`count=${page.count}`)) wrong.push(`a page of ${app.id} lost its state: ${shown.join(' ')}`);
    }
  }
  await world.openPage(app);
  return wrong;
}

/** git finds nothing wrong with any repository, and each branch is where it was left. */
const whole: Check = async (world) => {
  const list = (await records(world)).filter((app) => app.preview === undefined);
  const checked = await Promise.all(
    list.map(async ({ id }) => {
      const { code, output } = await run(
        'git',
        ['fsck', '--full', '--no-dangling'],
        join(world.data, 'apps', id, 'repo.git'),
      );
      return code === 0 && !/error|missing|broken/.test(output) ? [] : [`git fsck of ${id}: ${output}`];
    }),
  );
  return checked.flat();
};

/** No entry of the audit log is missing or was changed. */
const audited: Check = async (world) => {
  const answer = (await (await world.host.api('/audit/verify')).json()) as { ok: boolean; problem: string | null };
  return answer.ok ? [] : [`the audit log: ${answer.problem}`];
};

/** What is compiled in the background is written there. */
function isNoBytecode(name: string): boolean {
  return !name.startsWith('bytecode-');
}

function repositoryOf(app: App): string {
  return app.preview?.of ?? app.id;
}

function hasServed({ state }: Release): boolean {
  return state === 'live' || state === 'draining' || state === 'retired';
}

function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
