import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, isUnwritable, messageOf, Refusal } from '../../../errors.js';
import { childrenOf } from '../proc.js';
import { inBubblewrap } from './bubblewrap.js';
import { inLandlock } from './landlock.js';
import { readMachine } from './machine.js';
import type { CageKind } from '../../../domain/app/process-cage.js';
import type { Caged, CageSpec, Machine } from './spec.js';
import { tryCage, Undecided } from './try.js';

/** What an operator may ask for: one kind, or the strongest that works. */
export const cageWishes = ['auto', 'bubblewrap', 'landlock', 'none'] as const;

/** The cage that the operator asked for; `auto` takes the strongest that works. */
export type CageWish = (typeof cageWishes)[number];

/** How often a try is repeated that came to no result, and after how long, in ms. */
const TRIES = 3;
const PAUSE_MS = 500;

export interface CageOptions {
  wish: CageWish;
  /** PATH, where bubblewrap is looked for. */
  path: string;
  /** The place of `python/cage.py`. */
  inner: string;
  /** The server's data: hidden from whatever runs in a cage, as far as it is not named. */
  data: readonly string[];
  /** A folder for the try. */
  tmp: string;
  /** Folders for it where the disk of that one is full. */
  elsewhere?: readonly string[];
  /** The Python of the machine that a try can run; undefined where there is none yet. */
  python: string | undefined;
  /** Who is put into it; apps unless given. */
  who?: 'Apps' | 'Builds';
  /** How long a try may take, in ms; 10 s unless given. */
  limitMs?: number;
}

/** What was chosen. */
interface Choice {
  kind: CageKind;
  sentence: string;
  python: string | undefined;
}

/** What keeps apps from each other and from the server, and what it was chosen for. */
export class Cage {
  readonly #machine: Machine;
  readonly #options: CageOptions;
  #choice: Choice;

  private constructor(machine: Machine, options: CageOptions, choice: Choice) {
    this.#machine = machine;
    this.#options = options;
    this.#choice = choice;
  }

  /**
   * The cage that works here: each is tried, since whether one does depends on kernel, container and rights together. A try
   * without a result never leads to a weaker cage, or to none.
   * @throws Refusal `cage-unavailable` where one was asked for that does not, `cage-untried`
   */
  static async open(options: CageOptions): Promise<Cage> {
    const machine = await readMachine({ path: options.path, inner: options.inner, hidden: options.data });
    const sentence =
      options.wish === 'none'
        ? `${options.who ?? 'Apps'} run without a cage: STREAMLIT_HOST_CAGE=none.`
        : 'No Python was found, so no cage can be tried, and no app starts without one. Install python3.';
    const cage = new Cage(machine, options, { kind: 'none', sentence, python: undefined });
    await cage.choose(options.python);
    return cage;
  }

  get kind(): CageKind {
    return this.#choice.kind;
  }

  /** One sentence for the operator. */
  get sentence(): string {
    return this.#choice.sentence;
  }

  /** The Python of the machine that put on the cage when it was tried; undefined where there is none. */
  get python(): string | undefined {
    return this.#choice.python;
  }

  /** True where it is not known yet which cage works here: it takes a Python to try. */
  get isOpen(): boolean {
    return this.#options.wish !== 'none' && this.python === undefined;
  }

