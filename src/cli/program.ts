import { Command, Option } from 'commander';
import type { Context, GlobalOptions } from './context.js';
import { addPeopleVerbs } from './people-verbs.js';
import { addServerVerbs } from './server-verbs.js';
import { addAppVerbs } from './app-verbs.js';
import type { Verb } from './completion.js';

/** Creates what a verb gets, once its options are parsed. */
export type MakeContext = (options: GlobalOptions) => Context;

/** Under which heading the help lists which verbs. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Deploy:': [
    ...['deploy', 'remote', 'create', 'deploys', 'redeploy', 'cancel', 'rollback'],
    ...['diff', 'packages', 'preview', 'branch', 'layout', 'scale', 'adopt'],
  ],
  'Run:': ['status', 'open', 'logs', 'start', 'stop', 'restart', 'sleep', 'config', 'secrets', 'delete'],
  'Watch:': ['top', 'metrics', 'errors', 'alerts', 'drains', 'audit'],
  'People:': ['login', 'login-link', 'token', 'tokens', 'ci', 'access', 'share', 'user'],
  'Server:': ['reload', 'doctor', 'nodes', 'backup', 'restore', 'import', 'refresh', 'completion'],
};

/**
 * Defines all verbs and their options. A verb's code is loaded only when it runs, so that a command that only prints
 * something returns at once.
 */
export function createProgram(make: MakeContext, version: string): Command {
  const program = new Command('streamlit-host')
    .description('Self-hosted deploys for Streamlit apps.')
    .version(version, '--version', 'print the version')
    .addOption(new Option('--url <url>', 'the server to use'))
    .addOption(new Option('--token-file <file>', 'file with the token'))
    .addOption(new Option('--json', 'print results as JSON'))
    .addOption(new Option('--verbose', 'show the stack trace of an unexpected error'))
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .showHelpAfterError('(see --help)')
    .addHelpText(
      'after',
      '\nExit codes: 0 success, 1 refused or failed, 2 usage error, 3 server unreachable, 4 not logged in, 5 app not found',
    );
  const cli = (command: Command): Context => make(command.optsWithGlobals<GlobalOptions>());

  addServerVerbs(program, cli);
  addAppVerbs(program, cli);
  addPeopleVerbs(program, cli);
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print a shell completion script')
    .action(async (shell: string, _options: unknown, command: Command) =>
      (await import('./completion.js')).completion(cli(command), shell, verbsOf(program)),
    );
  for (const [heading, names] of Object.entries(GROUPS))
    for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(heading);
  program
    .command('__apps', { hidden: true })
    .action(async (_options: unknown, command: Command) => (await import('./completion.js')).listApps(cli(command)));
  return program;
}

/** Returns the verbs for shell completion. */
export function verbsOf(program: Command): Verb[] {
  const optionsOf = (command: Command): Verb['options'] =>
    command.options
      .filter(({ hidden }) => !hidden)
      .map(({ short, long, description }) => ({ short, long: long ?? '', summary: description }));
  return program.commands
    .filter((command) => !command.name().startsWith('_') && command.name() !== 'destroy')
    .map((command) => {
      const first = command.registeredArguments[0]?.name();
      const takes = first === 'app' || first === 'shell' ? first : first === 'dir' ? 'folder' : undefined;
      const actions = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
      return {
        name: command.name(),
        summary: command.description(),
        takes,
        actions,
        options: [...optionsOf(command), ...optionsOf(program)],
      };
    });
}
