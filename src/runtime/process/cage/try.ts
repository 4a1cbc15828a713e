import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { DESCRIPTOR, giveOrder } from './order.js';
import type { Caged } from './spec.js';

/** How long a try may take, in ms. */
const LIMIT_MS = 10_000;

/**
 * Runs something in a cage to its end.
 * @returns what it printed
 * @throws Error with what was said, where it ends with anything but 0
 */
export async function tryCage({ command, order }: Caged, environment: Record<string, string>): Promise<string> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: '/',
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  void giveOrder(child.stdio[DESCRIPTOR] as Duplex, order);
  const end = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `it ended with ${String(code ?? signal)}`));
  });
  const text = output.join('').trim();
  if (end === '') return text;
  throw new Error(text === '' ? end : text);
}
