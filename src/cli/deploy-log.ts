import { Refusal } from '../errors.js';
import { asClause } from '../lib/words.js';
import { appPath, type Api, type App, type Changed, type Deploy } from './api.js';
import type { Context } from './context.js';
import { follow } from './events.js';
import { harmlessLine, withoutTime } from './text.js';

/** How long (ms) to wait for a server that went away during a deploy. */
const PATIENCE_MS = 120_000;
/** More lines than a deploy's log has. */
const ALL_LINES = 10_000;

/** The states of a release that has been live: a newer one may have taken its place since. */
const SERVED = ['live', 'draining', 'retired'] as const;

/**
 * Prints the log of a deploy as it is written, and reports its result. The deploy continues whether or not anyone
 * follows it.
 * @throws Refusal `deploy-failed`, `deploy-superseded`, `deploy-cancelled` where it has not become live
 */
export async function followDeploy(cli: Context, api: Api, id: string, release: number): Promise<void> {
  const { out } = cli;
  const path = appPath(id, `/logs?source=build&release=${release}&follow=1&tail=${ALL_LINES}`);
  const pieces = follow({
    open: (lastId) => api.events(path, lastId),
    patienceMs: PATIENCE_MS,
    lost: () => out.note('Connection lost, reconnecting … (the deploy continues)'),
  });
  const show = (line: string): void => {
    // A build log has the seconds since it began in each line, as git push shows it.
    const text = withoutTime(out.terminal ? harmlessLine(line) : line);
    // Where the result is JSON, the log is not part of it.
    if (out.json) out.note(text);
    else out.print(text);
  };
  reading: for await (const piece of pieces) {
    for (const { event, data } of piece) {
      if (event === 'end') break reading;
      show(data);
    }
  }
  await report(cli, api, id, release);
}

/** Follows the deploy that a change has started, unless the person does not want to wait. */
export async function afterChange(cli: Context, api: Api, id: string, deploy: Deploy, wait: boolean): Promise<void> {
  if (wait) return followDeploy(cli, api, id, deploy.release);
  if (cli.out.json) return cli.out.data(deploy);
  cli.out.print(
    `Release ${deploy.release} of ${id} is queued. Follow it with: streamlit-host logs ${id} --release ${deploy.release} -f`,
  );
}

/** Requests a change that deploys an app, possibly a new one, and follows that deploy. */
export async function changeAndFollow(
  cli: Context,
  path: string,
  { body, wait }: { body?: object; wait: boolean },
): Promise<void> {
  const api = await cli.api();
  const { id, deploy } = await api.post<Changed>(path, body);
  if (deploy === null) throw new Error('the server did not start a deploy');
  await afterChange(cli, api, id, deploy, wait);
}

async function report(cli: Context, api: Api, id: string, release: number): Promise<void> {
  const { log: _log, ...deploy } = await api.get<Deploy & { log: unknown }>(appPath(id, `/deploys/${release}`));
  const app = await api.get<App>(appPath(id));
  if (cli.out.json) cli.out.data({ ...deploy, app_url: app.url });
  // The last line of the log has told so.
  const { state } = deploy;
  if (hasServed(state)) return;
  const still = app.release === null ? '' : ` Release ${app.release} is still live.`;
  throw new Refusal('conflict', `deploy-${state}`, `Release ${release} of ${id} ${outcomeOf(deploy)}.${still}`);
}

/** Describes the result of a deploy that is not live, to follow "Release 3 of sales". */
function outcomeOf({ state, reason }: Deploy): string {
  const outcome = state === 'failed' ? state : `${['superseded', 'cancelled'].includes(state) ? 'was' : 'is'} ${state}`;
  if (reason === null || reason === state) return outcome;
  return reason.startsWith(`${state} `) ? `was ${reason}` : `${outcome}: ${asClause(reason)}`;
}

function hasServed(state: Deploy['state']): state is (typeof SERVED)[number] {
  return SERVED.some((one) => one === state);
}
