import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { messageOf, Refusal } from '../errors.js';
import { usage } from './failures.js';

/** Prompts on stderr without echo. @param left what is said where the person leaves instead */
export async function askHidden(question: string, left: string): Promise<string> {
  const silent = new Writable({ write: (_part, _encoding, done) => done() });
  // It takes the echo away; only then is anything asked.
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  process.stderr.write(question);
  try {
    return await answer(lines, left);
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

/** Prompts on stderr. Returns whether the answer starts with "y". */
export async function askYes(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
  lines.setPrompt(`${question} [y/N] `);
  lines.prompt();
  try {
    return /^y(es)?$/i.test((await answer(lines, 'Cancelled.')).trim());
  } finally {
    lines.close();
  }
}

async function answer(lines: ReturnType<typeof createInterface>, left: string): Promise<string> {
  return new Promise<string>((settle, reject) => {
    lines.once('line', settle);
    lines.once('SIGINT', () => reject(new Refusal('invalid', 'left', left)));
    lines.once('close', () => settle(''));
  });
}

/** Returns whether there is a terminal to prompt on. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true;
}

/** Reads all of standard input as text. @throws Refusal `usage` */
export async function readStdin(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin as AsyncIterable<Buffer>) parts.push(part);
  return textOf(Buffer.concat(parts), 'Standard input');
}

/** Reads a text file; "-" is standard input. @throws Refusal `usage` */
export async function readInput(cwd: string, file: string | undefined, what: string): Promise<string> {
  if (file === undefined) throw usage(`Name the file that holds ${what}, or use "-" for standard input.`);
  if (file === '-') return readStdin();
  let bytes: Buffer;
  try {
    bytes = await readFile(resolve(cwd, file));
  } catch (error) {
    throw usage(`Cannot read ${file}: ${messageOf(error)}.`);
  }
  return textOf(bytes, file);
}

function textOf(bytes: Buffer, what: string): string {
  if (!isUtf8(bytes)) throw usage(`${what} is not UTF-8 text.`);
  return bytes.toString('utf8');
}
