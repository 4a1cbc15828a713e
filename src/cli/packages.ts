import { text } from 'node:stream/consumers';
import { appPath } from './api.js';
import { usage } from './failures.js';
import type { Context } from './context.js';

/** Prints the exact packages of a release, as a requirements file. @param release the live one unless told */
export async function packages(cli: Context, id: string, release?: number): Promise<void> {
  const api = await cli.api();
  const number = release ?? (await api.app(id)).release;
  if (number === null) throw usage(`${id} has no live release. Name a release as well.`);
  const found = (await text(await api.download(appPath(id, `/deploys/${number}/packages`)))).trimEnd();
  if (cli.out.json) return cli.out.data({ app: id, release: number, packages: found });
  for (const line of found.split('\n')) cli.out.print(line);
}
