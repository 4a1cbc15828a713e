import type { Api } from './api.js';
import { askHidden, canAsk, readStdin } from './ask.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';
import type { SessionAnswer } from '../web/api/sessions.js';
import type { SecondFactorAnswer } from '../web/api/second-factor.js';
import type { InvitedAnswer, PasswordLinkAnswer, UserAnswer } from '../web/api/people.js';

/** The options of `user`. */
export interface UserOptions {
  name?: string;
  admin?: boolean;
  group?: string[];
  passwordStdin?: boolean;
}

/** Lists accounts, or adds or changes one. */
export async function user(
  cli: Context,
  action: string,
  email: string | undefined,
  words: readonly string[],
  options: UserOptions,
): Promise<void> {
  if (action !== 'groups' && action !== 'second-factor' && words.length > 0)
    throw usage(`"${action}" takes one email address.`);
  if (action === 'list') {
    if (email !== undefined) throw usage('"list" takes no email address.');
    return list(cli);
  }
  if (email === undefined || email.trim() === '')
    throw usage(`Name the account: streamlit-host user ${action} <email>.`);
  const api = await cli.api();
  const path = `/users/${encodeURIComponent(email)}`;
  switch (action) {
    case 'add':
      return add(cli, api, email, options);
    case 'invite':
      return printLink(cli, await api.post<PasswordLinkAnswer>(`${path}/invitation`));
    case 'reset':
      return printLink(cli, await api.post<PasswordLinkAnswer>(`${path}/reset`));
    case 'groups':
      return groups(cli, api, path, words);
    case 'second-factor':
      return secondFactor(cli, api, path, email, words);
    case 'sessions':
      return sessions(cli, api, path, email);
    case 'logout':
      await api.delete(`${path}/sessions`);
      if (cli.out.json) return cli.out.data({ user: email, sessions: 0 });
      return cli.out.print(`All sessions of ${email} have ended.`);
    default: {
      const disabled = action === 'disable';
      const changed = await api.patch<UserAnswer>(path, { disabled });
      if (cli.out.json) return cli.out.data(changed);
      cli.out.print(
        disabled ? `${changed.email} is disabled, and all its sessions have ended.` : `${changed.email} is enabled.`,
      );
    }
  }
}

/** Without a word, shows the second factor of an account; otherwise requires one, makes it optional, or resets it. */
async function secondFactor(
  cli: Context,
  api: Api,
  path: string,
  email: string,
  [what, ...more]: readonly string[],
): Promise<void> {
  if (more.length > 0 || (what !== undefined && !['required', 'optional', 'reset'].includes(what)))
    throw usage('"second-factor" takes an email address and required, optional or reset.');
  if (what === 'reset') await api.delete(`${path}/second-factor`);
  else if (what !== undefined) await api.patch<UserAnswer>(path, { second_factor_required: what === 'required' });
  const now = await api.get<SecondFactorAnswer>(`${path}/second-factor`);
  if (cli.out.json) return cli.out.data({ user: email, ...now });
  if (what === 'reset')
    return cli.out.print(`The second factor of ${email} was reset, and all its sessions have ended.`);
  const { required, app_since: app, passkeys, recovery_codes: codes } = now;
  const has = [
    ...(app === null ? [] : ['an app for codes']),
    ...(passkeys.length === 0 ? [] : [`passkeys: ${passkeys.map(({ name }) => name).join(', ')}`]),
    ...(codes === 0 ? [] : [`${codes} recovery codes`]),
  ];
  cli.out.print(
    `${required ? 'Required' : 'Optional'}. ${has.length === 0 ? 'Not set up.' : `Set up: ${has.join('; ')}.`}`,
  );
}

async function sessions(cli: Context, api: Api, path: string, email: string): Promise<void> {
  const found = (await api.get<{ sessions: SessionAnswer[] }>(`${path}/sessions`)).sessions;
  if (cli.out.json) {
    for (const each of found) cli.out.data(each);
    return;
  }
  if (found.length === 0) return cli.out.note(`${email} is logged in nowhere.`);
  const lines = tableLines(
    found,
    [
      { title: 'Browser', value: (each) => each.browser ?? '' },
      { title: 'From', value: (each) => each.from ?? '' },
      { title: 'Since', value: (each) => each.created_at.slice(0, 10) },
      { title: 'Last used', value: (each) => each.last_used_at.slice(0, 10) },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}

async function list(cli: Context): Promise<void> {
  const { users } = await (await cli.api()).get<{ users: UserAnswer[] }>('/users');
  if (cli.out.json) {
    for (const each of users) cli.out.data(each);
    return;
  }
  if (users.length === 0) {
    cli.out.note('There are no accounts yet. Add one with "streamlit-host user add <email>".');
    return;
  }
  const lines = tableLines(
    users,
    [
      { title: 'Email', value: (each) => each.email },
      { title: 'Role', value: (each) => (each.admin ? 'admin' : 'member') },
      { title: 'State', value: (each) => (each.disabled ? 'disabled' : each.invited ? 'invited' : 'active') },
      { title: 'Last login', value: (each) => each.last_login_at?.slice(0, 10) ?? null },
      { title: 'Groups', value: (each) => each.groups.join(',') },
      { title: 'Name', value: (each) => each.name },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}

async function add(cli: Context, api: Api, email: string, options: UserOptions): Promise<void> {
  const { name, admin, group, passwordStdin } = options;
  const password = passwordStdin === true ? await readPassword() : undefined;
  const answer = await api.post<InvitedAnswer>('/users', { email, name, admin, groups: group, password });
  if (cli.out.json) return cli.out.data(answer);
  if (answer.invitation !== null) return printLink(cli, answer.invitation);
  cli.out.print(`${answer.user.email} can log in now.`);
}

/** Without words, lists the groups of an account; otherwise these become its groups. "-" alone removes all of them. */
async function groups(cli: Context, api: Api, path: string, words: readonly string[]): Promise<void> {
  const given = words.flatMap((word) => word.split(',')).filter((word) => word !== '' && word !== '-');
  const account =
    words.length === 0 ? await api.get<UserAnswer>(path) : await api.patch<UserAnswer>(path, { groups: given });
  if (cli.out.json) return cli.out.data({ email: account.email, groups: account.groups });
  for (const group of account.groups) cli.out.print(group);
  if (account.groups.length === 0) cli.out.note(`${account.email} is in no group.`);
}

function printLink(cli: Context, link: PasswordLinkAnswer): void {
  if (cli.out.json) return cli.out.data(link);
  cli.out.print(link.url);
  cli.out.note('Send this link to the person. It works once and expires in 72 hours.');
}

/** One trailing newline is what an editor or "echo" adds. */
async function readPassword(): Promise<string> {
  if (canAsk()) return askHidden('Password: ', 'No account was added.');
  return (await readStdin()).replace(/\r?\n$/, '');
}
