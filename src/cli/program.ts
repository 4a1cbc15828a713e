import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import type { AccessOptions } from './access.js';
import type { AlertsOptions } from './alerts.js';
import type { AuditOptions } from './audit.js';
import type { Context, GlobalOptions } from './context.js';
import type { BackupOptions } from './backup.js';
import type { Verb } from './completion.js';
import type { DeployOptions } from './deploy.js';
import { usage } from './failures.js';
import type { LayoutOptions } from './layout.js';
import type { StartOptions } from './start.js';
import type { ShareOptions } from './share.js';
import type { TokensOptions } from './tokens.js';
import type { UserOptions } from './user.js';

/** Creates what a verb gets, once its options are parsed. */
export type MakeContext = (options: GlobalOptions) => Context;

const WAIT = 'return as soon as the deploy is queued';
const MAIN = 'the file that Streamlit runs, such as src/app.py (default: found automatically)';
const DEPENDENCIES = 'the file that lists the packages (default: found beside the main file or in the root folder)';
const ROOT = 'the folder that holds the app, in a repository with several projects';

/** The actions on config vars and secrets. They are listed here so that help loads nothing. */
const CONFIG_ACTIONS = ['set', 'unset', 'import', 'show'];
const SECRETS_ACTIONS = ['set', 'unset', 'show'];

