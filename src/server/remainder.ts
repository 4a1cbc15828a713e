import type { Server as HttpServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Release } from '../domain/app/release.js';
import { endConnections, leavePort } from '../gateway/listener.js';
import { relayTo } from '../gateway/relay.js';
import type { Switchboard } from '../gateway/switchboard.js';
import type { Logger } from '../logger.js';
import type { Heir, Life } from './life.js';
import type { Peer } from './peer.js';
import type { Successor } from './reload.js';

export interface RemainderOptions {
  successor: Successor;
  life: Life;
  board: Switchboard;
  servers: HttpServer[];
  /** Resolves once the server that this one has replaced is gone: it reaches the new one through this one. */
  predecessor: Promise<void> | undefined;
  /** How long connections may stay open, in ms. */
  limitMs: number;
  /** Aborted when they are to end at once. */
  signal: AbortSignal;
  logger: Logger;
}

const line = z.object({ id: z.number(), line: z.string() });

/**
 * What is left of a server once another one has taken over: it passes on what still arrives on open connections, and ends with
 * the last one of them, or after the limit.
 */
export async function passOn(options: RemainderOptions): Promise<void> {
  const { successor, life, board, servers, predecessor, limitMs, signal, logger } = options;
  const { peer, relay } = successor;
  const over = new AbortController();
  for (const end of [signal, peer.gone]) {
    if (end.aborted) over.abort();
    end.addEventListener('abort', () => over.abort(), { once: true });
  }

  const untold = life.passTo(heirBehind(peer));
  const closed = servers.map((server) => leavePort(server));
  board.lead({ platform: relayTo(relay, 'platform'), apps: relayTo(relay, 'apps') });
  const limit = sleep(limitMs, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([Promise.all([...closed, predecessor]), limit]);
  if (!over.signal.aborted) logger.info('The connections of the earlier server have ended.');
  over.abort();
  untold();
  life.doors.entry.closeSockets();
  life.doors.appsEntry?.closeSockets();
  board.closeSockets();
  await life.doors.hooks.close();
  await Promise.all(servers.map((server, place) => endConnections(server, closed[place])));
  // This process may stay as a stand-in.
  peer.close();
}

/** The new server, as it is reached over the channel to it. Its end ends what still waits for it. */
function heirBehind(peer: Peer): Heir {
  const listeners = new Map<number, (line: string) => void>();
  let last = 0;
  peer.serve('line', (data) => {
    const said = line.parse(data);
    listeners.get(said.id)?.(said.line);
  });
  return {
    use: (_, uses) => peer.tell('use', uses),
    note: (happening) => peer.tell('note', happening),
    async may(visitors) {
      const { value } = await peer.call('may', visitors).catch(() => ({ value: [] }));
      return value as boolean[];
    },
    async attend(app, release, hear) {
      const id = (last += 1);
      listeners.set(id, hear);
      const { value } = await peer.call('attend', { id, app, release }).finally(() => listeners.delete(id));
      return value as Release;
    },
  };
}
