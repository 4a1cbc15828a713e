import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { hasCode, Refusal, type ErrorKind } from '../errors.js';
import { lower, type Kind } from '../lib/priority.js';
import { maskUrls } from '../lib/mask-urls.js';
import { LineSplitter } from '../logs/lines.js';
import { DESCRIPTOR, giveOrder } from '../runtime/process/cage/order.js';
import type { Caged, CageSpec } from '../runtime/process/cage/spec.js';
import { endCaged, endGroup } from '../runtime/process/group.js';
import { MARK } from '../runtime/process/marked.js';
import { descendantOf } from '../runtime/process/proc.js';
import { formatSpan } from '../lib/units.js';
import { spawn } from '../lib/spawn.js';

/** How long is waited for output of strangers who hold our pipe after the command has ended, in ms. */
const PATIENCE_MS = 2_000;

/** How many of its last lines a failed command tells. */
const LAST_LINES = 60;

/** A program to run for a build. */
export interface Command {
  /** Program and arguments; never a shell string. */
  argv: readonly string[];
  cwd: string;
  /** The whole environment: nothing is inherited. */
  env: Readonly<Record<string, string>>;
  /** The longest it may run, in ms. */
  timeoutMs: number;
  /** The longest it may print nothing, in ms; for ever unless told. */
  idleMs?: number | undefined;
  /** How long its processes may take to end after TERM before they are killed, in ms; 5 s unless told. */
  graceMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** What it yields to; a build unless told. */
  rank?: Kind;
  /** Puts it into a cage; its program is a path then. */
  cage?: ((what: Pick<CageSpec, 'command' | 'cwd' | 'environment'>) => Caged) | undefined;
  /** Called with each line of stdout and stderr. While it takes its time, the command waits: nothing piles up. */
  onLine?: ((line: string) => void | Promise<void>) | undefined;
  /** Called with the process group's id, as soon as there is one. */
  onSpawn?: ((pid: number) => void) | undefined;
}

/** Why a command failed: it said so, took too long, was to end, or could not be started. */
export type FailureReason = 'exit' | 'timeout' | 'idle' | 'aborted' | 'missing';

const KINDS: Record<FailureReason, ErrorKind> = {
  exit: 'invalid',
  timeout: 'invalid',
  idle: 'invalid',
  aborted: 'conflict',
  missing: 'unavailable',
};

/** A command that did not end well. */
export class CommandFailed extends Refusal {
  readonly argv: readonly string[];
  readonly reason: FailureReason;
  /** The exit code, where it ended by itself. */
  readonly exitCode: number | null;
  /** What ended it, otherwise. */
  readonly exitSignal: NodeJS.Signals | null;
  /** The last lines it printed, without credentials in URLs. */
  readonly lines: readonly string[];

  constructor(
    argv: readonly string[],
    reason: FailureReason,
    message: string,
    facts: Partial<Exit> & { lines?: readonly string[]; cause?: unknown } = {},
  ) {
    super(KINDS[reason], `command-${reason}`, message, { cause: facts.cause });
    this.name = 'CommandFailed';
    this.argv = argv;
    this.reason = reason;
    this.exitCode = facts.code ?? null;
    this.exitSignal = facts.signal ?? null;
    this.lines = (facts.lines ?? []).map(maskUrls);
  }

  /** True where it failed because no space was left. */
  get diskFull(): boolean {
    return this.lines.some((line) =>
      /no space left on device|disk quota exceeded|os error (28|122)\b|\bENOSPC\b|\bEDQUOT\b/i.test(line),
    );
  }
}

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Runs a command to its end, in a process group of its own, of which nothing is left when this returns or throws.
 * @returns how long it took, in ms
 * @throws CommandFailed where it ends with anything but 0, takes too long, is aborted or cannot be started
 */