  /** Makes the choice where it is open still. @param found a Python of the machine @throws as `open` does */
  async choose(found: string | undefined): Promise<void> {
    const { wish } = this.#options;
    if (wish === 'none' || !this.isOpen || (found === undefined && wish === 'auto')) return;
    const python = found === undefined ? undefined : await realpath(found);
    const failures: string[] = [];
    for (const kind of wish === 'auto' ? (['bubblewrap', 'landlock'] as const) : [wish]) {
      const choice = { kind, sentence: sentenceOf(kind, this.#machine, this.#options.who), python };
      const tried = new Cage(this.#machine, this.#options, choice);
      const failure = await tried.#fails().catch((error: unknown) => {
        throw error instanceof Undecided ? untried(kind, error) : error;
      });
      if (failure === undefined) {
        this.#choice = choice;
        return;
      }
      failures.push(`${kind}: ${failure}`);
    }
    if (wish !== 'auto') {
      throw new Refusal(
        'unavailable',
        'cage-unavailable',
        `STREAMLIT_HOST_CAGE=${wish} does not work on this machine (${failures.join('; ')}).`,
      );
    }
    const sentence = `No cage works on this machine, so every ${this.#options.who === 'Builds' ? 'build' : 'app'} can read what the server can (${failures.join('; ')}). Install bubblewrap.`;
    this.#choice = { kind: 'none', sentence, python };
  }

  /** True where every app becomes a user of its own. */
  get changesUser(): boolean {
    return this.kind === 'bubblewrap' && this.#machine.root;
  }

  /** Tries whether it still works; not to be asked without a cage. @throws Error with what is wrong */
  async tryAgain(): Promise<void> {
    const failure = await this.#fails();
    if (failure !== undefined) throw new Error(`The ${this.kind} cage does not work any more (${failure}).`);
  }

  /** What is to be started so that the spec's command runs caged; not to be asked without a cage. */
  wrap(spec: CageSpec): Caged {
    return this.kind === 'landlock' ? inLandlock(spec, this.#machine) : inBubblewrap(spec, this.#machine);
  }

  /**
   * Runs something that must be able to write one folder and must not be able to read another.
   * @returns what is wrong
   * @throws Undecided
   */
  async #fails(tries = TRIES): Promise<string | undefined> {
    try {
      return await this.#failsSomewhere();
    } catch (error) {
      if (!(error instanceof Undecided) || tries <= 1) throw error;
      await sleep(PAUSE_MS);
      return this.#fails(tries - 1);
    }
  }

  /** A full disk says nothing of the cage, so it is tried on another one. */
  async #failsSomewhere(): Promise<string | undefined> {
    const { tmp, elsewhere = [] } = this.#options;
    let full: unknown;
    for (const place of [tmp, ...elsewhere]) {
      try {
        return await this.#failsIn(place);
      } catch (error) {
        // Where there was no room for it, the folder itself is missing.
        if (!isUnwritable(error) && !hasCode(error, 'ENOENT')) throw error;
        full ??= error;
      }
    }
    throw full;
  }

  async #failsIn(place: string): Promise<string | undefined> {
    const { python } = this;
    const { data, limitMs } = this.#options;
    if (python === undefined) return 'Python was not found';
    if (this.kind === 'bubblewrap' && this.#machine.bubblewrap === '') return 'bwrap is not installed';
    if (this.kind === 'bubblewrap' && !existsSync(childrenOf(process.pid))) return 'the kernel does not list children';
    const folder = await mkdtemp(join(place, 'cage-'));
    try {
      const [own, secret] = [join(folder, 'own'), join(folder, 'secret')];
      await mkdir(own, { mode: 0o777 });
      await writeFile(secret, 'secret');
      const answer = await tryCage(
        this.wrap({
          command: [python, '-I', '-S', '-c', TRY, own, secret],
          cwd: '/',
          environment: {},
          python,
          readOnly: [],
          writable: [own],
          tmp: own,
        }),
        limitMs,
      );
      return answer === 'caged' ? undefined : `it reads ${data[0] ?? ''}`;
    } catch (error) {
      // That says nothing of the cage, and without one every app could read what the server can.
      if (isUnwritable(error) || error instanceof Undecided) throw error;
      return messageOf(error).split('\n').at(-1);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

const TRY = `
import sys
open(sys.argv[1] + "/written", "w").close()
try:
    open(sys.argv[2])
    print("open")
except OSError:
    print("caged")
`;

function untried(kind: CageKind, { message }: Undecided): Refusal {
  return new Refusal(
    'unavailable',
    'cage-untried',
    `Could not find out whether the ${kind} cage works on this machine: ${message.split('\n').at(-1) ?? ''}. Start the server again, or choose a cage with STREAMLIT_HOST_CAGE.`,
  );
}

function sentenceOf(kind: 'bubblewrap' | 'landlock', { root }: Machine, who = 'Apps'): string {
  if (kind === 'landlock') return `${who} run in a Landlock cage.`;
  return `${who} run in a bubblewrap cage${root && who === 'Apps' ? ', each as its own user' : ''}.`;
}
