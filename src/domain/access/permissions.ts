import { roles, type Role } from './roles.js';

/** What an account is on the server, from the least to the most. */
export const ranks = ['member', 'admin'] as const;

export type Rank = (typeof ranks)[number];

/** What is needed for something: a rank on the server, or a role in the app that it is done to. */
type Rule = { least: Rank; what: string } | { role: Role; what: string };

/**
 * Everything that can be done, and who may do it: the one table that every door asks. An admin may do everything; of the
 * others, somebody who has no role in an app is told that there is no such app.
 */
export const verbs = {
  account: { least: 'member', what: 'see and change your own account' },
  list: { least: 'member', what: 'list the apps that you have a role in, and follow their changes' },
  create: { least: 'member', what: 'create an app, which you then own' },
  people: { least: 'admin', what: 'invite people, change their accounts and disable them' },
  server: {
    least: 'admin',
    what: 'check and stop the server, reload, import and adopt in-place apps, rotate the vault key',
  },
  open: { role: 'viewer', what: 'open the app, and see its name, state and URL in lists' },
  see: { role: 'developer', what: "see the app's deploys, process and previews" },
  logs: { role: 'developer', what: "read the app's output and build logs" },
  files: { role: 'developer', what: "read the app's files, clone it and compare releases" },
  push: { role: 'developer', what: 'push, upload and edit files' },
  deploy: {
    role: 'developer',
    what: 'redeploy, roll back, cancel deploys, stop old releases, create and delete previews',
  },
  run: { role: 'developer', what: 'start, stop and restart the app' },
  config: { role: 'developer', what: 'read and change config vars and secrets' },
  settings: { role: 'developer', what: "change the app's name, description, tags, branch and paths" },
  access: { role: 'owner', what: 'see and change who has which role in the app' },
  delete: { role: 'owner', what: 'delete the app' },
} as const satisfies Record<string, Rule>;

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
export const appVerbs = (Object.keys(verbs) as Verb[]).filter((verb): verb is AppVerb => isAppVerb(verb));

/** Returns whether somebody with this rank may do this to the server. */
export function rankMay(rank: Rank, verb: ServerVerb): boolean {
  return ranks.indexOf(rank) >= ranks.indexOf(verbs[verb].least);
}

/** Returns whether somebody with this role may do this to the app. */
export function roleMay(role: Role | undefined, verb: AppVerb): boolean {
  return role !== undefined && roles.indexOf(role) >= roles.indexOf(verbs[verb].role);
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
    row([`\`${verb}\``, verbs[verb].what, ...holders.map((holder) => mark(holder, verb))]),
  );
  return [row(['verb', 'what it allows', ...holders]), row(['---', '---', ...holders.map(() => '---')]), ...lines].join(
    '\n',
  );
}
