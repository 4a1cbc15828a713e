import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import type { Context, GlobalOptions } from './context.js';
import type { Verb } from './completion.js';
import { usage } from './failures.js';

/** Makes what a verb works with, once its options are known. */
export type MakeContext = (options: GlobalOptions) => Context;

const WAIT = 'return once the deploy is queued';

/** What can be done with config vars and secrets; told here, so that nothing is loaded to tell it. */
const CONFIG_ACTIONS = ['set', 'unset', 'import', 'show'];
const SECRETS_ACTIONS = ['set', 'unset', 'show'];

/**
 * All verbs with their options. What a verb does is loaded when it is asked for, and not before: a command that only
 * tells something shall be there at once.
 */
export function createProgram(make: MakeContext): Command {
  const program = new Command('streamlit-host')
    .description('A self-hosted place for Streamlit apps.')
    .addOption(new Option('--url <address>', 'the server that is meant'))
    .addOption(new Option('--token-file <file>', 'a file with the token for it'))
    .addOption(new Option('--json', 'print results as JSON'))
    .addOption(new Option('--verbose', 'show where an unexpected error came from'))
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .showHelpAfterError('(add --help for what there is)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 refused or failed, 2 usage, 3 server not reachable, 4 not signed in, 5 no such app.',
    );
  const cli = (command: Command): Context => make(command.optsWithGlobals<GlobalOptions>());

  program
    .command('start')
    .argument('[app]', 'an app; without one, the server of this machine')
    .option('-d, --detach', 'the server: return when it answers, and leave it running')
    .description('start the server of this machine, or an app')
    .action(async (app: string | undefined, options: { detach?: boolean }, command: Command) => {
      if (app === undefined) return (await import('./start.js')).startServer(cli(command), options);
      if (options.detach === true) throw usage('--detach is for the server: leave the app out.');
      await (await import('./app.js')).changeApp(cli(command), 'start', app);
    });
  program
    .command('stop')
    .argument('[app]', 'an app; without one, the server of this machine')
    .option('--keep-apps', 'the server: its apps go on, and the next start takes them over')
    .description('stop the server with all apps, or one app')
    .action(async (app: string | undefined, options: { keepApps?: boolean }, command: Command) => {
      if (app === undefined) return (await import('./stop.js')).stopServer(cli(command), options);
      if (options.keepApps === true) throw usage('--keep-apps is for the server: leave the app out.');
      await (await import('./app.js')).changeApp(cli(command), 'stop', app);
    });
  program
    .command('restart')
    .argument('<app>')
    .description('restart an app; the old process serves until the new one does')
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./app.js')).changeApp(cli(command), 'restart', app),
    );
  program
    .command('status')
    .option('-w, --watch', 'go on, and show every change')
    .description('show all apps')
    .action(async (options: { watch?: boolean }, command: Command) =>
      (await import('./status.js')).status(cli(command), options),
    );
  program
    .command('refresh')
    .description('read config.json and the folder of apps again')
    .action(async (_options: unknown, command: Command) => (await import('./refresh.js')).refresh(cli(command)));
  program
    .command('import')
    .argument('<dir>', 'the folder of the installation, or its config.json')
    .description('take over the apps of another installation, to be run where they are')
    .action(async (dir: string, _options: unknown, command: Command) =>
      (await import('./import.js')).importFrom(cli(command), dir),
    );
  program
    .command('adopt')
    .argument('<app>')
    .option('--no-wait', WAIT)
    .description('give an app that runs in place a repository of its own')
    .action(async (app: string, options: { wait: boolean }, command: Command) =>
      (await import('./adopt.js')).adopt(cli(command), app, options),
    );
  program
    .command('logs')
    .argument('<app>')
    .option('-f, --follow', 'go on with what is written')
    .option('-n, --lines <n>', 'how many lines from the end', wholeNumber(10_000), 200)
    .option('--build', 'the log of the newest deploy')
    .option('--release <n>', 'the log of the deploy of this release', wholeNumber(1e9))
    .description('show what an app prints, or the log of a deploy')
    .action(
      async (
        app: string,
        options: { follow?: boolean; lines: number; build?: boolean; release?: number },
        command: Command,
      ) => (await import('./logs.js')).logs(cli(command), app, options),
    );
  program
    .command('open')
    .argument('<app>')
    .description('tell the address of an app, and open it in a browser')
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./open.js')).open(cli(command), app),
    );
  program
    .command('deploy')
    .argument('[dir]', 'the folder (default: this one)')
    .option('--app <app>', "the app (default: the folder's name)")
    .option('--no-wait', WAIT)
    .description('send a folder without git, and follow its deploy')
    .action(async (dir: string | undefined, options: { app?: string; wait: boolean }, command: Command) =>
      (await import('./deploy.js')).deploy(cli(command), dir, options),
    );
  program
    .command('create')
    .argument('<name>')
    .option('--id <app>', 'its id in addresses (default: made from the name)')
    .option('--description <text>')
    .description('make an app that waits for its first push')
    .action(async (name: string, options: { id?: string; description?: string }, command: Command) =>
      (await import('./create.js')).create(cli(command), name, options),
    );
  program
    .command('destroy')
    .argument('<app>')
    .option('--confirm <app>', 'its name once more')
    .description('remove an app with its releases, files and logs')
    .action(async (app: string, options: { confirm?: string }, command: Command) =>
      (await import('./destroy.js')).destroy(cli(command), app, options),
    );
  program
    .command('deploys')
    .argument('<app>')
    .option('-n, --lines <n>', 'how many', wholeNumber(100), 20)
    .description('show what was deployed to an app')
    .action(async (app: string, options: { lines: number }, command: Command) =>
      (await import('./deploys.js')).deploys(cli(command), app, options),
    );
  program
    .command('cancel')
    .argument('<app>')
    .argument('<release>', 'its number', wholeNumber(1e9))
    .description('cancel a deploy that is not live yet')
    .action(async (app: string, release: number, _options: unknown, command: Command) =>
      (await import('./cancel.js')).cancel(cli(command), app, release),
    );
  program
    .command('redeploy')
    .argument('<app>')
    .option('--no-wait', WAIT)
    .description('deploy the newest commit again, and follow it')
    .action(async (app: string, options: { wait: boolean }, command: Command) =>
      (await import('./redeploy.js')).redeploy(cli(command), app, options),
    );
  program
    .command('preview')
    .argument('<app>')
    .argument('<branch>', 'a branch that was pushed before')
    .option('--no-wait', WAIT)
    .description('give a branch that was pushed before its preview')
    .action(async (app: string, branch: string, options: { wait: boolean }, command: Command) =>
      (await import('./preview.js')).preview(cli(command), app, branch, options),
    );
  program
    .command('rollback')
    .argument('<app>')
    .argument('[release]', 'its number (default: the one that was live before)', wholeNumber(1e9))
    .option('-y, --yes', 'do not ask')
    .option('--no-wait', WAIT)
    .description('bring a release back that was live, after a look at what that changes')
    .action(
      async (app: string, release: number | undefined, options: { yes?: boolean; wait: boolean }, command: Command) =>
        (await import('./rollback.js')).rollback(cli(command), app, release, options),
    );
  program
    .command('diff')
    .argument('<app>')
    .argument('<release>', 'its number', wholeNumber(1e9))
    .description('show what a release changes against the live one: code, and names of config')
    .action(async (app: string, release: number, _options: unknown, command: Command) =>
      (await import('./diff.js')).diff(cli(command), app, release),
    );
  program
    .command('config')
    .argument('<app>')
    .addArgument(new Argument('[action]', 'what to do (default: list the names)').choices(CONFIG_ACTIONS))
    .argument(
      '[words...]',
      'set: KEY=VALUE, or KEY to read its value; unset: KEY; import: a .env file or "-"; show: KEY',
    )
    .option('--no-wait', WAIT)
    .description('list, set and remove config vars')
    .action(
      async (app: string, action: string | undefined, words: string[], options: { wait: boolean }, command: Command) =>
        (await import('./config.js')).config(cli(command), app, action, words, options),
    );
  program
    .command('secrets')
    .argument('<app>')
    .addArgument(new Argument('[action]', 'what to do (default: list the names)').choices(SECRETS_ACTIONS))
    .argument('[file]', 'set: the secrets.toml, or "-" for standard input')
    .option('--no-wait', WAIT)
    .description("list, set and remove an app's secrets.toml")
    .action(
      async (
        app: string,
        action: string | undefined,
        file: string | undefined,
        options: { wait: boolean },
        command: Command,
      ) => (await import('./secrets.js')).secrets(cli(command), app, action, file, options),
    );
  program
    .command('remote')
    .argument('<app>')
    .option('--new', 'also for an app that the first push is to make')
    .description('add the git remote "host" to the repository you stand in')
    .action(async (app: string, options: { new?: boolean }, command: Command) =>
      (await import('./remote.js')).remote(cli(command), app, options),
    );
  program
    .command('login')
    .argument('<url>')
    .option('--token-stdin', 'read the token from standard input')
    .option('--git', "give it to git's credential helper too")
    .description('keep the address and the token of a server')
    .action(async (url: string, options: { tokenStdin?: boolean; git?: boolean }, command: Command) =>
      (await import('./login.js')).login(cli(command), url, options),
    );
  program
    .command('login-link')
    .description('make a link that lets a browser into the console, once')
    .action(async (_options: unknown, command: Command) => (await import('./login-link.js')).loginLink(cli(command)));
  program
    .command('token')
    .description("print the admin token of this machine's server, such as for git's password")
    .action(async (_options: unknown, command: Command) => (await import('./token.js')).token(cli(command)));
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print what a shell reads to complete this command')
    .action(async (shell: string, _options: unknown, command: Command) =>
      (await import('./completion.js')).completion(cli(command), shell, verbsOf(program)),
    );
  program
    .command('__apps', { hidden: true })
    .action(async (_options: unknown, command: Command) => (await import('./completion.js')).listApps(cli(command)));
  return program;
}

/** The verbs as shells complete them. */
export function verbsOf(program: Command): Verb[] {
  const optionsOf = (command: Command): Verb['options'] =>
    command.options.map(({ short, long, description }) => ({ short, long: long ?? '', summary: description }));
  return program.commands
    .filter((command) => !command.name().startsWith('_'))
    .map((command) => {
      const first = command.registeredArguments[0]?.name();
      const takes = first === 'app' || first === 'shell' ? first : first === 'dir' ? 'folder' : undefined;
      const actions = command.registeredArguments[1]?.argChoices ?? [];
      return {
        name: command.name(),
        summary: command.description(),
        takes,
        actions,
        options: [...optionsOf(command), ...optionsOf(program)],
      };
    });
}

function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
  };
}
