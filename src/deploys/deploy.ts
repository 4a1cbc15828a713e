import { rm } from 'node:fs/promises';
import { demandAllowed, releaseCage, UNCAGED } from '../domain/project/app-cage.js';
import type { AppFile } from '../domain/project/app-file.js';
import { findRelease, type App } from '../domain/app/app.js';
import { replicasOf, withReplicas } from '../domain/app/replicas.js';
import { transition, type Release } from '../domain/app/release.js';
import { beyond, chosen, type OptionLimits } from '../domain/streamlit/options.js';
import { varsOf } from '../store/app-config.js';
import type { AppProcess } from '../runtime/app-process.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { moveBranch } from './branches.js';
import { checkScript, lastLines } from './check.js';
import type { DeployLog } from './log.js';
import type { HeadStarts } from './head-starts.js';
import type { ReleaseSources } from './release-source.js';
import type { EffectiveConfig } from '../app-config/effective.js';
import type { Serving } from '../serving/serving.js';
import { formatSeconds } from '../lib/units.js';
import { capitalise, counted } from '../lib/words.js';

/** How long a process that was never live may take to end by itself, in ms. */
const FAILED_GRACE_MS = 500;

/** What a deploy works with. */
export interface DeployKit {
  store: AppStore;
  paths: Paths;
  git: Git;
  sources: ReleaseSources;
  serving: Serving;
  configs: Pick<EffectiveConfig, 'read'>;
  headStarts: Pick<HeadStarts, 'begin' | 'take' | 'settle'>;
  /** The most that apps may choose of Streamlit's options. */
  optionLimits: OptionLimits;
  /** An app's address for visitors. */
  url: (app: string) => string;
}

/**
 * Makes a commit the live release: check out, make the environment, start beside the live process, check, swap. Nothing that
 * serves is touched before the swap, in memory or on disk, and a failure before it leaves nothing behind.
 * @throws Refusal with the reason, in a few words for the pusher's terminal
 */
export async function deploy(
  kit: DeployKit,
  app: App,
  release: Release,
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  const source = kit.sources.of(release);
  log.step(`Release ${release.number} of ${app.id}: ${source.title(release)}, by ${release.by}`);
  log.phases.begin('checkout');
  const { facts, settings } = await source.build(app, release, log, signal);
  log.phases.begin('start');
  const built = await starting(kit, app, release, facts, settings);
  await tellConfig(kit, app, built, log);
  const wanted = replicasOf(withSettings(kit.store.get(app.id), settings));
  const processes = await kit.serving.prepare(app.id, built, wanted, {
    ahead: (variables) => kit.headStarts.take(app.id, built, variables),
  });
  const [first, ...others] = processes;
  if (first === undefined) throw new Error(`release ${built.number} of ${app.id} is to have no process`);
  try {
    await start(kit, built, first, log, signal);
    // A rollback must be quick, and the cause of the problem might fail the check as well.
    if (built.source === 'rollback') log.step('Script check skipped: this release has been live before');
    else {
      log.phases.begin('check');
      await checkScript(kit.paths, built, first, settings.check ?? {}, log, signal);
    }
    await startOthers(kit, built, others, log, signal);
    signal.throwIfAborted();
    await swap(kit, app, built, processes, settings, log);
  } catch (error) {
    // Nobody has used them yet, so they get little time to end.
    await Promise.all(processes.map((process) => process.stop(FAILED_GRACE_MS)));
    throw error;
  }
  log.step(`Live: ${kit.url(app.id)}`);
  try {
    await moveBranch(kit, app, built);
  } catch (error) {
    // The release is live all the same, and the next start of the server moves the branch.
    log.step(`Branch ${release.branch} could not be updated to ${release.commit.slice(0, 7)} yet`);
    throw error;
  }
}

/** Records what a release is made of and that it is starting. @returns the release; its config may have changed since the deploy began */
async function starting(
  kit: DeployKit,
  app: App,
  release: Release,
  built: Partial<Release>,
  { memory, cage: asked }: AppFile,
): Promise<Release> {
  const cage = releaseCage(asked);
  // What it may have is checked at each start. An app in place has all of it, and a network.
  if (cage !== undefined && release.folder !== undefined)
    demandAllowed({ ...cage, readOnly: [], devices: [] }, UNCAGED);
  const facts = {
    ...built,
    ...(memory?.limit_mb === undefined ? {} : { memoryLimitMb: memory.limit_mb }),
    ...(cage && { cage }),
  };
  const record = await move(kit, app.id, release.number, 'starting', facts);
  return findRelease(record, release.number) ?? { ...release, ...facts, state: 'starting' };
}

