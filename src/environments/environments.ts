import { createHash } from 'node:crypto';
import { lstat, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigVars } from '../domain/config/vars.js';
import { buildVars } from '../domain/python/build-vars.js';
import type { Dependencies, Outside } from '../domain/python/dependencies.js';
import type { Wishes } from '../domain/python/for-installer.js';
import { indexLines, lockedRequirements, lockLines } from '../domain/python/lock.js';
import { choosePython, type PythonWish } from '../domain/python/python-version.js';
import { satisfies } from '../domain/python/specifier.js';
import { Turns } from '../lib/turns.js';
import { leaveUncompiled } from './compiler.js';
import { cancelled, installFailure } from './failures.js';
import type { Variables } from './indexes.js';
import { Installer, type Tools } from './installer.js';
import { installedPackages, Locks } from './locks.js';
import type { PythonFacts } from './pythons.js';
import { copySource, discard, FACTS, isComplete, placeOf, replace } from './places.js';
import { CommandFailed } from './run.js';
import { Workshop, type BuildCage } from './workshop.js';
import type { gatherRequirements, Requirements } from './requirements.js';
import { Shared } from '../lib/shared.js';

/** Raised whenever environments are made in another way, so that none of the old way is reused. */
const FORMAT = 1;

const DRAFT = 'environment-';

/** The number of lines of an install that a later listener gets. */
const HISTORY = 1_000;

export interface EnvironmentsOptions {
  /** Where environments are. */
  root: string;
  /** Where it is kept which packages they have. */
  locks: string;
  /** What installers may keep between builds; best on the same file system. */
  cache: string;
  /** For work in progress; on the same file system as the root, and best within the cache. */
  tmp: string;
  tools: Tools;
  /** What builds are put into, asked for each of them; nothing where there is none. */
  cage?: (() => Promise<BuildCage | undefined>) | undefined;
  /** Reads requirements, which anybody may have pushed. */
  gather: (...what: Parameters<typeof gatherRequirements>) => Promise<Requirements>;
  /** PATH, HOME and what the surroundings say of indexes, proxies and certificates: all that installs get to see. */
  env: Variables;
  /** How long an install may take, and how long it may print nothing, in ms; 30 min and 10 min unless told. */
  limits?: { totalMs: number; idleMs: number };
}

/** What a release needs of an environment. */
export interface EnvironmentRequest {
  /** The file that names the dependencies, with its lines; a requirements file unless told. */
  dependencies: Pick<Dependencies, 'file' | 'text'> & { format?: Dependencies['format'] };
  /** Which Python the app asks for, where it does. */
  python?: PythonWish | undefined;
  /** The project's files. */
  sourceDir: string;
  /** What tells this state of the project from others (its commit), where requirements install the project itself. */
  localKey: string;
  /** When its packages were asked for again: an environment that was made for the same list before does not do. */
  fresh?: string | undefined;
  /** The app's config vars; its build gets those that its files name, and those of indexes. */
  vars?: ConfigVars | undefined;
  /** Whether it may name files of the machine that are not in the project; refused unless told. */
  outside?: Outside | undefined;
  signal?: AbortSignal | undefined;
  /** Called with what the install prints. While it takes its time, the install waits. */
  onLine: (line: string) => void | Promise<void>;
  /** Called with which Python is used and why, before anything is installed; `onLine` unless given. */
  onNote?: ((line: string) => void | Promise<void>) | undefined;
  /** Called with the process groups of the install. */
  onSpawn?: ((pid: number) => void) | undefined;
}

/** A virtual environment that is complete and never changes. */
export interface Environment {
  hash: string;
  /** Names the list of its exact packages, from which it is made again. */
  lock: string;
  path: string;
  /** Its Python. */
  python: string;
  /** True where it was there already. */
  reused: boolean;
  /** How long it took, in ms. */
  ms: number;
}

