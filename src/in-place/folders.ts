import { readdir } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { findRelease, idFromName, newApp, pendingRelease, type App } from '../domain/app/app.js';
import type { AppEntry, RawEntry } from '../domain/in-place/config-json.js';
import { isAppName } from '../domain/project/entrypoint.js';
import { parseExtraPath } from '../domain/in-place/extra-paths.js';
import { runsAlike, type Place } from '../domain/in-place/place.js';
import { Turns } from '../lib/turns.js';
import { hasCode, messageOf, Refusal } from '../errors.js';
import type { Ports } from '../runtime/process/ports.js';
import type { AppStore } from '../store/apps.js';
import type { ConfigFile, ConfigState } from '../store/config-file.js';
import type { Deploy } from '../deploys/ongoing.js';
import { system, type Principal } from '../domain/access/principal.js';
import type { AppOutcome, Outcome, Refreshed } from './controller.js';
import type { Watcher } from './watcher.js';
import { inspectPlace } from '../deploys/folder-release.js';
import type { Reader } from '../deploys/reader.js';
import type { FolderSource } from './folder-source.js';
import type { NewApps } from '../apps/new-apps.js';
import type { Removal } from '../apps/removal.js';
import type { Serving } from '../serving/serving.js';
import { asSentence } from '../lib/words.js';

/** How long an answer waits for the deploys that it has begun, in ms; they go on without it. */
const WAIT_MS = 45_000;

/** Who deploys what a watcher has seen. */
const WATCHER = system("the folder's watcher");

/** Who deploys what is found at the start of the server. */
const SERVER = system('the server');

export interface FoldersOptions {
  file: ConfigFile;
  /** The folder in which apps are found; undefined for none. */
  apps: string | undefined;
  store: AppStore;
  newApps: Pick<NewApps, 'add'>;
  removal: Pick<Removal, 'drop'>;
  source: Pick<FolderSource, 'deploy' | 'bringUp' | 'hasChanged'>;
  reader: Reader;
  /** Watches the folders of the apps that ask for it. */
  watcher: Pick<Watcher, 'follow' | 'subscribe'>;
  serving: Pick<Serving, 'process'>;
  ports: Pick<Ports, 'spare' | 'propose'>;
  logger: {
    info(facts: object, text: string): void;
    warn(text: string): void;
    error(facts: object, text: string): void;
  };
}

/** What was begun with one app. */
interface Step extends AppOutcome {
  deploy?: Deploy;
}

/** The apps that config.json and the folder of apps tell of, and that what runs is what they say. One look at a time. */
export class Folders {
  readonly #options: FoldersOptions;
  readonly #turns = new Turns();
  #mistakes: readonly string[] = [];

  constructor(options: FoldersOptions) {
    this.#options = options;
    options.watcher.subscribe((id) => this.changed(id));
  }

  /** The first look, at the start of the server: nobody waits for what it begins. */
  async begin(): Promise<void> {
    const { logger } = this.#options;
    try {
      const { steps } = await this.#look(SERVER);
      for (const { app, outcome, sentence } of steps)
        if (outcome !== 'unchanged') logger.info({ app, outcome }, sentence);
    } catch (error) {
      // The apps that were pushed must not wait until it is fixed.
      logger.error({ err: error }, 'the in-place apps could not be checked');
    }
  }

  /** As `Controller.mistakes` says. */
  get mistakes(): readonly string[] {
    return this.#mistakes;
  }

