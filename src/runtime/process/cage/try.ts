import type { Duplex } from 'node:stream';
import { hasCode, messageOf } from '../../../errors.js';
import { endGroup } from '../group.js';
import { DESCRIPTOR, giveOrder } from './order.js';
import type { Caged } from './spec.js';
import { spawn } from '../../../lib/spawn.js';

/** How long a try may take, in ms. */
const LIMIT_MS = 10_000;

/** What a process cannot be started for on a machine that has too little of something at the moment. */
const SHORT = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'];

/** The same, as C libraries and Python print it, and as the kernel ends what takes too much memory. */
const SAYS_SHORT = /Resource temporarily unavailable|Cannot allocate memory|Too many open files|MemoryError|SIGKILL/;

/** A try that came to no result, such as on a busy machine. It says nothing about whether the cage works. */
export class Undecided extends Error {
  override name = 'Undecided';
}

/**
 * Runs something in a cage to its end.
 * @param limitMs how long it may take
 * @returns what it printed
 * @throws Undecided; Error with what was said, where it ends with anything but 0
 */
export async function tryCage(caged: Caged, limitMs = LIMIT_MS): Promise<string> {
  try {
    return await runCaged(caged, limitMs);
  } catch (error) {
    if (!SHORT.some((code) => hasCode(error, code)) && !SAYS_SHORT.test(messageOf(error))) throw error;
    throw new Undecided(messageOf(error), { cause: error });
  }
}

async function runCaged({ command, order }: Caged, limitMs: number): Promise<string> {
  const [program = '', ...args] = command;
  // A group of its own, so that it can be ended as a whole.
  const stdio = ['ignore' as const, ...Array.from({ length: 3 }, () => 'pipe' as const)];
  const child = spawn(program, args, { cwd: '/', env: {}, stdio, detached: true });
  const { pid } = child;
  const end = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `it ended with ${String(code ?? signal)}`));
  });
  if (pid === undefined) return end;
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  void giveOrder(child.stdio[DESCRIPTOR] as Duplex, order);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void endGroup({ pid }, 0);
  }, limitMs);
  const how = await end.finally(() => clearTimeout(timer));
  if (late) throw new Undecided(`it took longer than ${limitMs / 1_000} s`);
  const text = output.join('').trim();
  if (how === '') return text;
  throw new Error(text === '' ? how : text);
}
