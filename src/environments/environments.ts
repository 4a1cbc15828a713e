import { createHash } from 'node:crypto';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigVars } from '../domain/config/vars.js';
import { buildVars } from '../domain/python/build-vars.js';
import { choosePython } from '../domain/python/python-version.js';
import { satisfies } from '../domain/python/specifier.js';
import { Shared } from '../lib/shared.js';
import { Turns } from '../lib/turns.js';
import { Builder, FORMAT, lockOf, namesIn, type BuilderOptions, type Names, type Plan } from './builder.js';
import { cancelled, installFailure } from './failures.js';
import { Installer } from './installer.js';
import { Locks } from './locks.js';
import { discard, isComplete } from './places.js';
import { usualPython, type PythonFacts } from './pythons.js';
import type { EnvironmentRequest } from './request.js';
import type { gatherRequirements, Requirements } from './requirements.js';

/** The number of lines of an install that a later listener gets. */
const HISTORY = 1_000;

export interface EnvironmentsOptions extends BuilderOptions {
  /** Where it is kept which packages they have. */
  locks: string;
  /** The Python that they are made from unless an app asks for another; that of the tools unless told. */
  python?: () => Promise<PythonFacts>;
  /** Reads requirements, which anybody may have pushed. */
  gather: (...what: Parameters<typeof gatherRequirements>) => Promise<Requirements>;
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

interface Job {
  work: Shared<void>;
  /** The project's files, where they are installed too: they go when the deploy that they belong to gives up. */
  source: string | undefined;
  audience: Set<Audience>;
  history: string[];
  pid: number | undefined;
  /** Gives up the one who asked for it, where that one yields to other builds. */
  yields: AbortController | undefined;
}

/** The environments of all apps: one for each distinct (Python, dependencies), shared by all releases that want it. */
export class Environments {
  /** The Python that environments are made from unless an app asks for another. @throws Refusal `python-unusable` */
  readonly python: () => Promise<PythonFacts>;
  readonly #options: EnvironmentsOptions;
  readonly #installer: Installer;
  readonly #locks: Locks;
  readonly #builder: Builder;
  readonly #jobs = new Map<string, Job>();
  /** By hash, so that none is removed between the moment it is found for a deploy and the note that it was wanted. */
  readonly #turns = new Turns();

  constructor(options: EnvironmentsOptions) {
    this.#options = options;
    this.python = options.python ?? usualPython(options.tools.python, options.env);
    this.#installer = new Installer(options.tools, options.cache, options.env);
    this.#locks = new Locks(options.locks);
    this.#builder = new Builder(options, this.#installer, this.#locks);
  }

