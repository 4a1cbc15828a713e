import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommanderError, type Command } from 'commander';
import { messageOf, Refusal } from '../errors.js';
import { programFolder } from '../lib/program-folder.js';
import type { Context, GlobalOptions, Launcher } from './context.js';
import { EXIT, exitCodeOf } from './failures.js';
import { createOutput } from './output.js';
import { createProgram } from './program.js';

/**
 * Runs the command line, from its arguments to its exit code.
 * @param argv as in process.argv
 * @param launcher how a server is run from here; without it, the command line only talks to one
 */
export async function run(argv: readonly string[], launcher?: Launcher): Promise<void> {
  // The reader of our output may have closed the pipe: "| head".
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    process.stderr.write(`streamlit-host: Could not write the output: ${messageOf(error)}.\n`);
    process.exit(EXIT.failed);
  });
  let given: GlobalOptions = { json: argv.includes('--json'), verbose: argv.includes('--verbose') };
  const program = createProgram((options) => {
    given = options;
    return contextOf(options, launcher);
  }, version());
  leaveByThrowing(program);
  try {
    if (argv.length <= 2) program.help({ error: true });
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = tell(error, given);
  }
}

function version(): string {
  const facts = JSON.parse(readFileSync(join(programFolder(), 'package.json'), 'utf8')) as { version: string };
  return facts.version;
}

/** @throws Refusal `folder-gone` where the current folder was removed */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    const sentence = 'The current folder no longer exists. Change to another one.';
    throw new Refusal('not-found', 'folder-gone', sentence, { cause: error });
  }
}

function contextOf(options: GlobalOptions, launcher: Launcher | undefined): Context {
  const { env } = process;
  const cwd = currentFolder();
  return {
    options,
    out: createOutput({ json: options.json === true, env }),
    env,
    cwd,
    launcher,
    async api() {
      const [{ Api }, { findServer }] = await Promise.all([import('./api.js'), import('./where.js')]);
      return new Api(
        await findServer({ env, cwd, root: launcher?.root, url: options.url, tokenFile: options.tokenFile }),
      );
    },
  };
}

/** Reports an error, to people in one line and to scripts as JSON. @returns the exit code */
function tell(error: unknown, { json, verbose }: GlobalOptions): number {
  // What the parser has to say, it has said.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const expected = error instanceof Refusal;
  // A server that is to be replaced by this process says why it was not.
  if (process.connected) process.send?.({ kind: 'call', id: 0, what: 'failed', data: { reason: messageOf(error) } });
  const code = exitCodeOf(error);
  if (json === true) {
    process.stderr.write(
      `${JSON.stringify({ error: { code: expected ? error.code : 'unexpected', message: messageOf(error), exit: code } })}\n`,
    );
  } else {
    const hint = expected || verbose === true ? '' : ' (unexpected error; pass --verbose for details)';
    process.stderr.write(`streamlit-host: ${messageOf(error)}${hint}\n`);
  }
  if (verbose === true && error instanceof Error) process.stderr.write(`${String(error.stack)}\n`);
  return code;
}

/** Keeps commander from ending the process before the output is written. */
function leaveByThrowing(program: Command): void {
  for (const command of [program, ...program.commands]) command.exitOverride();
}