  /** As `Controller.refresh` says. */
  async refresh(by: Principal): Promise<Refreshed> {
    const { notes, steps } = await this.#look(by);
    return { notes, apps: await Promise.all(steps.map((step) => this.#ended(step))) };
  }

  /** Deploys an app whose watched folder has changed, unless this state of it was tried already. */
  async changed(id: string): Promise<void> {
    const { store, source } = this.#options;
    const app = store.find(id);
    if (app?.place?.watch !== true || app.wanted === 'stopped' || app.asleep) return;
    const newest = app.releases.at(-1);
    if (newest !== undefined && !(await source.hasChanged(app, newest))) return;
    const live = findRelease(app, app.live);
    if (live !== undefined && pendingRelease(app) === undefined && !(await source.hasChanged(app, live))) return;
    await source.deploy(id, WATCHER, 'its code changed');
  }

  /**
   * The apps of a folder that no entry names, as they would be written into config.json, by key.
   * @param notes receives each that cannot be read, such as somebody's private one: it must not hide the others
   */
  async discover(
    folder: string,
    entries: readonly AppEntry[],
    ports: ReadonlySet<number>,
    notes: string[],
  ): Promise<Record<string, RawEntry>> {
    const { file, store, reader } = this.#options;
    const found: Record<string, RawEntry> = {};
    const taken = new Set(ports);
    for (const key of await foldersIn(folder)) {
      const place: Place = { key, dir: join(folder, key), restartOnCrash: true, watch: false };
      const id = idFromName(key);
      if (entries.some((entry) => entry.id === id || entry.place.dir === place.dir)) continue;
      if (Object.keys(found).some((other) => idFromName(other) === id)) continue;
      // One that was adopted, or pushed under this name, is deployed from its repository.
      if (store.find(id) !== undefined && store.find(id)?.place === undefined) continue;
      const meant = await isApp(reader, place).catch((error: unknown) => {
        notes.push(`Cannot read ${place.dir}, so it is skipped: ${messageOf(error)}.`);
        return false;
      });
      if (!meant) continue;
      const port = await this.#options.ports.propose(taken);
      if (port !== undefined) taken.add(port);
      const url = parseExtraPath(`/${key}/`);
      const free = 'path' in url && !entries.some((entry) => entry.path === url.path);
      found[key] = {
        name: key,
        ...(free ? { url: url.path } : {}),
        dir: within(join(file.path, '..'), place.dir),
        ...(port === undefined ? {} : { port }),
        description: '',
        restart_on_crash: true,
      };
    }
    return found;
  }

  async #look(by: Principal): Promise<{ notes: string[]; steps: Step[] }> {
    return this.#turns.take('', async () => {
      const { store, ports, removal, watcher } = this.#options;
      const notes: string[] = [];
      const state = await this.#read(notes);
      this.#tell(state.problems);
      for (const note of notes) this.#options.logger.warn(note);
      const { entries } = state.config;
      ports.spare(entries.flatMap((entry) => entry.place.port ?? []));
      const steps: Step[] = [];
      for (const entry of entries) steps.push(await this.#guard(entry.id, () => this.#apply(entry, by)));
      for (const { id, place } of store.list()) {
        if (!state.there || place === undefined || entries.some((entry) => entry.id === id)) continue;
        steps.push(
          await this.#guard(id, async () => {
            await removal.drop(id);
            return {
              app: id,
              outcome: 'removed',
              sentence: `Removed from config.json. Its files in ${place.dir} are untouched.`,
            };
          }),
        );
      }
      watcher.follow(store.list());
      return { notes: [...state.problems, ...notes], steps };
    });
  }

  /** What is wrong with one app must not keep the others from running. */
  async #guard(app: string, work: () => Promise<Step>): Promise<Step> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refusal) return { app, outcome: 'failed', sentence: error.message };
      this.#options.logger.error({ app, err: error }, 'an in-place app could not be set up');
      return { app, outcome: 'failed', sentence: 'Internal error; see the server log.' };
    }
  }

  /** What config.json says, with the apps that were found in their folder. */
  async #read(notes: string[]): Promise<ConfigState> {
    const { file, apps } = this.#options;
    const state = await file.read();
    if (apps === undefined || state.problems.length > 0) return state;
    try {
      const ports = new Set(state.config.entries.flatMap((entry) => entry.place.port ?? []));
      const found = await this.discover(apps, state.config.entries, ports, notes);
      return Object.keys(found).length === 0 ? state : await file.change(() => ({ apps: found }));
    } catch (error) {
      return {
        ...state,
        problems: [`Cannot write ${file.path}, so new apps in ${apps} are skipped: ${messageOf(error)}.`],
      };
    }
  }

  /** Says what is wrong with config.json, once and not at every look. */
  #tell(problems: readonly string[]): void {
    const isNew = problems.join('\n') !== this.#mistakes.join('\n');
    if (isNew)
      for (const problem of problems)
        this.#options.logger.warn(`${problem} The last valid config.json stays in effect.`);
    this.#mistakes = problems;
  }

  /** Makes one app what config.json says of it. */
  async #apply(entry: AppEntry, by: Principal): Promise<Step> {
    const { store, newApps, source, serving } = this.#options;
    const { id, place, path, name, description } = entry;
    const before = store.find(id);
    const step = (outcome: Outcome, sentence: string, deploy?: Deploy): Step => ({
      app: id,
      outcome,
      sentence,
      ...(deploy === undefined ? {} : { deploy }),
    });
    const facts = { name, description, place, ...(path === undefined ? {} : { path }) };
    if (before === undefined) {
      await newApps.add({ ...newApp(id, name, new Date()), ...facts });
      return step('added', `Runs in place from ${place.dir}.`, await source.bringUp(id, by, 'added'));
    }
    if (before.place === undefined) {
      return step(
        'skipped',
        `${id} is deployed from its own repository. Remove "${place.key}" from config.json, or rename the key.`,
      );
    }
    const told = changesOf(before, entry);
    if (told.length > 0) {
      await store.update(id, ({ path: _path, ...current }) => ({ ...current, ...facts }));
    }
    const changed = told.length === 0 ? '' : `Changed: ${told.join(', ')}.`;
    if (before.wanted === 'stopped')
      return step(told.length === 0 ? 'unchanged' : 'changed', `${changed} The app stays stopped.`.trim());
    const why = await this.#whyRestart(before, entry);
    if (why === undefined)
      return step(
        told.length === 0 ? 'unchanged' : 'changed',
        changed === '' ? 'No changes.' : `${changed} No restart needed.`,
      );
    const runs = serving.process(id)?.state === 'ready' && before.live !== null;
    return step('restarted', asSentence(why), await (runs ? source.deploy(id, by, why) : source.bringUp(id, by, why)));
  }

  /** Why an app that is wanted must be restarted; undefined where it need not. */
  async #whyRestart(before: App, { place }: AppEntry): Promise<string | undefined> {
    const { serving, source, store } = this.#options;
    if (before.place !== undefined && !runsAlike(before.place, place)) return 'its settings changed';
    if (pendingRelease(before) !== undefined) return undefined;
    const process = serving.process(before.id);
    if (process?.state === 'crashed') return 'it crashed';
    if (process === undefined && !before.asleep) return 'it was not running';
    const live = findRelease(before, before.live);
    return live !== undefined && (await source.hasChanged(store.get(before.id), live)) ? 'its code changed' : undefined;
  }

  /** What came of an app, once its deploy has ended. */
  async #ended({ app, outcome, sentence, deploy }: Step): Promise<AppOutcome> {
    if (deploy === undefined) return { app, outcome, sentence };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), WAIT_MS)));
    const release = await Promise.race([deploy.done, late]);
    clearTimeout(timer);
    if (release === undefined)
      return {
        app,
        outcome,
        sentence: `${sentence} The deploy continues. Follow it with: streamlit-host logs ${app} --release ${deploy.release} -f`,
      };
    if (release.state !== 'failed') return { app, outcome, sentence };
    const live = this.#options.store.find(app)?.live ?? null;
    return {
      app,
      outcome: 'failed',
      sentence: `${asSentence(release.reason ?? 'its deploy failed')}${live === null ? '' : ` Release ${live} stays live.`}`,
    };
  }
}

