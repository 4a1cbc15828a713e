import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.js';

/** How long a visitor waits between two requests, in ms. */
const PAUSE_MS = 100;

/** People who ask every app again and again, whatever happens. */
export class Visitors {
  /** Answers that were no page and no health, with the app. */
  readonly failed: string[] = [];
  asked = 0;
  readonly #done: Promise<unknown>;
  #going = true;

  /** @param ids the apps that they visit */
  constructor(world: World, ids: readonly string[]) {
    this.#done = Promise.all(ids.map((id) => this.#visit(world, id)));
  }

  async leave(): Promise<void> {
    this.#going = false;
    await this.#done;
  }

  async #visit(world: World, id: string): Promise<void> {
    const paths = ['', '_stcore/health'];
    while (this.#going) {
      const path = paths[this.asked++ % paths.length] ?? '';
      try {
        const answer = await fetch(`${world.host.url}/apps/${id}/${path}`, {
          headers: { accept: path === '' ? 'text/html' : '*/*' },
          signal: AbortSignal.timeout(30_000),
        });
        const text = await answer.text();
        if (answer.status === 200) continue;
        const said = /<title>(.*?)<\/title>/.exec(text)?.[1] ?? text.slice(0, 100).trim();
        this.failed.push(`${id}/${path}: ${answer.status} ${said} at ${new Date().toISOString()}`);
      } catch (error) {
        this.failed.push(`${id}/${path}: ${String((error as Error).cause ?? error)}`);
      } finally {
        await sleep(PAUSE_MS);
      }
    }
  }
}
