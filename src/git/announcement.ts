import { parseUpdate, type RefUpdate } from '../domain/app/push.js';
import { PktReader } from './pkt.js';

/**
 * Reads what a push announces: the body starts with its refs, before the objects
 * (https://git-scm.com/docs/gitprotocol-pack#_reference_update_request_and_packfile_transfer). git reads the whole
 * body itself; this only listens, and ignores what it does not understand.
 */
export class Announcement {
  readonly #reader = new PktReader();
  readonly #updates: RefUpdate[] = [];
  #over = false;

  /** Reads the next bytes of the body. @returns the refs, once, when all are known */
  read(bytes: Uint8Array): RefUpdate[] | undefined {
    if (this.#over) return undefined;
    try {
      for (const packet of this.#reader.read(bytes)) {
        if (packet === null) {
          this.#over = true;
          return this.#updates;
        }
        // What the pusher's git can do stands behind the first one.
        const update = parseUpdate(packet.toString('utf8').replace(/\0[^]*$|\n$/, ''));
        if (update !== undefined) this.#updates.push(update);
      }
    } catch {
      // No push at all: git says so.
      this.#over = true;
    }
    return undefined;
  }
}
