import { Argument, Option, type Command } from 'commander';
import type { AlertsOptions } from './alerts.js';
import type { BackupOptions } from './backup.js';
import type { StartOptions } from './start.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { wholeNumber } from './whole-number.js';

const WAIT = 'return as soon as the deploy is queued';
const ALERT_ACTIONS = ['add', 'remove', 'test'];
const DRAIN_ACTIONS = ['add', 'remove'];
const RANGES = ['hour', 'day', 'week', 'month', 'year'];

/** The verbs for the server and all that it runs, and those that it shares with apps. */
export function addServerVerbs(program: Command, cli: (command: Command) => Context): void {
  program
    .command('start')
    .argument('[app]', 'the app id; omit it for the local server')
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
    .argument('[app]', 'the app id; omit it for the local server')
    .option('--keep-apps', 'stop the server only; apps keep running, and the next start adopts them')
    .description('stop the local server and all its apps, or one app')
    .action(async (app: string | undefined, options: { keepApps?: boolean }, command: Command) => {
      if (app === undefined) return (await import('./stop.js')).stopServer(cli(command), options);
      if (options.keepApps === true) throw usage('--keep-apps applies to the server. Omit the app.');
      await (await import('./app.js')).changeApp(cli(command), 'stop', app);
    });
  program
    .command('sleep')
    .argument('<app>', 'the app id')
    .description('put an app to sleep until its next visit')
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./app.js')).changeApp(cli(command), 'sleep', app),
    );
  program
    .command('restart')
    .argument('<app>', 'the app id')
    .description('restart an app without downtime')
    .action(async (app: string, _options: unknown, command: Command) =>
      (await import('./app.js')).changeApp(cli(command), 'restart', app),
    );
  program
    .command('status')
    .argument('[app]', 'the app id (default: all apps)')
    .option('-w, --watch', 'keep running and show every change')
    .description('list all apps and their states, or show one app')
    .action(async (id: string | undefined, options: { watch?: boolean }, command: Command) =>
      (await import('./status.js')).status(cli(command), id, options),
    );
  program
    .command('top')
    .description('show what each app uses, the most demanding first; keeps updating on a terminal')
    .action(async (_options: unknown, command: Command) => (await import('./top.js')).top(cli(command)));
  program
    .command('metrics')
    .argument('<app>', 'the app id')
    .addOption(new Option('--range <range>', 'how far back').choices(RANGES).default('day'))
    .description('show visitors, requests, memory and CPU of an app, by release')
    .action(async (app: string, options: { range: string }, command: Command) =>
      (await import('./metrics.js')).metrics(cli(command), app, options),
    );
  program
    .command('errors')
    .argument('<app>', 'the app id')
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
    .option('--name <name>', 'add: a name for the destination')
    .option('--only <rule...>', 'add: only these alerts, such as down or deploy-failed')
    .description('show what is wrong, or add, remove or test a destination for alerts')
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
    .description('list, add or remove the places that the output of apps is sent to')
    .action(
      async (action: string | undefined, given: string | undefined, options: { app?: string }, command: Command) =>
        (await import('./drains.js')).drains(cli(command), action, given, options),
    );
  program
    .command('doctor')
    .description('check the server: cages, permissions, origins and Redis; exits with 1 if something is wrong')
    .option('--fix', 'first repair what is safe to repair: permissions, and what interrupted work has left')
    .action(async (options: { fix?: boolean }, command: Command) =>
      (await import('./doctor.js')).doctor(cli(command), options),
    );
  program
    .command('nodes')
    .description('list the machines of the Swarm, with their states and the apps that run there')
    .action(async (_options: object, command: Command) => (await import('./nodes.js')).nodes(cli(command)));
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
    .argument('<app>', 'the app id')
    .option('--no-wait', WAIT)
    .description('give an in-place app its own repository')
    .action(async (app: string, options: { wait: boolean }, command: Command) =>
      (await import('./adopt.js')).adopt(cli(command), app, options),
    );
}
