import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { isWithin } from '../lib/within.js';
import type { Caged, CageSpec } from '../runtime/process/cage/spec.js';
import { endMarked, MARK } from '../runtime/process/marked.js';
import type { Variables } from './indexes.js';
import { runCommand, type Command } from './run.js';
import { execute } from '../lib/spawn.js';

/** What builds are put into. */
export interface BuildCage {
  wrap: (spec: CageSpec) => Caged;
  /** True where what it shows are mounts, so that no file can be linked from one of them into another. */
  mounts: boolean;
  /** The user that builds become; undefined where that is the server's own. */
  uid: number | undefined;
  /** Folders that the operator shares with all apps; file permissions still apply. */
  shared: readonly string[];
}

/** Variables whose values do not name a place that an installer only reads. */
const NO_PLACES = ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'XDG_CONFIG_DIRS', 'UV_CACHE_DIR', 'PIP_CACHE_DIR', MARK];

export interface WorkshopOptions {
  /** The folder in which it is made. */
  root: string;
  /** What its name begins with. */
  prefix: string;
  cage: BuildCage | undefined;
  /** The machine's Python that builds start from. */
  python: string;
  /** The server's surroundings, as far as builds may know them. */
  env: Variables;
}

/** What one command may reach in addition to the system and the workshop. */
export interface Reach {
  readOnly?: readonly string[];
  writable?: readonly string[];
  /** Variables of the app, which show it nothing of this machine, whatever they hold. */
  vars?: Variables;
}

/**
 * The folder of one build, which lasts as long as it. Its commands run in a cage in which they can write to nothing else,
 * with a HOME and a place for temporary files of their own, and nothing that they start outlives it.
 */
export class Workshop {
  /** Absolute, without links. */
  readonly folder: string;
  readonly #options: WorkshopOptions;
  readonly #mark: string;

  private constructor(folder: string, options: WorkshopOptions) {
    this.folder = folder;
    this.#options = options;
    this.#mark = `${options.env[MARK] ?? 'build'}/${randomUUID()}`;
  }

  static async open(options: WorkshopOptions): Promise<Workshop> {
    await ensureFolder(options.root);
    const folder = await mkdtemp(join(await realpath(options.root), options.prefix));
    // bubblewrap enters it before it becomes another user, and has no right then to pass where it is not allowed.
    await chmod(folder, 0o755);
    const workshop = new Workshop(folder, options);
    for (const one of [workshop.tmp, workshop.home]) await mkdir(one);
    return workshop;
  }

  get tmp(): string {
    return join(this.folder, 'tmp');
  }

  get home(): string {
    return join(this.folder, 'home');
  }

  get cage(): BuildCage | undefined {
    return this.#options.cage;
  }

  /** Gives all that is in it, or a folder for it, to the user that builds run as. No link is followed. */
  async give(folder = this.folder): Promise<void> {
    const uid = this.cage?.uid;
    if (uid !== undefined) await execute('chown', ['-R', '-h', '-P', `${uid}:${uid}`, '--', folder]);
  }

  /** Runs a command in the cage. @throws CommandFailed */
  async run(command: Omit<Command, 'cage'>, { readOnly = [], writable = [], vars = {} }: Reach = {}): Promise<void> {
    const { cage, python, env } = this.#options;
    const own = { ...command.env, ...vars, TMPDIR: this.tmp, [MARK]: this.#mark, ...(cage && this.#own()) };
    await runCommand({
      ...command,
      env: own,
      cage:
        cage &&
        ((what) =>
          cage.wrap({
            ...what,
            python,
            // What is within it stays writable.
            readOnly: [...readOnly, ...placesIn({ ...env, ...command.env })].filter(
              (path) => !isWithin(path, this.folder),
            ),
            // The outer one of two brings the other along, and files can be linked from one into the other.
            writable: writable.some((one) => isWithin(this.folder, one)) ? writable : [this.folder, ...writable],
            tmp: this.tmp,
            uid: cage.uid,
            umask: 0o022,
          })),
    });
  }

  /** Where its commands look for settings: nothing of the operator's home is shown to them. */
  #own(): Record<string, string> {
    return { HOME: this.home, XDG_CONFIG_HOME: join(this.home, '.config') };
  }

  /** Ends what is left running, and empties what the next command would take for its own settings. */
  async clean(): Promise<void> {
    await this.end();
    for (const one of [this.tmp, this.home]) {
      await rm(one, { recursive: true, force: true });
      await mkdir(one);
      await this.give(one);
    }
  }

  /** Ends what its commands have left behind: with a session of its own, it left their groups. */
  async end(): Promise<void> {
    await endMarked(this.#mark, new Set());
  }

  /** Ends what is left, and removes the folder. */
  async close(): Promise<void> {
    await this.end();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The files and folders of the machine that an operator's settings name: certificates, indexes, folders of wheels. */
function placesIn(env: Variables): string[] {
  return Object.entries(env)
    .filter(([name]) => !NO_PLACES.includes(name))
    .flatMap(([, value]) => value.split(/[\s,]+/))
    .map((word) => word.replace(/^file:\/\//, ''))
    .filter((word) => /^\/[^/]/.test(word));
}
