import type { App } from '../domain/app/app.js';
import { isRunning, livesIn } from '../runtime/process/proc.js';
import type { AppStore } from '../store/apps.js';

export interface CopiedOptions {
  store: Pick<AppStore, 'list' | 'update'>;
  /** The data folder, without links in its path. */
  data: string;
  /** What the marks of this data folder's own processes begin with. */
  mark: string;
}

/**
 * Forgets the processes of another data folder. One that is a copy, such as a back-up that is tried beside the server
 * which it was taken of, lists that server's processes as if they were its own; adopting them would end them.
 */
export async function forgetCopied({ store, data, mark }: CopiedOptions): Promise<void> {
  const isForeign = async (record: App['processes'][number]): Promise<boolean> =>
    !record.mark.startsWith(`${mark}/`) && isRunning(record) && !(await livesIn(record.pid, data));
  for (const app of store.list()) {
    const foreign = await Promise.all(app.processes.map(isForeign));
    if (!foreign.includes(true)) continue;
    await store.update(app.id, (now) => ({
      ...now,
      processes: now.processes.filter((_, place) => foreign[place] !== true),
    }));
  }
}
