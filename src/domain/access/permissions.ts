import { roles, type Role } from './roles.js';
import { scopes, type Scope } from './scopes.js';

/** What an account is on the server, from the least to the most. */
export const ranks = ['member', 'admin'] as const;

/** What an account is on the server. */
export type Rank = (typeof ranks)[number];

/** What is needed for something: a rank on the server, or a role in the app that it is done to; of a token, also a scope. */
type Rule = { scope: Scope; what: string } & ({ least: Rank } | { role: Role });

/**
 * Everything that can be done, and who may do it: the one table that every door asks. An admin may do everything; of the
 * others, somebody who has no role in an app is told that there is no such app.
 */
export const verbs = {
  me: { least: 'member', scope: 'read', what: 'see who you are' },
  account: { least: 'member', scope: 'manage', what: 'change your own account, and create and revoke your tokens' },
  list: { least: 'member', scope: 'read', what: 'list the apps that you have a role in, and follow their changes' },
  create: { least: 'member', scope: 'deploy', what: 'create an app, which you then own' },
  people: { least: 'admin', scope: 'manage', what: 'invite people, change their accounts and disable them' },
  audit: { least: 'admin', scope: 'manage', what: 'read, export and verify the audit log' },
  server: {
    least: 'admin',
    scope: 'manage',
    what: 'check and stop the server, reload, import and adopt in-place apps, rotate the vault key',
  },
  open: { role: 'viewer', scope: 'read', what: 'open the app, and see its name, state and URL in lists' },
  see: { role: 'developer', scope: 'read', what: "see the app's deploys, process and previews" },
  logs: { role: 'developer', scope: 'read', what: "read the app's output and build logs" },
  files: { role: 'developer', scope: 'read', what: "read the app's files, clone it and compare releases" },
  push: { role: 'developer', scope: 'deploy', what: 'push, upload and edit files' },
  deploy: {
    role: 'developer',
    scope: 'deploy',
    what: 'redeploy, roll back, cancel deploys, stop old releases, create and delete previews',
  },
  run: { role: 'developer', scope: 'deploy', what: 'start, stop and restart the app, put it to sleep' },
  config: { role: 'developer', scope: 'manage', what: 'read and change config vars and secrets' },
  alerts: {
    role: 'developer',
    scope: 'manage',
    what: 'see and change where alerts about the app and its output are sent',
  },
  settings: { role: 'developer', scope: 'deploy', what: "change the app's name, description, tags, branch and paths" },
  access: { role: 'owner', scope: 'manage', what: 'see and change who has which role in the app' },
  delete: { role: 'owner', scope: 'manage', what: 'delete the app' },
} as const satisfies Record<string, Rule>;

/** Something that can be done to an app or the server. */
export type Verb = keyof typeof verbs;

/** A verb that is done to an app. */
export type AppVerb = { [V in Verb]: (typeof verbs)[V] extends { role: Role } ? V : never }[Verb];

/** A verb that is done to the server. */
export type ServerVerb = Exclude<Verb, AppVerb>;

/** Returns whether a verb is done to an app. */
export function isAppVerb(verb: Verb): verb is AppVerb {
  return 'role' in verbs[verb];
}

/** The verbs that are done to the server, and those that are done to an app. */
export const serverVerbs = (Object.keys(verbs) as Verb[]).filter((verb): verb is ServerVerb => !isAppVerb(verb));
/** The verbs that act on one app. */
export const appVerbs = (Object.keys(verbs) as Verb[]).filter((verb): verb is AppVerb => isAppVerb(verb));

/** Returns whether somebody with this rank may do this to the server. */
export function rankMay(rank: Rank, verb: ServerVerb): boolean {
  return ranks.indexOf(rank) >= ranks.indexOf(verbs[verb].least);
}

/** Returns whether somebody with this role may do this to the app. */
export function roleMay(role: Role | undefined, verb: AppVerb): boolean {
  return role !== undefined && roles.indexOf(role) >= roles.indexOf(verbs[verb].role);
}

/** Returns whether a token with this scope may do this, where its person may. */
export function scopeMay(scope: Scope, verb: Verb): boolean {
  return scopes.indexOf(scope) >= scopes.indexOf(verbs[verb].scope);
}

/** The least scope that a token needs for this. */
export function leastScope(verb: Verb): Scope {
  return verbs[verb].scope;
}

/** The least role that may do this. */
export function leastRole(verb: AppVerb): Role {
  return verbs[verb].role;
}

/** The table as Markdown, for the documentation. */
export function permissionTable(): string {
  const holders: readonly (Rank | Role)[] = ['member', ...roles, 'admin'];
  const mark = (holder: Rank | Role, verb: Verb): string => {
    const role = roles.find((one) => one === holder);
    const rank: Rank = holder === 'admin' ? 'admin' : 'member';
    const allowed = isAppVerb(verb) ? rank === 'admin' || roleMay(role, verb) : rankMay(rank, verb);
    return allowed ? 'yes' : 'no';
  };
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines = (Object.keys(verbs) as Verb[]).map((verb) =>
    row([`\`${verb}\``, verbs[verb].what, ...holders.map((holder) => mark(holder, verb)), verbs[verb].scope]),
  );
  const head = ['verb', 'what it allows', ...holders, 'scope'];
  return [row(head), row(head.map(() => '---')), ...lines].join('\n');
}
