/** The maximum payload of one packet (https://git-scm.com/docs/gitprotocol-common). */
export const MAX_PAYLOAD = 65_516;

/** Returns a payload as a pkt-line: after its length in bytes, as four hex digits. */
export function pkt(payload: string | Uint8Array): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : Buffer.from(payload);
  if (body.length > MAX_PAYLOAD) throw new RangeError(`a packet of ${body.length} bytes is too long`);
  return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, '0'), 'latin1'), body]);
}

/** Ends a section of a conversation. */
export const FLUSH = Buffer.from('0000', 'latin1');

/** Reads pkt-lines from a stream, however the bytes are split. */
export class PktReader {
  #rest = Buffer.alloc(0);

  /** What came and is not a whole packet. */
  get rest(): Buffer {
    return this.#rest;
  }

  /**
   * @returns the packets that are whole by now; null = flush
   * @throws Error where a length is not one
   */
  push(chunk: Uint8Array): (Buffer | null)[] {
    return [...this.read(chunk)];
  }

  /** Yields the packets one by one. A reader that stops never parses what follows, which need not be packets. */
  *read(chunk: Uint8Array): Generator<Buffer | null> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 4) {
      const digits = this.#rest.subarray(0, 4).toString('latin1');
      if (!/^[0-9a-f]{4}$/i.test(digits)) throw new Error('not a pkt-line');
      const length = Number.parseInt(digits, 16);
      if (length < 4) {
        this.#rest = this.#rest.subarray(4);
        yield null;
        continue;
      }
      if (this.#rest.length < length) break;
      const packet = Buffer.from(this.#rest.subarray(4, length));
      this.#rest = this.#rest.subarray(length);
      yield packet;
    }
  }
}