  /**
   * The environment for these dependencies: the one that is there, or a new one, installed once however many want it.
   * @throws Refusal `build-failed` (its message is a short reason), `build-cancelled`, `disk-full`, `python-unusable`,
   *   `python-missing`, `requirements-missing`, `requirements-outside`, `requirements-unreadable`, `streamlit-too-old`, `uv-missing`, `command-missing`,
   *   `var-not-found`, `var-value-invalid`
   */
  async ensure(request: EnvironmentRequest): Promise<Environment> {
    const { sourceDir } = request;
    const yields = request.yields === true ? new AbortController() : undefined;
    const given = [request.signal, yields?.signal].filter((one) => one !== undefined);
    const signal = given.length > 1 ? AbortSignal.any(given) : given[0];
    const started = performance.now();
    if (signal?.aborted === true) throw cancelled(signal.reason);
    const python = await this.#pythonFor(request);
    const requirements = await this.#requirementsOf(request, python);
    const { file } = request.dependencies;
    const vars = buildVars(request.vars ?? {}, requirements.wishes.variables, this.#installer.known, file);
    const plan = { ...this.#namesOf(requirements, vars, python, request), request, requirements, vars, python };
    const source = requirements.local ? sourceDir : undefined;
    let reused = true;
    for (;;) {
      for (const { hash, lock } of namesIn(plan)) {
        if (!(await this.#find(hash))) continue;
        const path = join(this.#options.root, hash);
        // It may be older than locks are.
        if ((await this.#locks.take(lock)) === undefined) await this.#locks.keep(lock, await lockOf(path));
        return { hash, lock, path, python: join(path, 'bin', 'python'), reused, ms: performance.now() - started };
      }
      const { hash } = plan.shared ?? plan.names;
      const job = this.#jobs.get(hash) ?? this.#start(hash, plan, source, yields);
      if (!job.work.closed && job.source === source) {
        const audience: Audience = { onLine: request.onLine, onSpawn: request.onSpawn ?? (() => undefined) };
        await this.#join(job, audience, signal);
        reused = false;
      } else await endOf(job, signal);
    }
  }

  /** Resolves when nothing is left to do after an install: the hashes of its packages are recorded by then. */
  async idle(): Promise<void> {
    await this.#builder.idle();
  }

  /** Interrupts what is done after an install. */
  async close(): Promise<void> {
    await this.#builder.close();
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
    const { file, text, format, member } = dependencies;
    if (format !== 'uv') return this.#options.gather(file, text, sourceDir, outside);
    const workshop = await this.#builder.open(python, outside);
    try {
      const lines = await this.#installer.exportLock(workshop, sourceDir, python, member, signal);
      const requirements = await this.#options.gather(file, text + lines, sourceDir, outside);
      // uv checks the hashes that are there, and does not mind a package without.
      return { ...requirements, lacksStreamlit: !requirements.namesStreamlit };
    } catch (error) {
      throw installFailure(error, file);
    } finally {
      await workshop.close();
    }
  }

  /** The names of an environment. Its lock's: that of another patch of Python, or another machine, has the same packages. */
  #namesOf(
    requirements: Requirements,
    vars: ConfigVars,
    python: PythonFacts,
    { sourceDir, localKey, fresh, own }: EnvironmentRequest,
  ): Pick<Plan, 'names' | 'shared'> {
    const { version, implementation, platform } = python;
    const named = (source: readonly string[], pythonFacts: readonly string[]): string => {
      const facts = {
        format: FORMAT,
        python: pythonFacts,
        requirements: requirements.normal,
        streamlit: requirements.lacksStreamlit,
        // Who lacks the credentials of an index does not get what came from it.
        ...(Object.keys(vars).length > 0 && { vars }),
        ...(fresh === undefined ? {} : { fresh }),
        source,
      };
      return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32);
    };
    const minor = version.split('.', 2).join('.');
    const names = (...source: string[]): Names => ({
      hash: named(source, [version, implementation, platform]),
      lock: named(source, [minor, implementation]),
    });
    const { local, parts } = requirements;
    const { copiesSource } = this.#installer;
    return {
      names: local ? names(localKey, copiesSource ? '' : sourceDir) : names(),
      // The code of a build can be anything, so that no other app gets what it has made.
      shared: own && parts && copiesSource ? names(own.app, own.within, ...parts.facts) : undefined,
    };
  }

  async #join(job: Job, audience: Audience, signal: AbortSignal | undefined): Promise<void> {
    if (job.pid !== undefined) audience.onSpawn(job.pid);
    const before = [...job.history];
    job.audience.add(audience);
    try {
      if (before.length > 0) {
        for (const line of ['This environment is already being installed. Waiting for it.', ...before])
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

  #start(hash: string, plan: Plan, source: string | undefined, yields: AbortController | undefined): Job {
    for (const job of this.#jobs.values()) job.yields?.abort();
    const job: Job = {
      source,
      yields,
      audience: new Set(),
      history: [],
      pid: undefined,
      work: new Shared(async (signal) => {
        // Only after this job is in the map, so that it takes itself out of it again.
        await Promise.resolve();
        try {
          await this.#make(plan, job, signal);
        } finally {
          this.#jobs.delete(hash);
        }
      }),
    };
    this.#jobs.set(hash, job);
    return job;
  }

  async #make(plan: Plan, job: Job, signal: AbortSignal): Promise<void> {
    const tell = async (line: string): Promise<void> => {
      job.history.push(line);
      if (job.history.length > HISTORY) job.history.shift();
      await Promise.all([...job.audience].map(async (one) => one.onLine(line)));
    };
    const onSpawn = (pid: number): void => {
      job.pid = pid;
      for (const one of job.audience) one.onSpawn(pid);
    };
    await this.#builder.make(plan, { tell, onSpawn, signal });
  }
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
