import { appPath } from './api.js';
import { readInput } from './ask.js';
import { stored, type ChangeOptions, type Stored } from './config.js';
import type { Context } from './context.js';
import { usage } from './failures.js';
import type { SecretsAnswer } from '../web/api/config.js';
import { compactSpan } from '../lib/units.js';

/** Lists or changes an app's secrets.toml. */
export async function secrets(
  cli: Context,
  id: string,
  action: string | undefined,
  file: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const path = appPath(id, '/secrets');
  if (action !== 'set' && file !== undefined) throw usage('Only "set" takes a file.');
  switch (action) {
    case undefined:
      return list(cli, id, path);
    case 'show':
      return show(cli, id, path);
    case 'set': {
      const text = await readInput(cli.cwd, file, 'the secrets');
      if (text.trim() === '') throw usage('The file is empty. Use "unset" to delete the secrets.');
      const api = await cli.api();
      return stored(cli, api, id, await api.sendText<Stored>('PUT', path, text), options);
    }
    default: {
      const api = await cli.api();
      return stored(cli, api, id, await api.sendText<Stored>('PUT', path, ''), options);
    }
  }
}

async function list(cli: Context, id: string, path: string): Promise<void> {
  const api = await cli.api();
  const found = await api.get<SecretsAnswer>(path);
  if (cli.out.json) return cli.out.data(found);
  const names = [...found.keys, ...found.sections.map((name) => `[${name}]`)];
  for (const name of names) cli.out.print(name);
  if (names.length === 0) cli.out.print(`${id} has no secrets.`);
  if (found.changed_at === null) return;
  cli.out.note(
    `Changed ${compactSpan((Date.now() - Date.parse(found.changed_at)) / 1_000)} ago by ${found.changed_by ?? '-'}.`,
  );
}

async function show(cli: Context, id: string, path: string): Promise<void> {
  const api = await cli.api();
  const { toml = '' } = await api.get<SecretsAnswer>(`${path}?reveal=1`);
  if (cli.out.json) return cli.out.data({ toml });
  if (toml === '') return cli.out.note(`${id} has no secrets.`);
  cli.out.write(toml.endsWith('\n') ? toml : `${toml}\n`);
}
