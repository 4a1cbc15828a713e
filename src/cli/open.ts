import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Context } from './context.js';

/** Tells where an app is, and shows it in the browser where a person sits at the keyboard and has one. */
export async function open(cli: Context, id: string): Promise<void> {
  const api = await cli.api();
  const { url } = await api.app(id);
  const opened = cli.out.terminal && !cli.out.json && (await browse(url, cli.env));
  if (cli.out.json) return cli.out.data({ url, opened });
  cli.out.print(url);
}

/** Opens an address with the first browser there is. @returns whether there was one */
export async function browse(url: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!/^https?:\/\//.test(url)) return false;
  for (const [program, ...args] of browsers(url, env.BROWSER)) {
    const file = await findProgram(program, env.PATH ?? '');
    if (file === undefined) continue;
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
 * The commands that would open an address, in order. BROWSER holds some, separated by ":", with "%s" for the address.
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

async function findProgram(name: string, path: string): Promise<string | undefined> {
  const files = isAbsolute(name)
    ? [name]
    : path
        .split(delimiter)
        .filter(isAbsolute)
        .map((folder) => join(folder, name));
  for (const file of files) {
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return undefined;
}
