import { rm } from 'node:fs/promises';
import type { AppFile } from '../domain/project/app-file.js';
import { findRelease, type App } from '../domain/app/app.js';
import { transition, type Release } from '../domain/app/release.js';
import { both } from '../lib/both.js';
import { checkout } from '../environments/checkout.js';
import { isComplete } from '../environments/places.js';
import type { Environments } from '../environments/environments.js';
import type { SystemPackages } from '../environments/system-packages.js';
import type { AppProcess } from '../runtime/app-process.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import { moveBranch } from './branches.js';
import { checkScript, lastLines } from './check.js';
import type { DeployLog } from './log.js';
import { buildFolder } from './folder-build.js';
import type { HeadStarts } from './head-starts.js';
import { hintsFor } from './hints.js';
import type { InheritedConfig } from '../app-config/effective.js';
import { inspectCommit, settingsIn } from './inspect.js';
import type { Serving } from '../serving/serving.js';
import { formatSeconds } from '../lib/units.js';
import { capitalise, counted } from '../lib/words.js';

/** How long a process that never served may take to end by itself, in ms. */
const FAILED_GRACE_MS = 500;

/** What a deploy works with. */
export interface DeployKit {
  store: AppStore;
  paths: Paths;
  git: Git;
  environments: Environments;
  systemPackages: Pick<SystemPackages, 'provide'>;
  serving: Serving;
  configs: Pick<InheritedConfig, 'read'>;
  headStarts: Pick<HeadStarts, 'begin' | 'take' | 'settle'>;
  /** An app's address for visitors. */
  url: (app: string) => string;
}

/**
 * Makes a commit the live release: check out, make the environment, start beside, check, swap. Until the swap nothing
 * that serves is touched, in memory or on disk; whatever fails before it leaves nothing behind.
 * @throws Refusal with the reason, in a few words for the pusher's terminal
 */
export async function deploy(
  kit: DeployKit,
  app: App,
  release: Release,
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  log.step(`Release ${release.number} of ${app.id}: ${whatOf(release)}, by ${release.by}`);
  const { built, settings } = await build(kit, app, release, log, signal);
  await tellConfig(kit, app, built, log);
  const process = await kit.serving.prepare(app.id, built, (variables) =>
    kit.headStarts.take(app.id, built, variables),
  );
  try {
    await start(kit, built, process, log, signal);
    // Somebody wants back what worked, and at once; what ails the newer release may ail the check as well.
    if (built.source === 'rollback') log.step('The script was not run again: this release was live before');
    else await checkScript(kit.paths, built, process, settings.check ?? {}, log, signal);
    signal.throwIfAborted();
    await swap(kit, app, built, process, settings);
  } catch (error) {
    // Nobody has seen it, so it need not be asked for long.
    await process.stop(FAILED_GRACE_MS);
    throw error;
  }
  log.step(`Live: ${kit.url(app.id)}`);
  try {
    await moveBranch(kit, app, built);
  } catch (error) {
    // It serves all the same, and the next start of the server moves the branch.
    log.step(`Branch ${release.branch} could not be moved to ${release.commit.slice(0, 7)} yet`);
    throw error;
  }
}

/** What a release is of, as its log begins. */
function whatOf({ branch, commit, message, folder }: Release): string {
  if (folder !== undefined) return `${folder.dir} as it is${message === '' ? '' : ` (${message})`}`;
  return `${branch} at ${commit.slice(0, 7)}${message === '' ? '' : ` "${message}"`}`;
}

/** A release that could be started, and what its own streamlit-host.toml says. */
interface Built {
  built: Release;
  settings: AppFile;
}

/** Everything up to a release that could be started: its source, its main file and its environment. */
async function build(kit: DeployKit, app: App, release: Release, log: DeployLog, signal: AbortSignal): Promise<Built> {
  if (release.folder !== undefined) {
    const { facts, settings } = await buildFolder(kit.environments, app, log, signal);
    return { built: await starting(kit, app, release, facts, settings), settings };
  }
  if (
    release.of !== undefined &&
    release.entrypoint !== undefined &&
    (await isComplete(kit.paths.environment(release.environment ?? '-')))
  ) {
    return bringBack(kit, app, { ...release, of: release.of, entrypoint: release.entrypoint }, log, signal);
  }
  const repository = new Repository(kit.paths.repository(app.id), kit.git);
  // At once: what gets here was inspected before it was queued, so that it is refused now is rare.
  const [found, { source, files }] = await both(
    inspectCommit(repository, release.commit, { signal }),
    checkOut(kit, app, release, signal),
  );
  const { settings, entrypoint } = found;
  tellFiles(log, files, entrypoint);
  for (const note of found.dependencies.notes) log.step(note);
  await kit.systemPackages.provide({ names: found.packages, signal, onLine: (line) => log.step(line) });
  log.step('Environment:');
  const environment = await kit.environments.ensure({
    dependencies: found.dependencies,
    python: found.python,
    sourceDir: source,
    localKey: release.commit,
    onLine: (line) => log.output(line),
    signal,
  });
  log.step(
    environment.reused
      ? 'Environment ready: nothing to install'
      : `Environment ready after ${formatSeconds(environment.ms)}`,
  );
  return {
    built: await starting(kit, app, release, { entrypoint, environment: environment.hash }, settings),
    settings,
  };
}

