import { appPath, type Deploy } from './api.js';
import type { Context } from './context.js';

/** Cancels a deploy that is not live yet. Does nothing if it has ended. */
export async function cancel(cli: Context, id: string, release: number): Promise<void> {
  const path = appPath(id, `/deploys/${release}/cancel`);
  const api = await cli.api();
  const deploy = await api.post<Deploy>(path);
  if (cli.out.json) return cli.out.data(deploy);
  cli.out.print(
    deploy.state === 'cancelled'
      ? `Release ${release} of ${id} is cancelled.`
      : `Nothing to cancel: release ${release} of ${id} is already ${deploy.state}.`,
  );
}
