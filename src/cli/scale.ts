import { counted } from '../lib/words.js';
import { appPath, type App } from './api.js';
import type { Context } from './context.js';

/** Changes how many processes run an app, and waits until they serve. @throws Refusal `not-scaled` */
export async function scale(cli: Context, id: string, replicas: number): Promise<void> {
  const api = await cli.api();
  const app = await api.patchLong<App>(appPath(id), { replicas });
  if (cli.out.json) return cli.out.data(app);
  const draining = (app.processes ?? []).filter((each) => each.draining).length;
  const runs = app.state === 'running' ? 'has' : 'will have';
  cli.out.print(`${id} ${runs} ${counted(replicas, 'replica')}.`);
  if (draining > 0)
    cli.out.print(`${counted(draining, 'other')} will end once ${draining === 1 ? 'its' : 'their'} pages are closed.`);
}
