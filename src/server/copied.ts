import type { Runtime } from '../runtime/runtime.js';
import type { AppStore } from '../store/apps.js';

export interface CopiedOptions {
  store: Pick<AppStore, 'list' | 'update'>;
  runtime: Pick<Runtime, 'isForeign'>;
}

/**
 * Forgets the processes of another data folder. A copied data folder, such as a backup tested next to the original server,
 * lists that server's processes; adopting them would stop them.
 */
export async function forgetCopied({ store, runtime }: CopiedOptions): Promise<void> {
  for (const app of store.list()) {
    const foreign = await Promise.all(app.processes.map((record) => runtime.isForeign(record)));
    if (!foreign.includes(true)) continue;
    await store.update(app.id, (now) => ({
      ...now,
      processes: now.processes.filter((_, place) => foreign[place] !== true),
    }));
  }
}
