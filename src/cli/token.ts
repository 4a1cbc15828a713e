import { Refusal } from '../errors.js';
import type { Context } from './context.js';
import { dataFolder, localToken } from './local.js';

/** Prints the local server's admin token, which is also git's password. */
export async function token(cli: Context): Promise<void> {
  const data = dataFolder(cli.env, cli.cwd, cli.launcher?.root);
  const found = await localToken(cli.env, data);
  if (found === undefined)
    throw new Refusal(
      'unavailable',
      'no-server',
      `There is no token in ${data}. Start the server once, or set STREAMLIT_HOST_DATA to its data folder.`,
    );
  if (cli.out.json) return cli.out.data({ token: found });
  cli.out.print(found);
}
