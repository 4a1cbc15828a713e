import { Argument, type Command } from 'commander';
import type { AccessOptions } from './access.js';
import type { AuditOptions } from './audit.js';
import type { CiOptions } from './ci.js';
import type { ShareOptions } from './share.js';
import type { TokensOptions } from './tokens.js';
import type { UserOptions } from './user.js';
import type { Context } from './context.js';
import { wholeNumber } from './whole-number.js';

const ACCESS_ACTIONS = ['public', 'signed-in', 'people', 'password', 'grant', 'revoke'];
const SHARE_ACTIONS = ['create', 'revoke', 'frames'];
const CI_ACTIONS = ['add', 'remove'];
const TOKEN_ACTIONS = ['create', 'revoke'];
const USER_ACTIONS = [
  'list',
  'add',
  'invite',
  'reset',
  'disable',
  'enable',
  'groups',
  'second-factor',
  'sessions',
  'logout',
];

/** The verbs for who may do what: logins, access, tokens, accounts and the audit log. */
export function addPeopleVerbs(program: Command, cli: (command: Command) => Context): void {
  program
    .command('login')
    .argument('<url>', "the server's URL")
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
    .argument(
      '[args...]',
      'create: whom the link is for; revoke: its id; frames: the origins that may embed the app, or "-" for none',
    )
    .option('--days <n>', 'create: how many days the link works', wholeNumber(366), 30)
    .option('--embed', 'create: the link also works in a frame, on the origins that "frames" lists')
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
    .option('--days <n>', 'create: how many days the token works', wholeNumber(366), 90)
    .option('--deploy <app>', 'deploy tokens of this app, for CI, instead of your own tokens')
    .description('list, create or revoke tokens for scripts and git')
    .action(async (action: string | undefined, name: string | undefined, options: TokensOptions, command: Command) =>
      (await import('./tokens.js')).tokens(cli(command), action, name, options),
    );
  program
    .command('ci')
    .argument('<app>', 'the app id')
    .addArgument(new Argument('[action]', 'the action (default: list the rules)').choices(CI_ACTIONS))
    .argument(
      '[args...]',
      'add: github, gitlab or the URL of an issuer, and the repository; remove: the id of the rule',
    )
    .option('--branch <branch>', 'add: the branch that jobs must run on')
    .option('--environment <name>', 'add: the environment that jobs must name')
    .option('--repository-id <id>', "add: the service's number of the repository (default: that of its first job)")
    .description('list, add or remove the CI jobs that may deploy an app without a secret')
    .action(async (app: string, action: string | undefined, words: string[], options: CiOptions, command: Command) =>
      (await import('./ci.js')).ci(cli(command), app, action, words, options),
    );
  program
    .command('user')
    .addArgument(new Argument('<action>', 'what to do').choices(USER_ACTIONS))
    .argument('[email]', 'the account')
    .argument(
      '[groups...]',
      'groups: the new groups, or "-" for none; second-factor: required, optional or reset (default: show them)',
    )
    .option('--name <name>', "add: the person's name")
    .option('--admin', 'add: make the account an admin')
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
}
