import { spawn } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { findProgram, isProgram } from '../lib/find-program.js';
import type { Context } from './context.js';

/** Prints the URL of an app, and opens it in a browser on a terminal. */
export async function open(cli: Context, id: string): Promise<void> {
  const api = await cli.api();
  const { url } = await api.app(id);
  const opened = cli.out.terminal && !cli.out.json && (await browse(url, cli.env));
  if (cli.out.json) return cli.out.data({ url, opened });
  cli.out.print(url);
}

/** Opens a URL with the first browser that works. @returns whether there was one */
export async function browse(url: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!/^https?:\/\//.test(url)) return false;
  for (const [program, ...args] of browsers(url, env.BROWSER)) {
    const file = isAbsolute(program) ? program : await findProgram([program], env.PATH ?? '');
    if (file === undefined || !(await isProgram(file))) continue;
    const child = spawn(file, args, { detached: true, stdio: 'ignore' });
    child.unref();
    return new Promise((resolve) => {
      child.once('spawn', () => resolve(true));
      child.once('error', () => resolve(false));
    });
  }
  return false;
}

/**
 * Returns the commands to open a URL, in order. BROWSER has several, separated by ":", with "%s" for the URL.
 * @see https://man7.org/linux/man-pages/man1/man.1.html which tells how BROWSER is read
 */
export function browsers(url: string, setting: string | undefined): [string, ...string[]][] {
  const given = (setting ?? '')
    .split(':')
    .map((command) => command.trim().split(/\s+/))
    .filter((words) => words[0] !== '');
  const commands = [...given, ['xdg-open'], ['open']] as [string, ...string[]][];
  return commands.map(([program, ...args]) => {
    const filled = args.map((word) => word.replaceAll('%s', () => url));
    return [program, ...(args.some((word) => word.includes('%s')) ? filled : [...args, url])];
  });
}