interface Audience {
  onLine: (line: string) => void | Promise<void>;
  onSpawn: (pid: number) => void;
}

/** What is to be made. */
interface Plan {
  hash: string;
  lock: string;
  request: EnvironmentRequest;
  requirements: Requirements;
  vars: ConfigVars;
  python: PythonFacts;
}

interface Job {
  work: Shared<void>;
  /** The project's files, where they are installed too: they go when the deploy that they belong to gives up. */
  source: string | undefined;
  audience: Set<Audience>;
  history: string[];
  pid: number | undefined;
}

/** The environments of all apps: one for each distinct (Python, dependencies), shared by all releases that want it. */
export class Environments {
  readonly #options: EnvironmentsOptions;
  readonly #installer: Installer;
  readonly #locks: Locks;
  readonly #jobs = new Map<string, Job>();
  /** By hash, so that none is removed between the moment it is found for a deploy and the note that it was wanted. */
  readonly #turns = new Turns();
  #python: Promise<PythonFacts> | undefined;

  constructor(options: EnvironmentsOptions) {
    this.#options = options;
    this.#installer = new Installer(options.tools, options.cache, options.env);
    this.#locks = new Locks(options.locks);
  }

  /** The Python that the environments are made from. @throws Refusal `python-unusable` */
  async python(): Promise<PythonFacts> {
    this.#python ??= this.#installer.python();
    try {
      return await this.#python;
    } catch (error) {
      // It may have been installed by the next time.
      this.#python = undefined;
      throw error;
    }
  }

  /**
   * The environment for these dependencies: the one that is there, or a new one, installed once however many want it.
   * @throws Refusal `build-failed` (its message is a short reason), `build-cancelled`, `disk-full`, `python-unusable`,
   *   `python-missing`, `requirements-missing`, `requirements-outside`, `requirements-unreadable`, `streamlit-too-old`, `uv-missing`, `command-missing`,
   *   `var-not-found`, `var-value-invalid`
   */
  async ensure(request: EnvironmentRequest): Promise<Environment> {
    const { sourceDir, signal } = request;
    const started = performance.now();
    if (signal?.aborted === true) throw cancelled(signal.reason);
    const python = await this.#pythonFor(request);
    const requirements = await this.#requirementsOf(request, python);
    const { file } = request.dependencies;
    const vars = buildVars(request.vars ?? {}, requirements.wishes.variables, this.#installer.known, file);
    const { hash, lock } = this.#namesOf(requirements, vars, python, request);
    const path = join(this.#options.root, hash);
    const done = (reused: boolean): Environment => {
      return { hash, lock, path, python: join(path, 'bin', 'python'), reused, ms: performance.now() - started };
    };
    const source = requirements.local ? sourceDir : undefined;
    for (;;) {
      if (await this.#find(hash)) {
        // It may be older than locks are.
        if ((await this.#locks.take(lock)) === undefined) await this.#locks.keep(lock, await lockOf(path));
        return done(true);
      }
      const job = this.#jobs.get(hash) ?? this.#start({ hash, lock, request, requirements, vars, python }, source);
      if (!job.work.closed && job.source === source) {
        const audience: Audience = { onLine: request.onLine, onSpawn: request.onSpawn ?? (() => undefined) };
        await this.#join(job, audience, signal);
        return done(false);
      }
      await endOf(job, signal);
    }
  }

  /** Removes one that was not wanted for so long (ms). @returns false where it stays, or is gone already */
  async discard(hash: string, unusedMs: number): Promise<boolean> {
    return this.#turns.take(hash, () => discard(join(this.#options.root, hash), this.#options.tmp, unusedMs));
  }

  /** Removes the lists of exact packages that no release names and that were not used for so long (ms). */
  async pruneLocks(named: ReadonlySet<string>, unusedMs: number): Promise<void> {
    await this.#locks.prune(named, unusedMs);
  }

  /** True where one is there; its time tells that it is wanted, so that the clean-up spares what a deploy is about to name. */
  async #find(hash: string): Promise<boolean> {
    const path = join(this.#options.root, hash);
    return this.#turns.take(hash, async () => {
      if (!(await isComplete(path))) return false;
      await utimes(path, new Date(), new Date());
      return true;
    });
  }

  async #pythonFor({ python: wish, signal, onLine, onNote = onLine }: EnvironmentRequest): Promise<PythonFacts> {
    const usual = await this.python();
    if (wish === undefined) return usual;
    const fits = satisfies(usual.version, wish.specifier) && (wish.exact ?? usual.version) === usual.version;
    const { python, note } = choosePython(wish, fits ? [] : await this.#installer.pythons(signal), usual);
    await onNote(note);
    return python.executable === usual.executable ? usual : this.#installer.python(python.executable);
  }

  async #requirementsOf(
    { dependencies, sourceDir, outside, signal }: EnvironmentRequest,
    python: PythonFacts,
  ): Promise<Requirements> {
    const { file, text, format } = dependencies;
    if (format !== 'uv') return this.#options.gather(file, text, sourceDir, outside);
    const workshop = await this.#open(python, outside);
    try {
      const lines = await this.#installer.exportLock(workshop, sourceDir, python, signal);
      const requirements = await this.#options.gather(file, text + lines, sourceDir, outside);
      // uv checks the hashes that are there, and does not mind a package without.
      return { ...requirements, lacksStreamlit: !requirements.namesStreamlit };
    } catch (error) {
      throw installFailure(error, file);
    } finally {
      await workshop.close();
    }
  }

  /** A place for a build. What the operator's own folders install has the server's rights, as the apps there have. */
  async #open({ executable }: PythonFacts, outside: Outside = 'refused'): Promise<Workshop> {
    const { tmp, cage, env } = this.#options;
    return Workshop.open({
      root: tmp,
      prefix: DRAFT,
      cage: outside === 'refused' ? await cage?.() : undefined,
      python: executable,
      env,
    });
  }

