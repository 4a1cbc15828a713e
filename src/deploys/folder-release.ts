import { join, relative } from 'node:path';
import type { Environments } from '../environments/environments.js';
import { APP_FILE, type AppFile } from '../domain/project/app-file.js';
import { below, DEPENDENCY_FILES, folderOf } from '../domain/project/layout.js';
import type { App } from '../domain/app/app.js';
import type { Dependencies } from '../domain/python/dependencies.js';
import { chooseEntrypoint, withoutLauncher } from '../domain/project/entrypoint.js';
import { VENV_NAMES, type Place } from '../domain/in-place/place.js';
import type { PythonWish } from '../domain/python/python-version.js';
import type { Release } from '../domain/app/release.js';
import { Refusal } from '../errors.js';
import { digestOf, filesIn, isThere, readTopFile } from '../store/folder.js';
import { atItsFolder, ensureEnvironment } from './environment-step.js';
import type { DeployLog } from './log.js';
import { optionsOf, settingsIn } from './inspect.js';
import type { Reader } from './reader.js';
import type { Built, ReleaseSource } from './release-source.js';

/** The largest list of packages that is read, in bytes. */
const MAX_LIST = 5 * 1024 * 1024;

/** The largest main file that is read for what it does, in bytes. */
const MAX_MAIN = 256 * 1024;

/** Makes releases of in-place apps: nothing is copied, and nothing is written to the folder. */
export class FolderReleases implements ReleaseSource {
  readonly #environments: Pick<Environments, 'ensure'>;
  readonly #reader: Reader;

  constructor(environments: Pick<Environments, 'ensure'>, reader: Reader) {
    this.#environments = environments;
    this.#reader = reader;
  }

  title({ folder, message }: Release): string {
    return `the files in ${folder?.dir ?? 'its folder'}${message === '' ? '' : ` (${message})`}`;
  }

  /**
   * Uses the folder's own virtual environment as it is. If it has none, one is made from its list of packages.
   * @throws Refusal with one sentence on what is missing, those of environments
   */
  async build({ id, place }: App, { fresh }: Release, log: DeployLog, signal: AbortSignal): Promise<Built> {
    if (place === undefined) throw new Refusal('conflict', 'not-in-place', `${id} no longer runs in place.`);
    const { venv, main, settings } = await inspectPlace(this.#reader, place);
    // Before the process reads it: a later change is another release.
    const commit = await digestOf(place.dir, place.main);
    log.step(`Running in place from ${place.dir}; main file: ${relative(place.dir, main)}`);
    const facts = {
      commit,
      entrypoint: relative(place.dir, main),
      folder: { dir: place.dir, ...(venv === undefined ? {} : { venv }) },
      options: await optionsOf(this.#reader, place.dir, relative(place.dir, main)),
    };
    if (venv !== undefined) {
      log.step(`Using the app's own environment: ${venv}`);
      return { facts, settings };
    }
    log.phases.begin('environment');
    const { dependencies, python } = await dependenciesOf(this.#reader, place, facts.entrypoint, settings);
    for (const note of dependencies.notes) log.step(note);
    // The folder belongs to the operator, and may share packages with its neighbours.
    const { dependencies: list, sourceDir } = atItsFolder(dependencies, place.dir);
    const request = {
      dependencies: list,
      sourceDir,
      python,
      localKey: commit,
      fresh,
      outside: 'allowed',
      signal,
    } as const;
    const made = await ensureEnvironment(this.#environments, request, log);
    return { facts: { ...facts, ...made }, settings };
  }

  /** Returns none: the folder may contain much more than the app's code. */
  async hints(): Promise<string[]> {
    return [];
  }

  /** Changes nothing: an in-place app is described in config.json. */
  applied(app: App): App {
    return app;
  }
}

/**
 * Checks whether an in-place app can be started.
 * @returns its main file and its own virtual environment, absolute, and what its streamlit-host.toml says
 * @throws Refusal `folder-missing`, `main-missing`, `venv-missing`, those of streamlit-host.toml
 */
export async function inspectPlace(
  reader: Reader,
  place: Place,
): Promise<{ main: string; venv: string | undefined; settings: AppFile }> {
  const { key, dir } = place;
  if (!(await isThere(dir, 'folder'))) {
    throw new Refusal(
      'invalid',
      'folder-missing',
      `The app folder ${dir} does not exist. Put it back, or change "${key}" in config.json.`,
    );
  }
  const settings = await settingsIn(reader, dir);
  return { main: await mainOf(place, settings), venv: await venvOf(place), settings };
}

async function mainOf({ key, dir, main }: Place, settings: AppFile): Promise<string> {
  if (main !== undefined) {
    if (await isThere(main, 'file')) return main;
    throw new Refusal(
      'invalid',
      'main-missing',
      `The main file ${main} does not exist. Put it back, or change "app" of "${key}" in config.json.`,
    );
  }
  const paths = (await filesIn(dir)).map((one) => one.path);
  const named = settings.main === undefined ? undefined : { file: settings.main, where: APP_FILE };
  const chosen = chooseEntrypoint(paths, named);
  const guess = named === undefined && 'file' in chosen ? chosen.file : undefined;
  const code = guess === undefined ? undefined : await readTopFile(dir, guess, MAX_MAIN);
  const found = code === undefined ? chosen : withoutLauncher(chosen, paths, code.toString('utf8'));
  if ('file' in found) return join(dir, found.file);
  throw new Refusal(
    'invalid',
    'main-missing',
    `The app folder ${dir} has no app.py or other file that is clearly the app. Set "app" of "${key}" in config.json.`,
  );
}

async function venvOf({ key, dir, venv }: Place): Promise<string | undefined> {
  const own = [];
  for (const name of VENV_NAMES) if (await isThere(join(dir, name, 'bin', 'python'))) own.push(join(dir, name));
  if (venv === undefined) return own[0];
  if (await isThere(join(venv, 'bin', 'python'))) return venv;
  const instead = own[0] === undefined ? 'Create it, or change' : `There is one in ${own[0]}; change`;
  throw new Refusal(
    'invalid',
    'venv-missing',
    `The virtual environment ${venv} does not exist. ${instead} "venv" of "${key}" in config.json.`,
  );
}

async function dependenciesOf(
  reader: Reader,
  { dir }: Place,
  main: string,
  settings: AppFile,
): Promise<{ dependencies: Dependencies; python: PythonWish | undefined }> {
  const files = new Map<string, Buffer>();
  const folders = [...new Set([main.startsWith('..') ? '' : folderOf(main), ''])];
  const named = settings.dependencies === undefined ? [] : [settings.dependencies];
  const places = [...folders, ...named.map(folderOf)];
  const names = [...DEPENDENCY_FILES, '.python-version', 'runtime.txt'];
  for (const file of new Set([...places.flatMap((folder) => names.map((name) => below(folder, name))), ...named])) {
    const content = await readTopFile(dir, file, MAX_LIST);
    if (content !== undefined) files.set(file, content);
  }
  const { dependencies = NO_LIST, python } = await reader.read(
    `The app folder ${dir}`,
    'dependencies',
    files,
    settings,
    folders,
  );
  return { dependencies, python };
}

/** The requirements of an app that lists no packages: only Streamlit is known to be needed. */
const NO_LIST: Dependencies = {
  file: 'requirements.txt',
  format: 'lines',
  text: 'streamlit\n',
  python: undefined,
  notes: ['No virtual environment (venv, env or .venv) and no dependency file. Installing Streamlit only.'],
};