/** Logs what config the process gets, and what its code reads that is missing. */
async function tellConfig(kit: DeployKit, app: App, release: Release, log: DeployLog): Promise<void> {
  const config = await kit.configs.read(app.id, release.config ?? 0);
  const own = config.version > 0 ? `version ${config.version}` : undefined;
  if (app.preview !== undefined)
    log.step(`Config: from ${app.preview.of}${own === undefined ? '' : `, overridden by ${own} of the preview`}`);
  else if (own !== undefined) log.step(`Config: ${own}`);
  for (const note of beyond(chosen(release.options, varsOf(config)), kit.optionLimits)) log.step(note);
  for (const hint of await kit.sources.of(release).hints(app, release, config)) log.step(hint);
}

async function start(
  kit: DeployKit,
  release: Release,
  process: AppProcess,
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  await begin(kit, release, process, log, signal);
  if (process.addressNote !== '') log.step(capitalise(process.addressNote));
  log.step(`Started; healthy after ${formatSeconds(performance.now() - begun)}`);
}

/** Starts a process and waits until it serves. If it does not, the log shows what it printed last. */
async function begin(
  kit: DeployKit,
  release: Release,
  process: AppProcess,
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  try {
    await process.start();
    await process.whenReady({ signal });
  } catch (error) {
    if (!signal.aborted) await lastLines(kit.paths, release, process, log);
    throw error;
  }
}

/** Starts the replicas beside the first one, which has shown that the release works. */
async function startOthers(
  kit: DeployKit,
  release: Release,
  processes: readonly AppProcess[],
  log: DeployLog,
  signal: AbortSignal,
): Promise<void> {
  if (processes.length === 0) return;
  log.phases.resume('start');
  const begun = performance.now();
  await Promise.all(processes.map((process) => begin(kit, release, process, log, signal)));
  const all = counted(processes.length + 1, 'replica');
  log.step(`All ${all} started; healthy after ${formatSeconds(performance.now() - begun)}`);
}

/** Makes the new release the live one, on disk and in the routes. */
async function swap(
  kit: DeployKit,
  app: App,
  release: Release,
  processes: readonly AppProcess[],
  settings: AppFile,
  log: DeployLog,
): Promise<void> {
  const now = new Date().toISOString();
  const source = kit.sources.of(release);
  await kit.serving.goLive(app.id, processes, (before) => ({
    ...withSettings(source.applied(before, settings), settings),
    live: release.number,
    wanted: 'running',
    asleep: false,
    releases: before.releases.map((one) => {
      if (one.number !== release.number) return one.state === 'live' ? transition(one, 'draining') : one;
      return transition({ ...one, ...release, state: one.state }, 'live', {
        finishedAt: now,
        phases: log.phases.list(),
      });
    }),
  }));
}

/** Applies streamlit-host.toml once its release is live. Settings that the file alone has end with their removal from it. */
function withSettings(before: App, { tags, hidden, replicas, sleep, drain, requests }: AppFile): App {
  // A preview is looked at by few.
  const scaled = replicas === undefined || before.preview !== undefined ? before : withReplicas(before, replicas);
  const { drainLimitMinutes: _drain, requestHeaders: _headers, ...app } = scaled;
  return {
    ...app,
    ...(tags === undefined ? {} : { tags }),
    ...(hidden === undefined ? {} : { hidden }),
    ...(sleep?.after_minutes === undefined ? {} : { sleepAfterMinutes: sleep.after_minutes }),
    ...(drain?.limit_minutes === undefined ? {} : { drainLimitMinutes: drain.limit_minutes }),
    ...(requests?.headers === undefined ? {} : { requestHeaders: requests.headers.map((name) => name.toLowerCase()) }),
  };
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

/** Removes what a deploy that did not go live left on disk, except its logs. */
export async function cleanUp(kit: Pick<DeployKit, 'paths'>, app: string, number: number): Promise<void> {
  await rm(kit.paths.source(app, number), { recursive: true, force: true });
}
