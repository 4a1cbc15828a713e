import { lstat, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import type { ConfigVars } from '../domain/config/vars.js';
import type { Outside } from '../domain/python/dependencies.js';
import type { Wishes } from '../domain/python/for-installer.js';
import { lockedRequirements, lockLines } from '../domain/python/lock.js';
import { Background } from '../lib/background.js';
import { leaveUncompiled } from './compiler.js';
import { installFailure } from './failures.js';
import type { Variables } from './indexes.js';
import type { Installed, Installer, Tools } from './installer.js';
import { installedPackages, type Locks } from './locks.js';
import { takeOut } from './own-packages.js';
import { copySource, FACTS, isComplete, placeOf, replace } from './places.js';
import type { PythonFacts } from './pythons.js';
import type { EnvironmentRequest } from './request.js';
import type { Requirements } from './requirements.js';
import { CommandFailed } from './run.js';
import { Workshop, type BuildCage } from './workshop.js';

/** Raised whenever environments are made in another way, so that none of the old way is reused. */
export const FORMAT = 1;

const DRAFT = 'environment-';

export interface BuilderOptions {
  /** Where environments are. */
  root: string;
  /** What installers may keep between builds; best on the same file system. */
  cache: string;
  /** For work in progress; on the same file system as the root, and best within the cache. */
  tmp: string;
  tools: Tools;
  /** What builds are put into, asked for each of them; nothing where there is none. */
  cage?: (() => Promise<BuildCage | undefined>) | undefined;
  /** PATH, HOME and what the surroundings say of indexes, proxies and certificates: all that installs get to see. */
  env: Variables;
  /** How long an install may take, and how long it may print nothing, in ms; 30 min and 10 min unless told. */
  limits?: { totalMs: number; idleMs: number };
  logger?: { warn(facts: object, text: string): void };
}

/** The names of an environment. */
export interface Names {
  hash: string;
  /** That of the list of its exact packages. */
  lock: string;
}

/** What is to be made. */
export interface Plan {
  names: Names;
  /** Its names where it serves all releases with other code; undefined where none can. */
  shared: Names | undefined;
  request: EnvironmentRequest;
  requirements: Requirements;
  vars: ConfigVars;
  python: PythonFacts;
}

/** What a build has made. */
interface Made {
  names: Names;
  /** Asks for the hashes of the packages that were installed, where they are to be recorded. */
  hashes: Installed['hashes'];
}

/** Who is told of an install, and who may end it. */
export interface Listening {
  tell: (line: string) => void | Promise<void>;
  onSpawn: (pid: number) => void;
  signal: AbortSignal;
}

/** Makes one environment: of what a project asks for, or of the exact packages that were installed for it before. */
export class Builder {
  readonly #options: BuilderOptions;
  readonly #installer: Installer;
  readonly #locks: Locks;
  readonly #background: Background;
  readonly #closing = new AbortController();

  constructor(options: BuilderOptions, installer: Installer, locks: Locks) {
    this.#options = options;
    this.#installer = installer;
    this.#locks = locks;
    this.#background = new Background((error) => {
      if (!this.#closing.signal.aborted)
        options.logger?.warn({ err: error }, 'the hashes of packages could not be recorded');
    });
  }

  /** Resolves when nothing is left to do after an install. */
  async idle(): Promise<void> {
    await this.#background.settled();
  }

  /** Interrupts what is done after an install. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#background.settled();
  }

  /** A place for a build. What the operator's own folders install has the server's rights, as the apps there have. */
  async open({ executable }: PythonFacts, outside: Outside = 'refused'): Promise<Workshop> {
    const { tmp, cage, env } = this.#options;
    return Workshop.open({
      root: tmp,
      prefix: DRAFT,
      cage: outside === 'refused' ? await cage?.() : undefined,
      python: executable,
      env,
    });
  }

  /** Makes it, unless it is there. @throws Refusal as `Environments.ensure` does */
  async make(plan: Plan, listening: Listening): Promise<void> {
    const { root } = this.#options;
    // The one who made it may have finished between the caller's look and now.
    for (const names of namesIn(plan)) if (await isComplete(join(root, names.hash))) return;
    const { file } = plan.request.dependencies;
    const { requirements } = plan;
    try {
      await ensureFolder(root);
      // What has hashes is exact by itself.
      const locked = isHashed(requirements) ? undefined : await this.#lockFor(plan);
      if (locked !== undefined) {
        await listening.tell('Installing the versions of the first install');
        try {
          return await this.#build(plan, locked, listening);
        } catch (error) {
          if (!(error instanceof CommandFailed) || error.reason !== 'exit' || error.diskFull) throw error;
          await listening.tell(
            `Warning: these versions can no longer be installed. Installing the newest that ${file} allows.`,
          );
        }
      }
      await this.#build(plan, undefined, listening);
    } catch (error) {
      throw installFailure(error, file, requirements.wishes.manyIndexes);
    }
  }

  /** The exact packages of an earlier install. */
  async #lockFor(plan: Plan): Promise<string | undefined> {
    for (const { lock } of namesIn(plan)) {
      const found = await this.#locks.take(lock);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** @param locked the exact packages to install; what the requirements allow unless told */
  async #build(plan: Plan, locked: string | undefined, listening: Listening): Promise<void> {
    const workshop = await this.open(plan.python, plan.request.outside);
    let made: Made | undefined;
    try {
      made = await this.#buildIn(workshop, plan, locked, listening);
    } finally {
      if (made?.hashes === undefined) await workshop.close();
    }
    // No app waits for them: its versions are recorded.
    if (made.hashes !== undefined)
      this.#background.own(this.#recordHashes(made.names, made.hashes).finally(() => workshop.close()));
  }

  async #buildIn(
    workshop: Workshop,
    plan: Plan,
    locked: string | undefined,
    { tell, onSpawn, signal }: Listening,
  ): Promise<Made> {
    const { request, requirements, vars, python } = plan;
    const { root, limits = { totalMs: 30 * 60_000, idleMs: 10 * 60_000 } } = this.#options;
    const { sourceDir, outside } = request;
    const { file } = request.dependencies;
    const { folder } = workshop;
    for (const note of notesOf(requirements.wishes, file)) await tell(note);
    const source =
      requirements.local && outside !== 'allowed' ? await copySource(sourceDir, join(folder, 'source')) : sourceDir;
    const copies = locked === undefined ? requirements.copies : lockedCopies(requirements, locked);
    const place = await placeOf(
      { ...requirements, copies },
      request.dependencies,
      source,
      join(folder, 'requirements'),
    );
    const made = await this.#installer.install({
      workshop,
      path: join(root, plan.names.hash),
      ...place,
      locked: locked !== undefined,
      indexes: requirements.kept.indexes,
      resolves: locked === undefined || requirements.local,
      adding: requirements.lacksStreamlit ? `${file} does not list streamlit. Adding the latest version.` : undefined,
      sources: requirements.sources,
      hashed: isHashed(requirements),
      wishes: requirements.wishes,
      refresh: locked === undefined && request.fresh !== undefined,
      vars,
      python,
      limits,
      signal,
      onLine: tell,
      onSpawn,
    });
    // From here on nothing of the install can change what it made.
    await workshop.end();
    // What an install has put there in its place, such as a link to somewhere else, is not written to.
    if (!(await lstat(made.folder)).isDirectory()) throw new Error(`${made.folder} is not a folder`);
    const own = plan.shared && (await this.#takeOut(made.folder, source, plan));
    const names = own === undefined ? plan.names : (plan.shared ?? plan.names);
    await rm(join(made.folder, FACTS), { recursive: true, force: true });
    await writeFile(
      join(made.folder, FACTS),
      `${JSON.stringify({ format: FORMAT, python, createdAt: new Date().toISOString(), own }, null, 2)}\n`,
      { flag: 'wx' },
    );
    await leaveUncompiled(made.folder, workshop.cage !== undefined);
    if (locked === undefined) await this.#locks.keep(names.lock, await lockOf(made.folder));
    const path = join(root, names.hash);
    // Another server of this folder may have been faster; processes that run from its environment keep what they have.
    if (!(await isComplete(path))) await replace(path, made.folder, join(folder, 'old'));
    return { names, hashes: made.hashes };
  }

  /** Makes an environment one that all releases with other code can use. @returns undefined where it is not one */
  async #takeOut(folder: string, built: string, { request, requirements }: Plan): Promise<string[] | undefined> {
    const { own, sourceDir: source } = request;
    if (own === undefined || requirements.parts === undefined) return undefined;
    return takeOut(folder, { built, source, folders: requirements.parts.folders, within: own.within });
  }

  /** Records the hashes of the packages in the environment's lock, unless another one took its place meanwhile. */
  async #recordHashes({ hash, lock }: Names, hashes: NonNullable<Installed['hashes']>): Promise<void> {
    const environment = join(this.#options.root, hash);
    const plain = await lockOf(environment);
    const hashed = await hashes(environment, this.#closing.signal);
    if (hashed === undefined || (await this.#locks.take(lock)) !== plain) return;
    await this.#locks.keep(lock, await lockOf(environment, hashed));
  }
}

/** The names under which an environment may be found, the first to be looked for first. */
export function namesIn({ names, shared }: Pick<Plan, 'names' | 'shared'>): Names[] {
  return shared === undefined ? [names] : [shared, names];
}

/** The exact packages of an environment, as a requirements file. @param hashed those of indexes, with hashes, where they are known */
export async function lockOf(environment: string, hashed?: string): Promise<string> {
  const { pinned, direct } = lockLines(await installedPackages(environment));
  return `${hashed ?? pinned.map((line) => `${line}\n`).join('')}${direct.map((line) => `${line}\n`).join('')}`;
}

/** What an installer reads in the place of the app's own list. */
function lockedCopies({ copies, kept }: Requirements, lock: string): ReadonlyMap<string, string> {
  const [name = 'requirements.txt'] = copies.keys();
  return new Map([[name, lockedRequirements(kept, lock)]]);
}

function isHashed({ normal }: Requirements): boolean {
  return /--require-hashes|--hash[= ]/.test(normal);
}

/** What the author of requirements should know of how they are installed. */
function notesOf({ manyIndexes, pip }: Wishes, file: string): string[] {
  return [
    ...(manyIndexes
      ? [
          `Warning: ${file} names several indexes. As with pip, each package comes from the one with its newest version, so anyone who ` +
            'can publish a package of the same name to one of them can replace it. Pin the versions of private packages.',
        ]
      : []),
    ...(pip === undefined ? [] : [`${file} uses ${pip}, which uv does not support. Installing with pip.`]),
  ];
}
