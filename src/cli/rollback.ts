import { Refusal } from '../errors.js';
import { appPath, type Api, type App, type Deploy } from './api.js';
import { askYes, canAsk } from './ask.js';
import type { Context } from './context.js';
import { afterChange } from './deploy-log.js';
import { diffOf, summaryLines } from './diff.js';
import { usage } from './failures.js';

/** Rolls back to an earlier release: shows what changes, asks, and follows the deploy. */
export async function rollback(
  cli: Context,
  id: string,
  release: number | undefined,
  options: { yes?: boolean; wait: boolean },
): Promise<void> {
  const { out } = cli;
  const path = appPath(id);
  const api = await cli.api();
  const number = release ?? (await before(api, id, path));
  const found = await diffOf(api, path, number);
  const say = (line: string): void => (out.json ? out.note(line) : out.print(line));
  say(`Release ${number} of ${id}, compared with the live release ${found.live ?? '-'}:`);
  for (const line of summaryLines(found, out)) say(line);
  if (options.yes !== true) {
    if (!canAsk()) throw usage(`Not a terminal. Pass --yes to roll back to release ${number}.`);
    if (!(await askYes(`Roll back to release ${number}?`)))
      throw new Refusal('conflict', 'not-wanted', 'Nothing was rolled back.');
  }
  const deploy = await api.post<Deploy>(`${path}/rollback`, { release: number });
  await afterChange(cli, api, id, deploy, options.wait);
}

/** Returns the newest release before the live one that has been live. @throws Refusal `nothing-before` */
async function before(api: Api, id: string, path: string): Promise<number> {
  const [{ release: live }, { deploys }] = await Promise.all([
    api.get<App>(path),
    api.get<{ deploys: Deploy[] }>(`${path}/deploys?per_page=100`),
  ]);
  const served = deploys.filter(
    ({ release, state }) => live !== null && release < live && (state === 'draining' || state === 'retired'),
  );
  const newest = Math.max(0, ...served.map(({ release }) => release));
  if (newest === 0)
    throw new Refusal('conflict', 'nothing-before', `There is no earlier release of ${id} to roll back to.`);
  return newest;
}
