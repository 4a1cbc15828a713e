import type { Server as NetServer } from 'node:net';
import { z } from 'zod';
import { happeningSchema as happening } from '../domain/access/audit.js';
import type { Address } from '../gateway/listener.js';
import type { RelayAddress } from '../gateway/relay.js';
import type { Door } from '../gateway/switchboard.js';
import type { Life } from './life.js';
import { Peer, type Channel } from './peer.js';

/** The version of what two servers say to each other. */
export const PROTOCOL = 1;

const visitors = z.array(z.object({ app: z.string(), cookie: z.string().optional() }));
const uses = z.record(
  z.string(),
  z.object({ claims: z.number(), sockets: z.number(), lastActivity: z.number(), visitedAt: z.number() }),
);
const attended = z.object({ id: z.number(), app: z.string(), release: z.number() });

/** The server that this one replaces, and which has started it. It serves until this one does. */
export class Predecessor {
  readonly #peer: Peer;

  constructor(channel: Channel) {
    this.#peer = new Peer(channel);
  }

  /** Waits until it has given everything away. @returns the lock of the data folder */
  async takeOver(): Promise<NetServer | undefined> {
    const { handle } = await this.#peer.call('take', { protocol: PROTOCOL });
    return handle as NetServer | undefined;
  }

  /** Gets an open port; undefined if it has none that was opened for the same address. */
  async port(door: Door, address: Address): Promise<NetServer | undefined> {
    const { handle } = await this.#peer.call('port', { door, address });
    return handle as NetServer | undefined;
  }

  /** Says that this server serves, where it accepts what still arrives at the other one. */
  async serving(relay: RelayAddress): Promise<void> {
    await this.#peer.call('serving', { relay });
  }

  /** Resolves once it has ended. */
  async ended(): Promise<void> {
    const { gone } = this.#peer;
    if (!gone.aborted) await new Promise((resolve) => gone.addEventListener('abort', resolve, { once: true }));
  }

  /** Says why this server cannot start. */
  async failed(reason: string): Promise<void> {
    await this.#peer.call('failed', { reason }).catch(() => undefined); // It is gone: nobody asks.
  }

  /** Answers what it has to ask, and counts what it still passes on. */
  follow(life: Life): void {
    const peer = this.#peer;
    peer.serve('use', (data) => void life.use(this, uses.parse(data)));
    peer.gone.addEventListener('abort', () => life.use(this, {}));
    peer.serve('note', (data) => void life.note(happening.parse(data)));
    peer.serve('may', async (data) => ({
      value: await life.may(visitors.parse(data).map(({ app, cookie }) => ({ app, cookie }))),
    }));
    peer.serve('attend', async (data) => {
      const { id, app, release } = attended.parse(data);
      return { value: await life.attend(app, release, (line) => peer.tell('line', { id, line })) };
    });
  }
}