  /** The name of an environment, and of its lock: that of another patch of Python, or another machine, has the same packages. */
  #namesOf(
    requirements: Requirements,
    vars: ConfigVars,
    python: PythonFacts,
    { sourceDir, localKey, fresh }: EnvironmentRequest,
  ): { hash: string; lock: string } {
    const { version, implementation, platform } = python;
    const named = (...pythonFacts: string[]): string => {
      const facts = {
        format: FORMAT,
        python: pythonFacts,
        requirements: requirements.normal,
        streamlit: requirements.lacksStreamlit,
        // Who lacks the credentials of an index does not get what came from it.
        ...(Object.keys(vars).length > 0 && { vars }),
        ...(fresh === undefined ? {} : { fresh }),
        source: requirements.local ? [localKey, this.#installer.copiesSource ? '' : sourceDir] : [],
      };
      return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32);
    };
    const minor = version.split('.', 2).join('.');
    return { hash: named(version, implementation, platform), lock: named(minor, implementation) };
  }

  async #join(job: Job, audience: Audience, signal: AbortSignal | undefined): Promise<void> {
    if (job.pid !== undefined) audience.onSpawn(job.pid);
    const before = [...job.history];
    job.audience.add(audience);
    try {
      if (before.length > 0) {
        for (const line of ['Waiting for another deploy that is installing the same environment.', ...before])
          await audience.onLine(line);
      }
      await job.work.join(signal);
    } catch (error) {
      if (signal?.aborted === true) throw cancelled(error);
      throw error;
    } finally {
      job.audience.delete(audience);
    }
  }

  #start(plan: Plan, source: string | undefined): Job {
    const job: Job = {
      source,
      audience: new Set(),
      history: [],
      pid: undefined,
      work: new Shared(async (signal) => {
        // Only after this job is in the map, so that it takes itself out of it again.
        await Promise.resolve();
        try {
          await this.#make(plan, job, signal);
        } finally {
          this.#jobs.delete(plan.hash);
        }
      }),
    };
    this.#jobs.set(plan.hash, job);
    return job;
  }

  async #make(plan: Plan, job: Job, signal: AbortSignal): Promise<void> {
    const { root } = this.#options;
    const path = join(root, plan.hash);
    // The one who made it may have finished between our look and now.
    if (await isComplete(path)) return;
    const { file } = plan.request.dependencies;
    const { requirements } = plan;
    const tell = async (line: string): Promise<void> => {
      job.history.push(line);
      if (job.history.length > HISTORY) job.history.shift();
      await Promise.all([...job.audience].map(async (one) => one.onLine(line)));
    };
    const onSpawn = (pid: number): void => {
      job.pid = pid;
      for (const one of job.audience) one.onSpawn(pid);
    };
    try {
      await mkdir(root, { recursive: true });
      // What has hashes is exact by itself.
      const locked = isHashed(requirements) ? undefined : await this.#locks.take(plan.lock);
      if (locked !== undefined) {
        await tell('Installing the versions of the first install');
        try {
          return await this.#build(plan, locked, { tell, onSpawn, signal });
        } catch (error) {
          if (!(error instanceof CommandFailed) || error.reason !== 'exit' || error.diskFull) throw error;
          await tell(`Warning: these versions can no longer be installed. Installing the newest that ${file} allows.`);
        }
      }
      await this.#build(plan, undefined, { tell, onSpawn, signal });
    } catch (error) {
      throw installFailure(error, file, requirements.wishes.manyIndexes);
    }
  }

  /** @param locked the exact packages to install; what the requirements allow unless told */
  async #build(
    { hash, lock, request, requirements, vars, python }: Plan,
    locked: string | undefined,
    { tell, onSpawn, signal }: { tell: Audience['onLine']; onSpawn: Audience['onSpawn']; signal: AbortSignal },
  ): Promise<void> {
    const { root, limits = { totalMs: 30 * 60_000, idleMs: 10 * 60_000 } } = this.#options;
    const path = join(root, hash);
    const { sourceDir, outside } = request;
    const { file } = request.dependencies;
    const workshop = await this.#open(python, outside);
    try {
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
        path,
        ...place,
        locked: locked !== undefined,
        indexes: indexLines(requirements.copies.values()),
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
      await rm(join(made.folder, FACTS), { recursive: true, force: true });
      await writeFile(
        join(made.folder, FACTS),
        `${JSON.stringify({ format: FORMAT, python, createdAt: new Date().toISOString() }, null, 2)}\n`,
        { flag: 'wx' },
      );
      await leaveUncompiled(made.folder, workshop.cage !== undefined);
      if (locked === undefined) await this.#locks.keep(lock, await lockOf(made.folder, made.hashed));
      // Another server of this folder may have been faster; processes that run from its environment keep what they have.
      if (!(await isComplete(path))) await replace(path, made.folder, join(folder, 'old'));
    } finally {
      await workshop.close();
    }
  }
}

/** The exact packages of an environment, as a requirements file. @param hashed those of indexes, with hashes, where they are known */
async function lockOf(environment: string, hashed?: string): Promise<string> {
  const { pinned, direct } = lockLines(await installedPackages(environment));
  return `${hashed ?? pinned.map((line) => `${line}\n`).join('')}${direct.map((line) => `${line}\n`).join('')}`;
}

/** What an installer reads in the place of the app's own list. */
function lockedCopies({ copies }: Requirements, lock: string): ReadonlyMap<string, string> {
  const [name = 'requirements.txt'] = copies.keys();
  return new Map([[name, lockedRequirements(copies.values(), lock)]]);
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

/** Waits for the end of a job that this one cannot join. */
async function endOf(job: Job, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const giveUp = (): void => reject(cancelled(signal?.reason));
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    void job.work.settled().then(() => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    });
  });
}