/** The names in config.json of what is another than before. */
function changesOf(app: App, { name, description, path, place }: AppEntry): string[] {
  const pairs: [string, unknown, unknown][] = [
    ['name', app.name, name],
    ['description', app.description, description],
    ['url', app.path, path],
    ['key', app.place?.key, place.key],
    ['dir', app.place?.dir, place.dir],
    ['app', app.place?.main, place.main],
    ['venv', app.place?.venv, place.venv],
    ['port', app.place?.port, place.port],
    ['restart_on_crash', app.place?.restartOnCrash, place.restartOnCrash],
    ['watch', app.place?.watch, place.watch],
  ];
  return pairs.filter(([, was, is]) => was !== is).map(([what]) => what);
}

/**
 * True where a folder says that it is an app: other scripts in the folder must not be run by accident. What the app lacks
 * is reported when it is deployed.
 */
async function isApp(reader: Reader, place: Place): Promise<boolean> {
  try {
    const { main, settings } = await inspectPlace(reader, place);
    return settings.main !== undefined || isAppName(basename(main));
  } catch (error) {
    if (error instanceof Refusal && error.kind !== 'unavailable')
      return error.code !== 'main-missing' && error.code !== 'folder-missing';
    throw error;
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return []; // No folder of apps: none are found.
    throw error;
  }
}

/** A path as it stands in config.json: from there where it is below, so that the whole may be moved. */
function within(base: string, path: string): string {
  const way = relative(base, path);
  return way.startsWith('..') || way === '' ? path : way.split(sep).join('/');
}
