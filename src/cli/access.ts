import { appPath } from './api.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import { tableLines } from './output.js';
import type { HolderAnswer } from '../web/api/access.js';

/** Lists or changes who has which role in an app. */
export async function access(
  cli: Context,
  id: string,
  action: string | undefined,
  words: readonly string[],
): Promise<void> {
  const path = appPath(id, '/roles');
  const [who = '', role, ...more] = words;
  if (action === undefined) return list(cli, id, path);
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

async function list(cli: Context, id: string, path: string): Promise<void> {
  const found = (await (await cli.api()).get<{ roles: HolderAnswer[] }>(path)).roles;
  if (cli.out.json) {
    for (const each of found) cli.out.data(each);
    return;
  }
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