/** The actions on roles in an app, and on accounts. */
const ACCESS_ACTIONS = ['public', 'signed-in', 'people', 'password', 'grant', 'revoke'];
const SHARE_ACTIONS = ['create', 'revoke', 'frames'];
const TOKEN_ACTIONS = ['create', 'revoke'];
const ALERT_ACTIONS = ['add', 'remove', 'test'];
const DRAIN_ACTIONS = ['add', 'remove'];
const RANGES = ['hour', 'day', 'week', 'month', 'year'];
const USER_ACTIONS = ['list', 'add', 'invite', 'reset', 'disable', 'enable', 'groups', 'sessions', 'logout'];

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

  program
    .command('start')
    .argument('[app]', 'the app; omit it for the local server')
    .option('-d, --detach', 'run the server in the background and return once it is ready')
    .addOption(new Option('--successor').hideHelp())
    .addOption(new Option('--detached').hideHelp())
    .description('start the local server, or an app')
    .action(async (app: string | undefined, options: StartOptions, command: Command) => {
      if (app === undefined) return (await import('./start.js')).startServer(cli(command), options);
      if (options.detach === true) throw usage('--detach applies to the server. Omit the app.');
      await (await import('./app.js')).changeApp(cli(command), 'start', app);
    });
  program
    .command('reload')
    .description('replace the local server by the version installed now, without an interruption')
    .option(
      '--wait <seconds>',
      'how long deploys in progress may take to finish before they start again',
      wholeNumber(3_600),
      30,
    )
    .action(async (options: { wait: number }, command: Command) =>
      (await import('./reload.js')).reloadServer(cli(command), options),
    );
  program
    .command('stop')
    .argument('[app]', 'the app; omit it for the local server')
    .option('--keep-apps', 'stop the server only; apps keep running, and the next start adopts them')
    .description('stop the local server and all its apps, or one app')
    .action(async (app: string | undefined, options: { keepApps?: boolean }, command: Command) => {
      if (app === undefined) return (await import('./stop.js')).stopServer(cli(command), options);
      if (options.keepApps === true) throw usage('--keep-apps applies to the server. Omit the app.');
      await (await import('./app.js')).changeApp(cli(command), 'stop', app);
    });
  program
    .command('sleep')
    .argument('<app>')
    .description('end the processes of an app until its next visit')
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./app.js')).changeApp(cli(command), 'sleep', app),
    );
  program
    .command('restart')
    .argument('<app>')
    .description('restart an app without downtime')
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./app.js')).changeApp(cli(command), 'restart', app),
    );
  program
    .command('status')
    .argument('[app]', 'show only this app')
    .option('-w, --watch', 'keep running and show every change')
    .description('list all apps and their states, or show one app')
    .action(async (id: string | undefined, options: { watch?: boolean }, command: Command) =>
      (await import('./status.js')).status(cli(command), id, options),
    );
  program
    .command('top')
    .description('show what each app uses, the most demanding first; updated until interrupted on a terminal')
    .action(async (_options: unknown, command: Command) => (await import('./top.js')).top(cli(command)));
  program
    .command('metrics')
    .argument('<app>')
    .addOption(new Option('--range <range>', 'how far back').choices(RANGES).default('day'))
    .description('show visitors, requests, memory and CPU of an app, by release')
    .action(async (app: string, options: { range: string }, command: Command) =>
      (await import('./metrics.js')).metrics(cli(command), app, options),
    );
  program
    .command('errors')
    .argument('<app>')
    .description('list the exceptions that an app printed, by type and place, with the newest traceback')
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./errors.js')).errors(cli(command), app),
    );
  program
    .command('alerts')
    .addArgument(new Argument('[action]', 'the action (default: show alerts and destinations)').choices(ALERT_ACTIONS))
    .argument(
      '[args...]',
      'add: the kind (email, webhook, slack, teams, discord, feishu, dingtalk or ntfy), and the address (default: prompted, or read from standard input, with a secret on the second line); remove, test: the id',
    )
    .option('--app <app>', 'the app (default: the machine and all apps)')
    .option('--name <name>', 'add: what you call it')
    .option('--only <rule...>', 'add: only these alerts, such as down or deploy-failed')
    .description('show what is wrong, and add, remove or test a destination for alerts')
    .action(async (action: string | undefined, words: string[], options: AlertsOptions, command: Command) =>
      (await import('./alerts.js')).alerts(cli(command), action, words, options),
    );
  program
    .command('drains')
    .addArgument(new Argument('[action]', 'the action (default: list the drains)').choices(DRAIN_ACTIONS))
    .argument(
      '[address]',
      'add: https:// or syslog+tls:// (default: prompted, or read from standard input, with a token on the second line); remove: the id',
    )
    .option('--app <app>', 'the app (default: all apps)')
    .description('list, add or remove where the output of apps is sent')
    .action(
      async (action: string | undefined, given: string | undefined, options: { app?: string }, command: Command) =>
        (await import('./drains.js')).drains(cli(command), action, given, options),
    );
  program
    .command('doctor')
    .description('check the server: cages, permissions, origins and Redis; exits with 1 if something is wrong')
    .action(async (_options: unknown, command: Command) => (await import('./doctor.js')).doctor(cli(command)));
  program
    .command('backup')
    .argument('<to>', 'the file, or s3://bucket/prefix, where the server uploads it')
    .option('--with-key', 'include the key for config and secrets, and the admin token')
    .option('--keep <n>', 'keep only the newest n backups (s3:// only)')
    .description('back up the server while it runs')
    .action(async (to: string, options: BackupOptions, command: Command) =>
      (await import('./backup.js')).backup(cli(command), to, options),
    );
  program
    .command('restore')
    .argument('<from>', 'the file, or s3://bucket/name')
    .option('--key <file>', 'the copy of vault.key, for a backup without it')
    .description('restore a backup into the empty data folder')
    .action(async (from: string, options: { key?: string }, command: Command) =>
      (await import('./restore.js')).restore(cli(command), from, options),
    );
  program
    .command('refresh')
    .description('reload config.json and the apps folder')
    .action(async (_options: unknown, command: Command) => (await import('./refresh.js')).refresh(cli(command)));
  program
    .command('import')
    .argument('<dir>', 'the folder of the other installation, or its config.json')
    .description('add the apps of another installation and run them in place')
    .action(async (dir: string, _options: unknown, command: Command) =>
      (await import('./import.js')).importFrom(cli(command), dir),
    );
  program
    .command('adopt')
    .argument('<app>')
    .option('--no-wait', WAIT)
    .description('give an in-place app its own repository')
    .action(async (app: string, options: { wait: boolean }, command: Command) =>
      (await import('./adopt.js')).adopt(cli(command), app, options),
    );
  program
    .command('logs')
    .argument('<app>')
    .option('-f, --follow', 'keep printing new lines')
    .option('-n, --lines <n>', 'number of lines to show', wholeNumber(10_000), 200)
    .option('--build', 'show the build log of the latest deploy')
    .option('--release <n>', 'show the build log of this release', wholeNumber(1e9))
    .description("show an app's output, or a build log")
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
    .description("print an app's URL and open it in a browser")
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./open.js')).open(cli(command), app),
    );
  program
    .command('deploy')
    .argument('[dir]', 'the folder to deploy (default: the current folder)')
    .option('--app <app>', "the app to deploy to (default: the folder's name)")
    .option('--main <file>', MAIN)
    .option('--dependencies <file>', DEPENDENCIES)
    .option('--root <folder>', ROOT)
    .option('--no-wait', WAIT)
    .description('deploy a folder without git, and follow the deploy')
    .action(async (dir: string | undefined, options: DeployOptions, command: Command) =>
      (await import('./deploy.js')).deploy(cli(command), dir, options),
    );
  program
    .command('create')
    .argument('<name>')
    .option('--id <app>', 'the id used in its URL (default: derived from the name)')
    .option('--description <text>', 'what the app is for')
    .option('--main <file>', MAIN)
    .option('--dependencies <file>', DEPENDENCIES)
    .option('--root <folder>', ROOT)
    .description('create an empty app to push to')
    .action(async (name: string, options: { id?: string; description?: string } & LayoutOptions, command: Command) =>
      (await import('./create.js')).create(cli(command), name, options),
    );
  // "destroy" was its name before, and goes on working for the scripts that use it.
  for (const [name, hidden] of [
    ['delete', false],
    ['destroy', true],
  ] as const) {
    program
      .command(name, { hidden })
      .argument('<app>')
      .option('--confirm <app>', 'the app id again, to confirm')
      .description('permanently delete an app with its releases, files and logs')
      .action(async (app: string, options: { confirm?: string }, command: Command) =>
        (await import('./delete.js')).deleteApp(cli(command), app, options),
      );
  }
  program
    .command('deploys')
    .argument('<app>')
    .option('-n, --lines <n>', 'number of deploys to show', wholeNumber(100), 20)
    .description('list the deploys of an app')
    .action(async (app: string, options: { lines: number }, command: Command) =>
      (await import('./deploys.js')).deploys(cli(command), app, options),
    );
  program
    .command('cancel')
    .argument('<app>', 'the app id')
    .argument('<release>', 'the release number', wholeNumber(1e9))
    .description('cancel a deploy before it goes live')
    .action(async (app: string, release: number, _options: unknown, command: Command) =>
      (await import('./cancel.js')).cancel(cli(command), app, release),
    );
  program
    .command('redeploy')
    .argument('<app>')
    .option('--fresh', 'install all packages again, at the newest versions that the app allows')
    .option('--no-wait', WAIT)
    .description('deploy the latest commit again, and follow the deploy')
    .action(async (app: string, options: { wait: boolean; fresh?: boolean }, command: Command) =>
      (await import('./redeploy.js')).redeploy(cli(command), app, options),
    );
  program
    .command('branch')
    .argument('<app>', 'the app id')
    .argument('[branch]', 'the branch to deploy when it is pushed (default: show the current one)')
    .description('show or change the branch that an app deploys')
    .action(async (app: string, name: string | undefined, _options: unknown, command: Command) =>
      (await import('./branch.js')).branch(cli(command), app, name),
    );
  program
    .command('layout')
    .argument('<app>', 'the app id')
    .option('--main <file>', MAIN)
    .option('--dependencies <file>', DEPENDENCIES)
    .option('--root <folder>', ROOT)
    .description("show or change where an app's main file, dependency file and root folder are")
    .action(async (app: string, options: LayoutOptions, command: Command) =>
      (await import('./layout.js')).layout(cli(command), app, options),
    );
  program
    .command('preview')
    .argument('<app>', 'the app id')
    .argument('<branch>', 'a previously pushed branch')
    .option('--no-wait', WAIT)
    .description('create a preview of a previously pushed branch')
    .action(async (app: string, branch: string, options: { wait: boolean }, command: Command) =>
      (await import('./preview.js')).preview(cli(command), app, branch, options),
    );
  program
    .command('rollback')
    .argument('<app>', 'the app id')
    .argument('[release]', 'the release to roll back to (default: the previous one)', wholeNumber(1e9))
    .option('-y, --yes', 'roll back without asking')
    .option('--no-wait', WAIT)
    .description('roll back to an earlier release (shows the diff first)')
    .action(
      async (app: string, release: number | undefined, options: { yes?: boolean; wait: boolean }, command: Command) =>
        (await import('./rollback.js')).rollback(cli(command), app, release, options),
    );
  program
    .command('diff')
    .argument('<app>', 'the app id')
    .argument('<release>', 'the release number', wholeNumber(1e9))
    .description('compare a release with the live one: code, and names of config vars and secrets')
    .action(async (app: string, release: number, _options: unknown, command: Command) =>
      (await import('./diff.js')).diff(cli(command), app, release),
    );
  program
    .command('config')
    .argument('<app>', 'the app id')
    .addArgument(new Argument('[action]', 'the action (default: list the names)').choices(CONFIG_ACTIONS))
    .argument(
      '[args...]',
      'set: KEY=VALUE, or KEY to be prompted for the value; unset: KEY; import: a .env file or "-"; show: KEY',
    )
    .option('--no-wait', WAIT)
    .description('list, show, set, unset or import config vars')
    .action(
      async (app: string, action: string | undefined, words: string[], options: { wait: boolean }, command: Command) =>
        (await import('./config.js')).config(cli(command), app, action, words, options),
    );
  program
    .command('secrets')
    .argument('<app>', 'the app id')
    .addArgument(new Argument('[action]', 'the action (default: list the names)').choices(SECRETS_ACTIONS))
    .argument('[file]', 'set: the secrets.toml, or "-" for standard input')
    .option('--no-wait', WAIT)
    .description("list, show, set or unset an app's secrets.toml")
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
    .option('--new', 'allow an app that does not exist yet; the first push creates it')
    .description('add the git remote "host" to the current repository')
    .action(async (app: string, options: { new?: boolean }, command: Command) =>
      (await import('./remote.js')).remote(cli(command), app, options),
    );
  program
    .command('login')
    .argument('<url>')
    .option('--token-stdin', 'read the token from standard input')
    .option('--git', "also store the token in git's credential helper")
    .description('log in to a server and store its token')
    .action(async (url: string, options: { tokenStdin?: boolean; git?: boolean }, command: Command) =>
      (await import('./login.js')).login(cli(command), url, options),
    );
  program
    .command('login-link')
    .description('create a one-time login link for the console')
    .action(async (_options: unknown, command: Command) => (await import('./login-link.js')).loginLink(cli(command)));
  program
    .command('token')
    .description("print the local server's admin token, which is also git's password")
    .action(async (_options: unknown, command: Command) => (await import('./token.js')).token(cli(command)));
  program
    .command('access')
    .argument('<app>', 'the app id')
    .addArgument(
      new Argument('[action]', 'who may open it, or what to do with a role (default: list both)').choices(
        ACCESS_ACTIONS,
      ),
    )
    .argument('[args...]', 'grant: an email address or group:NAME, and viewer, developer or owner; revoke: who')
    .option('--password-stdin', 'password: read it from standard input')
    .description('show or change who may open an app, and who has which role in it')
    .action(
      async (app: string, action: string | undefined, words: string[], options: AccessOptions, command: Command) =>
        (await import('./access.js')).access(cli(command), app, action, words, options),
    );
  program
    .command('share')
    .argument('<app>', 'the app id')
    .addArgument(new Argument('[action]', 'the action (default: list the share links)').choices(SHARE_ACTIONS))
    .argument('[args...]', 'create: whom the link is for; revoke: its id; frames: origins, or "-" for none')
    .option('--days <n>', 'create: how many days it works', wholeNumber(366), 30)
    .option('--embed', 'create: pages of the origins that the app names may frame it')
    .description('list, create or revoke links that open an app without an account')
    .action(async (app: string, action: string | undefined, words: string[], options: ShareOptions, command: Command) =>
      (await import('./share.js')).share(cli(command), app, action, words, options),
    );
  program
    .command('tokens')
    .addArgument(new Argument('[action]', 'the action (default: list the tokens)').choices(TOKEN_ACTIONS))
    .argument('[name]', 'create: what the token is for; revoke: its id')
    .option('--scope <scope>', 'create: read, deploy or manage (default: deploy)')
    .option('--app <app...>', 'create: the apps the token is for (default: all you have a role in)')
    .option('--days <n>', 'create: how many days it works', wholeNumber(366), 90)
    .option('--deploy <app>', 'deploy tokens of this app, for CI, instead of your own tokens')
    .description('list, create or revoke tokens for scripts and git')
    .action(async (action: string | undefined, name: string | undefined, options: TokensOptions, command: Command) =>
      (await import('./tokens.js')).tokens(cli(command), action, name, options),
    );
  program
    .command('user')
    .addArgument(new Argument('<action>', 'what to do').choices(USER_ACTIONS))
    .argument('[email]', 'the account')
    .argument('[groups...]', 'groups: the new groups, or "-" for none (default: list them)')
    .option('--name <name>', "add: the person's name")
    .option('--admin', 'add: allow everything')
    .option('--group <group...>', 'add: the groups of the account')
    .option('--password-stdin', 'add: read a password from standard input instead of printing an invitation link')
    .description(
      'list accounts, add or invite people, reset passwords, disable and enable accounts, set groups, list and end sessions',
    )
    .action(
      async (action: string, email: string | undefined, words: string[], options: UserOptions, command: Command) =>
        (await import('./user.js')).user(cli(command), action, email, words, options),
    );
  program
    .command('audit')
    .addArgument(
      new Argument('[action]', 'verify: find changed or missing entries (default: list)').choices(['verify']),
    )
    .option('--who <who>', 'only entries of this person or token')
    .option('--app <app>', 'only entries about this app')
    .option('--contains <text>', 'only entries that contain this text')
    .option('-n, --limit <n>', 'number of entries to show', wholeNumber(1_000), 50)
    .description('show who did what on the server, or verify that nothing in the audit log was changed')
    .action(async (action: string | undefined, options: AuditOptions, command: Command) => {
      const { audit, verifyAudit } = await import('./audit.js');
      await (action === 'verify' ? verifyAudit(cli(command)) : audit(cli(command), options));
    });
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print a shell completion script')
    .action(async (shell: string, _options: unknown, command: Command) =>
      (await import('./completion.js')).completion(cli(command), shell, verbsOf(program)),
    );
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

function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
  };
}
