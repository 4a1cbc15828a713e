/** The kind of a frame, one character, and the length of what follows. */
const HEADER = 5;
/** The most that an instance says at once, in bytes: it may not be what we have started. */
const MOST = 1024 * 1024;

/** What the server and `python/agent.py` say to each other, by what it means. */
export const SAYS = {
  /**
   * To the instance: the key with which it comes back, a file or folder that it needs and what is in it, what it begins, its order,
   * how much of its output is kept, a signal, and that all is known of its end.
   */
  key: 'K',
  entry: 'N',
  content: 'W',
  begin: 'B',
  order: 'O',
  received: 'A',
  signal: 'S',
  done: 'D',
  /** From the instance: that it waits for its order, why it cannot, its output, what it uses, and how it has ended. */
  ready: 'R',
  failed: 'F',
  output: 'L',
  use: 'U',
  ended: 'X',
} as const;

/** One thing said. */
export interface Frame {
  kind: string;
  payload: Buffer;
}

/** A frame in bytes. */
export function encodeFrame(kind: string, payload: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(HEADER);
  header.write(kind, 'latin1');
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

/** Puts frames together again. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** @returns the frames that are complete with this part @throws Error where it is nothing that an instance says */
  read(part: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
    const frames: Frame[] = [];
    let at = 0;
    while (this.#rest.length - at >= HEADER) {
      const length = this.#rest.readUInt32BE(at + 1);
      if (length > MOST) throw new Error(`a frame of ${length} bytes`);
      const end = at + HEADER + length;
      if (this.#rest.length < end) break;
      frames.push({
        kind: this.#rest.toString('latin1', at, at + 1),
        payload: this.#rest.subarray(at + HEADER, end),
      });
      at = end;
    }
    this.#rest = this.#rest.subarray(at);
    return frames;
  }
}
