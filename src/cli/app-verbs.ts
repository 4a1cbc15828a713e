import { Argument, type Command } from 'commander';
import type { DeployOptions } from './deploy.js';
import type { LayoutOptions } from './layout.js';
import type { Context } from './context.js';
import { wholeNumber } from './whole-number.js';

const WAIT = 'return as soon as the deploy is queued';
const MAIN = 'the file that Streamlit runs, such as src/app.py (default: found automatically)';
const DEPENDENCIES = 'the file that lists the packages (default: found beside the main file or in the root folder)';
const ROOT = 'the folder that holds the app, in a repository with several projects';
const CONFIG_ACTIONS = ['set', 'unset', 'import', 'show'];
const SECRETS_ACTIONS = ['set', 'unset', 'show'];

/** The verbs for one app: its output, deploys, config and files. */
export function addAppVerbs(program: Command, cli: (command: Command) => Context): void {
  program
    .command('logs')
    .argument('<app>', 'the app id')
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
    .argument('<app>', 'the app id')
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
    .argument('<name>', "the app's name")
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
      .argument('<app>', 'the app id')
      .option('--confirm <app>', 'the app id again, to confirm')
      .description('permanently delete an app with its releases, files and logs')
      .action(async (app: string, options: { confirm?: string }, command: Command) =>
        (await import('./delete.js')).deleteApp(cli(command), app, options),
      );
  }
  program
    .command('deploys')
    .argument('<app>', 'the app id')
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
    .argument('<app>', 'the app id')
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
    .command('scale')
    .argument('<app>', 'the app id')
    .argument('<replicas>', 'the number of processes, such as 3', wholeNumber(1e6))
    .description('change how many processes run an app')
    .action(async (app: string, replicas: number, _options: unknown, command: Command) =>
      (await import('./scale.js')).scale(cli(command), app, replicas),
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
    .command('packages')
    .argument('<app>', 'the app id')
    .argument('[release]', 'the release number (default: the live one)', wholeNumber(1e9))
    .description('print the exact packages of a release, as a requirements file')
    .action(async (app: string, release: number | undefined, _options: unknown, command: Command) =>
      (await import('./packages.js')).packages(cli(command), app, release),
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
    .argument('<app>', 'the app id')
    .option('--new', 'allow an app that does not exist yet; the first push creates it')
    .description('add the git remote "host" to the current repository')
    .action(async (app: string, options: { new?: boolean }, command: Command) =>
      (await import('./remote.js')).remote(cli(command), app, options),
    );
}
