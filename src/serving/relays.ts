import type { RelayedUse } from '../gateway/target.js';
import type { Lineup } from './lineup.js';

/** Knows what goes to processes through earlier servers, which pass on the WebSockets that they had when they were reloaded. */
export class Relays {
  readonly #lineup: Pick<Lineup, 'all'>;
  readonly #uses = new Map<object, Readonly<Record<string, RelayedUse>>>();

  constructor(lineup: Pick<Lineup, 'all'>) {
    this.#lineup = lineup;
  }

  /** Returns what goes to the processes through this server, and through earlier ones, by their marks. */
  uses(): Record<string, RelayedUse> {
    const uses: Record<string, RelayedUse> = {};
    for (const { process, target } of this.#lineup.all()) {
      const { claims, sockets, lastActivity, visitedAt } = target;
      if (process.mark !== undefined && claims > 0) uses[process.mark] = { claims, sockets, lastActivity, visitedAt };
    }
    return uses;
  }

  /** Counts what somebody else still passes on, by the marks of the processes. @param from who */
  note(from: object, uses: Readonly<Record<string, RelayedUse>>): void {
    if (Object.keys(uses).length === 0) this.#uses.delete(from);
    else this.#uses.set(from, uses);
    for (const { process, target } of this.#lineup.all()) {
      const all = [...this.#uses.values()].flatMap((one) => one[process.mark ?? ''] ?? []);
      target.relay(all.length === 0 ? undefined : all.reduce(together));
    }
  }
}

function together(one: RelayedUse, other: RelayedUse): RelayedUse {
  return {
    claims: one.claims + other.claims,
    sockets: one.sockets + other.sockets,
    lastActivity: Math.max(one.lastActivity, other.lastActivity),
    visitedAt: Math.max(one.visitedAt, other.visitedAt),
  };
}