export async function runCommand(command: Command): Promise<{ ms: number }> {
  const { argv, cwd, env, signal, graceMs = 5_000, rank = 'build' } = command;
  const name = basename(argv[0] ?? '');
  if (signal?.aborted === true)
    throw new CommandFailed(argv, 'aborted', `${name} was not started because the work was cancelled.`);

  const started = performance.now();
  const caged = command.cage?.({ command: argv, cwd, environment: env });
  const [program = '', ...args] = caged?.command ?? argv;
  const child = spawn(program, args, {
    cwd,
    // What surrounds a cage has the server's rights, and obeys no variable that is meant for what runs in it.
    env: caged === undefined ? env : { [MARK]: env[MARK] ?? '' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', ...(caged === undefined ? [] : ['pipe' as const])],
  });
  lower(child.pid, rank);
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, exitSignal) => resolve({ code, signal: exitSignal }));
  });
  const { pid } = child;
  const [stdout, stderr] = [child.stdout as Readable, child.stderr as Readable];
  if (caged !== undefined && pid !== undefined) {
    // Where the cage cannot be made, what it prints says why. What surrounds it may have started it before it was lowered itself.
    const within = giveOrder(child.stdio[DESCRIPTOR] as Duplex, caged.order).then(() =>
      descendantOf(pid, caged.around),
    );
    // Where it cannot be found now, such as for want of files, it runs as it is.
    within.then((inner) => lower(inner, rank)).catch(() => undefined);
  }
  if (pid === undefined)
    throw await cannotStart(
      argv,
      cwd,
      await exit.then(
        () => undefined,
        (error: unknown) => error,
      ),
    );

  let reason: FailureReason | undefined;
  let ending: Promise<void> | undefined;
  const end = (why: FailureReason): void => {
    reason ??= why;
    ending ??= endCaged({ pid }, caged?.around ?? 0, graceMs).catch(() => {
      // Nothing can be looked up now, such as for want of files: all of it is ended at once.
      child.kill('SIGKILL');
    });
  };
  const abort = (): void => end('aborted');
  signal?.addEventListener('abort', abort);
  const limit = setTimeout(() => end('timeout'), command.timeoutMs);
  // How many lines are being heard: as long as we keep the command waiting, its silence is ours.
  let hearing = 0;
  const idle: NodeJS.Timeout | undefined =
    command.idleMs === undefined
      ? undefined
      : setTimeout(() => (hearing > 0 ? idle?.refresh() : end('idle')), command.idleMs);
  let patience: NodeJS.Timeout | undefined;
  // True where strangers hold our pipe, and we read it no further.
  let cutOff = false;

  const last: string[] = [];
  const pump = async (stream: Readable): Promise<void> => {
    const splitter = new LineSplitter();
    const hear = async (lines: string[]): Promise<void> => {
      for (const line of lines) {
        last.push(line);
        if (last.length > LAST_LINES) last.shift();
        hearing += 1;
        await command.onLine?.(line);
        hearing -= 1;
      }
    };
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        idle?.refresh();
        patience?.refresh();
        await hear(splitter.push(chunk));
      }
    } catch (error) {
      if (!cutOff || !hasCode(error, 'ERR_STREAM_PREMATURE_CLOSE')) throw error;
    }
    await hear(splitter.end());
  };

  try {
    command.onSpawn?.(pid);
    const pumps = Promise.all([stdout, stderr].map(pump));
    // The listener may fail; the command is ended then, and the failure told below.
    pumps.catch(() => end('aborted'));
    const { code, signal: exitSignal } = await exit;
    clearTimeout(limit);
    clearTimeout(idle);
    // Whatever it left behind in its group must not outlive it.
    ending ??= endGroup({ pid }, graceMs);
    await ending;
    patience = setTimeout(() => {
      if (hearing > 0) return void patience?.refresh();
      cutOff = true;
      for (const stream of [stdout, stderr]) stream.destroy();
    }, PATIENCE_MS);
    await pumps;
    const facts = { code, signal: exitSignal, lines: last };
    if (reason !== undefined) throw new CommandFailed(argv, reason, sentence(name, reason, command), facts);
    if (code !== 0) {
      const how = code === null ? `was stopped by ${exitSignal ?? 'a signal'}` : `failed with exit code ${code}`;
      const word = last.findLast((line) => line.trim() !== '');
      throw new CommandFailed(
        argv,
        'exit',
        `${name} ${how}${word === undefined ? '' : `: ${word.trim().replace(/\.$/, '')}`}.`,
        facts,
      );
    }
    return { ms: performance.now() - started };
  } finally {
    signal?.removeEventListener('abort', abort);
    clearTimeout(limit);
    clearTimeout(idle);
    clearTimeout(patience);
    ending ??= endGroup({ pid }, graceMs);
    await ending;
  }
}

async function cannotStart(argv: readonly string[], cwd: string, cause: unknown): Promise<CommandFailed> {
  const name = basename(argv[0] ?? '');
  const folder = await stat(cwd).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!folder)
    return new CommandFailed(
      argv,
      'missing',
      `${name} could not be started because its folder ${cwd} no longer exists.`,
      {
        cause,
      },
    );
  const why = hasCode(cause, 'ENOENT') ? 'is not installed, or not on PATH' : `could not be started: ${String(cause)}`;
  return new CommandFailed(argv, 'missing', `${name} ${why}.`, { cause });
}

function sentence(name: string, reason: FailureReason, command: Command): string {
  if (reason === 'timeout') return `${name} took longer than ${formatSpan(command.timeoutMs)} and was stopped.`;
  if (reason === 'idle') return `${name} printed nothing for ${formatSpan(command.idleMs ?? 0)} and was stopped.`;
  return `${name} was stopped because the work was cancelled.`;
}
