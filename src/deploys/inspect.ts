import { dirname, join } from 'node:path';
import { printable } from '../domain/app/app.js';
import { demandAllowed, releaseCage, type CagePolicy } from '../domain/project/app-cage.js';
import { APP_FILE, type AppFile } from '../domain/project/app-file.js';
import { folderOf, type Layout } from '../domain/project/layout.js';
import type { AppOptions } from '../domain/streamlit/options.js';
import type { Inspection, LfsFile } from '../domain/project/tree.js';
import { Refusal } from '../errors.js';
import { readTopFile } from '../store/folder.js';
import { LFS_FOLDER, LfsObjects } from '../store/lfs-objects.js';
import type { Repository } from '../store/repository.js';
import type { Reader } from './reader.js';

/** The largest streamlit-host.toml that is read, in bytes. */
const MAX_SETTINGS = 5 * 1024 * 1024;

/** The largest config.toml that is read, in bytes. */
const MAX_OPTIONS = 256 * 1024;

/** How many results are kept for their deploys: each may hold a lock file of some megabytes. */
const MAX_WAITING = 16;

export interface InspectOptions {
  /** Lets git see the objects of a push that is not accepted yet. */
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Where in the repository the app is, as far as a person has said so elsewhere. */
  layout?: Layout | undefined;
  /** What Git LFS stores for the repository; what is beside it unless told. */
  lfs?: LfsObjects;
}

/**
 * Inspects commits: whether they can become a release, and what it is made of. The result of a push is kept here for its
 * deploy, so that a push is inspected once. The key is the commit id, which identifies all of its content, because a preview
 * deploys what was pushed to its app, and where in it the app is.
 */
export class Inspector {
  readonly #reader: Reader;
  readonly #policy: (() => CagePolicy) | undefined;
  /** The oldest first. */
  readonly #waiting = new Map<string, Inspection>();

  /** @param policy what apps may ask of their cage; everything unless given */
  constructor(reader: Reader, policy?: () => CagePolicy) {
    this.#reader = reader;
    this.#policy = policy;
  }

  /** Inspects a commit before it is queued. @throws Refusal with one sentence on what to change */
  async inspect(repository: Repository, commit: string, options: InspectOptions = {}): Promise<Inspection> {
    const of = ofCommit(commit);
    const { layout = {} } = options;
    const tree = await repository.tree(commit, options);
    let wanted = await this.#reader.read(of, 'blobsOf', tree, layout);
    if (wanted.settings.length > 0)
      wanted = await this.#reader.read(of, 'blobsOf', tree, layout, await repository.blobs(wanted.settings, options));
    const found = await this.#reader.read(of, 'inspection', tree, await repository.blobs(wanted.all, options), layout);
    if (found.lfs.length > 0)
      await demandStored(found.lfs, options.lfs ?? new LfsObjects(join(dirname(repository.path), LFS_FOLDER)));
    const cage = releaseCage(found.settings.cage);
    if (cage !== undefined && this.#policy !== undefined) demandAllowed(cage, this.#policy());
    const key = keyOf(commit, layout);
    this.#waiting.delete(key);
    this.#waiting.set(key, found);
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= MAX_WAITING) break;
      this.#waiting.delete(oldest);
    }
    return found;
  }

  /** Hands over the result for a commit, which is inspected again if there is none, as after a restart. @throws Refusal */
  async take(repository: Repository, commit: string, options: InspectOptions = {}): Promise<Inspection> {
    const key = keyOf(commit, options.layout);
    const found = this.#waiting.get(key) ?? (await this.inspect(repository, commit, options));
    this.#waiting.delete(key);
    return found;
  }
}

/** @throws Refusal `lfs-pointer` where the content of a file was not pushed */
async function demandStored(files: readonly LfsFile[], objects: LfsObjects): Promise<void> {
  for (const file of files) {
    if (await objects.has(file)) continue;
    const path = printable(file.path);
    const sentence = `${path} is stored in Git LFS, and its content was not pushed. Push it with "git lfs push --all" and the name of the remote, then push again.`;
    throw new Refusal('invalid', 'lfs-pointer', sentence, { field: path });
  }
}

function keyOf(commit: string, { root, main, dependencies }: Layout = {}): string {
  return JSON.stringify([commit, root, main, dependencies]);
}

/**
 * Reads the streamlit-host.toml of a folder; empty if there is none.
 * @param root the folder within that holds the app, whose own goes first
 * @throws Refusal if it cannot be read
 */
export async function settingsIn(reader: Reader, folder: string, root = ''): Promise<AppFile> {
  const own = root === '' ? undefined : await readTopFile(join(folder, root), APP_FILE, MAX_SETTINGS);
  const file = own ?? (await readTopFile(folder, APP_FILE, MAX_SETTINGS));
  return file === undefined ? {} : reader.read(APP_FILE, 'settings', file);
}

/**
 * Reads what the config.toml files of an app choose of Streamlit's options.
 * @param folder where it runs
 */
export async function optionsOf(reader: Reader, folder: string, entrypoint: string): Promise<AppOptions> {
  const places = [...new Set(['', folderOf(entrypoint)])];
  const files = await Promise.all(
    places.map((place) => readTopFile(join(folder, place), '.streamlit/config.toml', MAX_OPTIONS)),
  );
  const there = files.filter((file) => file !== undefined);
  return there.length === 0 ? {} : reader.read('.streamlit/config.toml', 'options', there);
}

/** Names a commit at the beginning of a sentence. */
export function ofCommit(commit: string): string {
  return `Commit ${commit.slice(0, 7)}`;
}
