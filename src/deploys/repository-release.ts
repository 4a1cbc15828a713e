import { join } from 'node:path';
import { checkout } from '../environments/checkout.js';
import type { Environments } from '../environments/environments.js';
import { isComplete } from '../environments/places.js';
import type { SystemPackages } from '../environments/system-packages.js';
import type { App } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import type { AppFile } from '../domain/project/app-file.js';
import { both } from '../lib/both.js';
import type { Runtime } from '../runtime/runtime.js';
import { counted } from '../lib/words.js';
import type { EffectiveConfig } from '../app-config/effective.js';
import { varsOf, type AppConfig } from '../store/app-config.js';
import type { Git } from '../store/git.js';
import { LfsObjects } from '../store/lfs-objects.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';
import { hintsFor } from './hints.js';
import { optionsOf, settingsIn, type Inspector } from './inspect.js';
import { atItsFolder, ensureEnvironment } from './environment-step.js';
import type { DeployLog } from './log.js';
import type { Reader } from './reader.js';
import type { Built, ReleaseSource } from './release-source.js';

export interface RepositoryReleasesOptions {
  paths: Paths;
  git: Git;
  environments: Pick<Environments, 'ensure'>;
  systemPackages: Pick<SystemPackages, 'provide'>;
  inspector: Pick<Inspector, 'take'>;
  reader: Reader;
  runtime: Pick<Runtime, 'provide'>;
  configs: Pick<EffectiveConfig, 'read'>;
}

/** A release that reuses what another one has built. */
type BuiltBefore = Release & { of: number; entrypoint: string };

/** Makes releases of commits: pushed, uploaded, edited, or rolled back to. */
export class RepositoryReleases implements ReleaseSource {
  readonly #options: RepositoryReleasesOptions;

  constructor(options: RepositoryReleasesOptions) {
    this.#options = options;
  }

  title({ branch, commit, message }: Release): string {
    return `${branch} at ${commit.slice(0, 7)}${message === '' ? '' : ` "${message}"`}`;
  }

  async build(app: App, release: Release, log: DeployLog, signal: AbortSignal): Promise<Built> {
    const { paths, environments, systemPackages, inspector, configs } = this.#options;
    const { of, entrypoint: before } = release;
    if (of !== undefined && before !== undefined && (await isComplete(paths.environment(release.environment ?? '-')))) {
      return this.#reuse(app, { ...release, of, entrypoint: before }, log, signal);
    }
    // In parallel: a commit was inspected before it was queued, so a refusal is rare here.
    const [found, { source, files }] = await both(
      inspector.take(this.#repository(app), release.commit, { signal, layout: release.layout, lfs: this.#lfs(app) }),
      this.#checkOut(app, release, signal),
    );
    const { settings, entrypoint, root } = found;
    tellFiles(log, files, entrypoint, root);
    for (const note of found.dependencies.notes) log.step(note);
    log.phases.begin('environment');
    await systemPackages.provide({ names: found.packages, signal, onLine: (line) => log.step(line) });
    const { dependencies, python } = found;
    const { within, ...place } = atItsFolder(dependencies, join(source, root ?? ''));
    const vars = varsOf(await configs.read(app.id, release.config ?? 0));
    const own = { app: app.id, within };
    const request = { ...place, python, localKey: release.commit, own, fresh: release.fresh, vars, signal };
    const made = await ensureEnvironment(environments, request, log);
    const provided = await this.#options.runtime.provide?.(paths.environment(made.environment));
    if (provided !== undefined) log.step(provided);
    const options = await optionsOf(this.#options.reader, join(source, root ?? ''), entrypoint);
    return { facts: { ...(root === undefined ? {} : { root }), entrypoint, ...made, options }, settings };
  }

  async hints(app: App, release: Release, config: AppConfig): Promise<string[]> {
    return hintsFor(this.#options.reader, this.#options.paths.sourceOf(app.id, release), config);
  }

  /** An app whose repository is live no longer runs in place. */
  applied({ place: _place, ...app }: App, { description }: AppFile): App {
    return description === undefined ? app : { ...app, description };
  }

  /** Prepares a release from what was built before: the committed code, with nothing inspected again. */
  async #reuse(app: App, release: BuiltBefore, log: DeployLog, signal: AbortSignal): Promise<Built> {
    const { source, files } = await this.#checkOut(app, release, signal);
    tellFiles(log, files, release.entrypoint, release.root);
    const before = `release ${release.of}`;
    log.step(
      release.source === 'config'
        ? `Reusing the code and environment of ${before}`
        : `Rolling back to ${before}, with the same environment`,
    );
    return { facts: {}, settings: await settingsIn(this.#options.reader, source, release.root) };
  }

  /** Checks out a release's files, and protects its commit from git's clean-up as long as the release is kept. */
  async #checkOut(app: App, release: Release, signal: AbortSignal): Promise<{ source: string; files: number }> {
    const { paths, git } = this.#options;
    const repository = this.#repository(app);
    const to = paths.source(app.id, release.number);
    const [files] = await both(
      checkout({
        ...{ repository: repository.path, commit: release.commit, to, path: git.env.PATH ?? '', signal },
        lfs: this.#lfs(app),
      }),
      repository.keepRelease(release.number, release.commit),
    );
    return { source: to, files };
  }

  /** A preview is of a branch that was pushed to its app. */
  #lfs({ id, preview }: App): LfsObjects {
    return new LfsObjects(this.#options.paths.lfs(preview?.of ?? id));
  }

  #repository({ id }: App): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}

function tellFiles(log: DeployLog, files: number, entrypoint: string, root: string | undefined): void {
  const folder = root === undefined ? '' : ` root folder: ${root};`;
  log.step(`Checked out ${counted(files, 'file')};${folder} main file: ${entrypoint}`);
}
