import { appPath } from './api.js';
import { askHidden, canAsk, readStdin } from './ask.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';
import type { AccessAnswer, HolderAnswer } from '../web/api/access.js';

/** The options of `access`. */
export interface AccessOptions {
  passwordStdin?: boolean;
}

const OPEN_TO: Record<AccessAnswer['opens'], string> = {
  public: 'everyone',
  'signed-in': 'everyone who is logged in',
  people: 'people and groups with a role in it',
  password: 'everyone who knows its password',
};

/** Lists or changes who may open an app, and who has which role in it. */
export async function access(
  cli: Context,
  id: string,
  action: string | undefined,
  words: readonly string[],
  { passwordStdin }: AccessOptions = {},
): Promise<void> {
  const path = appPath(id, '/roles');
  const access = appPath(id, '/access');
  const [who = '', role, ...more] = words;
  if (action === undefined) return list(cli, id, access);
  if (action !== 'grant' && action !== 'revoke') {
    if (words.length > 0) throw usage(`"${action}" takes no further arguments.`);
    const password = action === 'password' ? await readPassword(id, passwordStdin === true) : undefined;
    const { opens, roles } = await (await cli.api()).patch<AccessAnswer>(access, { opens: action, password });
    if (cli.out.json) return cli.out.data({ app: id, opens });
    cli.out.print(`${id} is open to ${OPEN_TO[opens]}.`);
    if (opens === 'people' && roles.length === 0) cli.out.note(`Nobody has a role in ${id}. Only admins can open it.`);
    return;
  }
  const wanted = action === 'grant' ? 2 : 1;
  if (who === '' || more.length > 0 || words.length !== wanted) {
    throw usage(
      action === 'grant'
        ? `Name a person or group and a role: streamlit-host access ${id} grant ada@example.com developer.`
        : `Name one person or group: streamlit-host access ${id} revoke ada@example.com.`,
    );
  }
  const api = await cli.api();
  const one = `${path}/${encodeURIComponent(who)}`;
  if (action === 'revoke') {
    await api.delete(one);
    if (cli.out.json) return cli.out.data({ app: id, who, role: null });
    return cli.out.print(`${who} has no role in ${id} any more.`);
  }
  const given = await api.put<HolderAnswer>(one, { role });
  if (cli.out.json) return cli.out.data({ app: id, ...given });
  cli.out.print(`${given.name} is ${given.role === 'owner' ? 'an' : 'a'} ${given.role} of ${id}.`);
}

/** The password that opens an app; undefined keeps the one that it has. */
async function readPassword(id: string, fromStdin: boolean): Promise<string | undefined> {
  if (fromStdin) return (await readStdin()).replace(/\r?\n$/, '');
  if (!canAsk()) return undefined;
  return (
    (await askHidden(`Password for visitors of ${id} (empty keeps the current one): `, 'Nothing was changed.')) ||
    undefined
  );
}

async function list(cli: Context, id: string, path: string): Promise<void> {
  const { opens, roles: found } = await (await cli.api()).get<AccessAnswer>(path);
  if (cli.out.json) {
    return cli.out.data({ app: id, opens, roles: found });
  }
  cli.out.note(`${id} is open to ${OPEN_TO[opens]}.`);
  if (found.length === 0) return cli.out.note(`Nobody has a role in ${id}. Only admins can work on it.`);
  const lines = tableLines(
    found,
    [
      { title: 'Who', value: (each) => each.who },
      { title: 'Role', value: (each) => each.role },
      { title: 'Name', value: (each) => each.name },
    ],
    cli.out,
  );
  for (const line of lines) cli.out.print(line);
}
