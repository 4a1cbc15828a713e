import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/**
 * @typedef {Record<string, string | undefined>} Env
 * @typedef {{ cwd?: string, env?: Env, signal?: AbortSignal, timeout?: number, show?: boolean }} RunOptions
 */

/** A set-up that cannot go on. Its message is the one line that a person needs. */
export class SetupError extends Error {}

/**
 * The first executable file of one of these names on PATH.
 * @param {string[]} names
 * @param {Record<string, string | undefined>} env
 * @returns {string | undefined}
 */
export function which(names, env) {
  const folders = (env.PATH ?? '').split(delimiter).filter(isAbsolute);
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // Not there, or not for us: either way it cannot be run.
  }
}

/**
 * Runs a command to its end. Never rejects because of what the command does.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 *   timeout in ms (default 10 minutes); show = its output goes straight to ours instead of being returned
 * @returns {Promise<{ code: number, stdout: string, output: string }>} output = both streams as they came
 */
export function run(command, args, options = {}) {
  const { cwd, env = process.env, signal, timeout = 600_000, show = false } = options;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      timeout,
      killSignal: 'SIGKILL',
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    let stdout = '';
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ code: 127, stdout, output: `${output}${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, output }));
  });
}

/** The last lines of what a command said, indented, for a message. @param {string} output */
export function lastLines(output, count = 8) {
  const lines = output
    .trimEnd()
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines
    .slice(-count)
    .map((line) => `  ${line}`)
    .join('\n');
}
