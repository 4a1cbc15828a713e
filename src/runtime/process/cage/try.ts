import { spawn } from 'node:child_process';
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
  giveOrder(child.stdio[3], order);
  const end = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `it ended with ${String(code ?? signal)}`));
  });
  const text = output.join('').trim();
  if (end === '') return text;
  throw new Error(text === '' ? end : text);
}

/** Tells the last step of a cage what to run. It may end before it has heard that: its end tells more than a broken pipe. */
export function giveOrder(descriptor: unknown, order: string): void {
  const pipe = descriptor as NodeJS.WritableStream;
  pipe.on('error', () => undefined);
  pipe.end(order);
}
