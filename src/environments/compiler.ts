import { readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pythonCompile } from '../domain/project/commands.js';
import { hasCode, isUnwritable, Refusal } from '../errors.js';
import { openCaches } from './caches.js';
import type { Variables } from './indexes.js';
import { machinePython } from './places.js';
import { CommandFailed } from './run.js';
import { Workshop, type BuildCage } from './workshop.js';

/** The file of an environment that is still to be compiled. It goes when that is done, so a kill loses nothing. */
export const UNCOMPILED = 'streamlit-host-uncompiled.json';

/** How long one environment may take, in ms. It has the lowest priority, so a busy machine needs a multiple of its seconds. */
const LIMIT_MS = 2 * 3_600_000;

/** How long (ms) is waited before what had no room is tried again. */
const AGAIN_MS = 3_600_000;

/** Marks a new environment, in which nothing that its install has started is left. @param caged whether it was made in the cage */
export async function leaveUncompiled(environment: string, caged: boolean): Promise<void> {
  const marker = join(environment, UNCOMPILED);
  await rm(marker, { recursive: true, force: true });
  await writeFile(marker, `${JSON.stringify({ caged })}\n`, { flag: 'wx' });
}

/** Whether nothing is left to compile of an environment. */
export async function isCompiled(environment: string): Promise<boolean> {
  return (await readFile(join(environment, UNCOMPILED), 'utf8').catch(ifGone)) === undefined;
}

export interface CompilerOptions {
  /** Where environments are. */
  root: string;
  /** For work in progress. */
  tmp: string;
  /** The place of `compile.py`. */
  script: string;
  /** What installers keep between builds. */
  cache: string;
  /** What builds are put into. */
  cage?: (() => Promise<BuildCage | undefined>) | undefined;
  /** Throws where the disk has too little room left for what can wait. */
  demandRoom: () => Promise<void>;
  /** Told when environments were compiled, and nothing is left to do. */
  onIdle?: () => void;
  /** Told of each environment that was compiled, by its folder; its errors are logged. */
  onCompiled?: (environment: string) => Promise<void>;
  /** PATH, HOME and the mark of builds. */
  env: Variables;
  logger: { info(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/**
 * Compiles environments that serve already, one after the other at the lowest priority: until then, their processes compile what
 * they import in memory, since they cannot write to their environment. Only later starts gain by it, so nothing waits for it.
 */
export class Compiler {
  readonly #options: CompilerOptions;
  readonly #wanted = new Set<string>();
  /** Those that had no room, which are tried again. */
  readonly #later = new Set<string>();
  readonly #closing = new AbortController();
  #working: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CompilerOptions) {
    this.#options = options;
  }

  /** Goes on with what an earlier server has left. @throws Error where the environments cannot be listed */
  async begin(): Promise<void> {
    for (const name of await readdir(this.#options.root)) this.add(name);
    // Earlier versions kept what they had compiled there.
    await rm(join(this.#options.cache, 'bytecode'), { recursive: true, force: true });
  }

  /** Compiles an environment in the background, unless that was done before. */
  add(hash: string): void {
    if (this.#closing.signal.aborted) return;
    this.#wanted.add(hash);
    this.#working ??= this.#work();
  }

  /** Resolves when nothing is left to compile that has room. */
  async idle(): Promise<void> {
    await this.#working;
  }

  /** Interrupts what is being compiled: the next server goes on with it. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#working;
  }

  async #work(): Promise<void> {
    const { root, onIdle, logger } = this.#options;
    let compiled = false;
    for (const hash of this.#wanted) {
      if (this.#closing.signal.aborted) break;
      // It may be asked for again while it is compiled, such as after it was made again.
      this.#wanted.delete(hash);
      try {
        const environment = await realpath(join(root, hash)).catch(ifGone);
        const ms = environment === undefined ? undefined : await this.#compile(environment);
        if (ms === undefined) continue;
        compiled = true;
        logger.info({ environment: hash, ms: Math.round(ms) }, 'compiled an environment');
        await this.#options.onCompiled?.(join(root, hash));
      } catch (error) {
        // It serves all the same, and the next start of the server tries again in any case.
        if (this.#closing.signal.aborted) break;
        logger.warn({ environment: hash, err: error }, 'an environment could not be compiled');
        if (hadNoRoom(error)) this.#again(hash);
      }
    }
    // In the same tick as the end of the loop: what is added from now on starts another run.
    this.#working = undefined;
    if (compiled) onIdle?.();
  }

  #again(hash: string): void {
    this.#later.add(hash);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const hashes = [...this.#later];
      this.#later.clear();
      for (const each of hashes) this.add(each);
    }, AGAIN_MS).unref();
  }

  /** @returns how long it took, in ms; undefined where there was nothing to compile */
  async #compile(environment: string): Promise<number | undefined> {
    const marker = join(environment, UNCOMPILED);
    const text = await readFile(marker, 'utf8').catch(ifGone);
    const python = text === undefined ? undefined : await machinePython(environment);
    if (text === undefined || python === undefined) return undefined;
    const { root, tmp, script, cache, cage, env, demandRoom } = this.#options;
    await demandRoom();
    const started = performance.now();
    const workshop = await Workshop.open({
      root: tmp,
      prefix: 'bytecode-',
      cage: wasCaged(text) ? await cage?.() : undefined,
      python,
      env,
    });
    try {
      await workshop.give();
      const { variables, folders } = await openCaches(cache, env, workshop);
      await workshop.run(
        {
          argv: pythonCompile(python, script, environment, variables.UV_CACHE_DIR ?? ''),
          cwd: root,
          env: { LC_ALL: 'C.UTF-8', ...env },
          timeoutMs: LIMIT_MS,
          rank: 'compile',
          signal: this.#closing.signal,
        },
        { readOnly: [script], writable: [workshop.folder, environment, ...folders] },
      );
    } finally {
      await workshop.close();
    }
    await rm(marker, { force: true });
    return performance.now() - started;
  }
}

/** Reads a marker. A crash of the machine may have left it empty; then the cage is the safe answer. */
function wasCaged(text: string): boolean {
  try {
    return (JSON.parse(text) as { caged?: unknown }).caged !== false;
  } catch {
    return true;
  }
}

/** The script fails for nothing but what passes by itself: no room, no memory, or that it was killed. */
function hadNoRoom(error: unknown): boolean {
  if (error instanceof CommandFailed) return error.reason === 'exit';
  return isUnwritable(error) || (error instanceof Refusal && error.kind === 'unavailable');
}

function ifGone(error: unknown): undefined {
  // Not a folder: something else that lies there.
  if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
}