/** A release of what another one has built. */
type BuiltBefore = Release & { of: number; entrypoint: string };

/** What was built before: its code as it was committed, and nothing is looked for again. */
async function bringBack(
  kit: DeployKit,
  app: App,
  release: BuiltBefore,
  log: DeployLog,
  signal: AbortSignal,
): Promise<Built> {
  const { source, files } = await checkOut(kit, app, release, signal);
  tellFiles(log, files, release.entrypoint);
  const before = `release ${release.of}`;
  log.step(
    release.source === 'config'
      ? `The code and the environment are those of ${before}`
      : `Brings back ${before}, with its environment as it was`,
  );
  const settings = await settingsIn(source);
  return { built: await starting(kit, app, release, {}, settings), settings };
}

/** Puts a release's files in their place, and keeps its commit from git's clean-up, for as long as the release is kept. */
async function checkOut(
  kit: DeployKit,
  app: App,
  release: Release,
  signal: AbortSignal,
): Promise<{ source: string; files: number }> {
  const repository = new Repository(kit.paths.repository(app.id), kit.git);
  const source = kit.paths.source(app.id, release.number);
  const [files] = await both(
    checkout({ repository: repository.path, commit: release.commit, to: source, path: kit.git.env.PATH ?? '', signal }),
    repository.keepRelease(release.number, release.commit),
  );
  return { source, files };
}

function tellFiles(log: DeployLog, files: number, entrypoint: string): void {
  log.step(`Checked out ${counted(files, 'file')}; main file: ${entrypoint}`);
}

/** Writes down what a release is made of, and that it is started now. @returns it; its config may have been changed since the deploy began */
async function starting(
  kit: DeployKit,
  app: App,
  release: Release,
  built: Partial<Release>,
  { memory }: AppFile,
): Promise<Release> {
  const facts = { ...built, ...(memory?.limit_mb === undefined ? {} : { memoryLimitMb: memory.limit_mb }) };
  const record = await move(kit, app.id, release.number, 'starting', facts);
  return findRelease(record, release.number) ?? { ...release, ...facts, state: 'starting' };
}

/** Says what the process gets of config, and what its code asks for besides. */
async function tellConfig(kit: DeployKit, app: App, release: Release, log: DeployLog): Promise<void> {
  const config = await kit.configs.read(app.id, release.config ?? 0);
  const own = config.version > 0 ? `version ${config.version}` : undefined;
  if (app.preview !== undefined)
    log.step(`Config: that of ${app.preview.of}${own === undefined ? '' : `, with ${own} of its own over it`}`);
  else if (own !== undefined) log.step(`Config: ${own}`);
  // A folder that is not ours may hold much that is not the app's code.
  if (release.folder !== undefined) return;
  for (const hint of await hintsFor(kit.paths.source(app.id, release.number), config)) log.step(hint);
}

async function start(
  kit: DeployKit,
  release: Release,
  process: AppProcess,
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  const begun = Date.now();
  try {
    await process.start();
    await process.whenReady({ signal });
  } catch (error) {
    if (!signal.aborted) await lastLines(kit.paths, release, process, log);
    throw error;
  }
  if (process.portNote !== '') log.step(capitalise(process.portNote));
  log.step(`Started on port ${process.port}: answers its health check after ${formatSeconds(Date.now() - begun)}`);
}

/** The one moment in which the new release becomes the live one: on disk and in the routes. */
async function swap(
  kit: DeployKit,
  app: App,
  release: Release,
  process: AppProcess,
  { description, tags, hidden, sleep, drain }: AppFile,
): Promise<void> {
  const now = new Date().toISOString();
  await kit.serving.goLive(app.id, process, ({ drainLimitMinutes: _before, ...current }) => ({
    ...(release.folder === undefined ? withoutPlace(current) : current),
    // An app in place is described in config.json.
    ...(description === undefined || release.folder !== undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
    ...(hidden === undefined ? {} : { hidden }),
    ...(sleep?.after_minutes === undefined ? {} : { sleepAfterMinutes: sleep.after_minutes }),
    ...(drain?.limit_minutes === undefined ? {} : { drainLimitMinutes: drain.limit_minutes }),
    live: release.number,
    wanted: 'running',
    asleep: false,
    releases: current.releases.map((one) => {
      if (one.number === release.number)
        return transition({ ...one, ...release, state: one.state }, 'live', { finishedAt: now });
      return one.state === 'live' ? transition(one, 'draining') : one;
    }),
  }));
}

/** An app whose repository is live runs in place no more. */
function withoutPlace({ place: _place, ...app }: App): App {
  return app;
}

/** Writes a release's next state, from the newest record. */
export async function move(
  kit: Pick<DeployKit, 'store'>,
  app: string,
  number: number,
  to: Release['state'],
  facts: Partial<Release> = {},
): Promise<App> {
  return kit.store.update(app, (current) => ({
    ...current,
    releases: current.releases.map((one) => (one.number === number ? transition(one, to, facts) : one)),
  }));
}

/** Removes what a deploy that did not become live has left on disk, except its logs. */
export async function cleanUp(kit: Pick<DeployKit, 'paths'>, app: string, number: number): Promise<void> {
  await rm(kit.paths.source(app, number), { recursive: true, force: true });
}
