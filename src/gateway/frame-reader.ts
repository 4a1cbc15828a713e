/** The most bytes of a message that is read; what is larger is only counted. */
const MAX_MESSAGE = 32 * 1024;

/** The most bytes of a message's beginning that are kept until it is known whether the message is of interest. */
const MAX_HEAD = 4 * 1024;

const EMPTY = Buffer.alloc(0);

/** The beginning of a frame. */
interface Head {
  /** Its own length, in bytes. */
  length: number;
  /** How much follows it. */
  payload: number;
  /** True where it begins a message: the others continue one, or are pings, their answers and the end. */
  begins: boolean;
  /** True where its payload is the whole message, neither masked nor compressed. */
  isPlain: boolean;
}

/**
 * Counts the messages of one direction of a WebSocket while its bytes pass, and reads those of interest; of all others it looks at
 * the length (https://www.rfc-editor.org/rfc/rfc6455#section-5.2). It holds at most one message, of at most 32 KiB.
 */
export class FrameReader {
  readonly #wanted: (beginning: Buffer) => boolean | undefined;
  readonly #hear: (message: Buffer) => void;
  /** The beginning of a frame that has not arrived as far as it is needed. */
  #held = EMPTY;
  /** How many of the next bytes are of no interest. */
  #skip = 0;
  #messages = 0;

  /**
   * @param wanted whether a message is read, by its beginning; undefined where that cannot be told yet
   * @param hear called with each message that is
   */
  constructor(
    wanted: (beginning: Buffer) => boolean | undefined = () => false,
    hear = (_message: Buffer) => undefined as void,
  ) {
    this.#wanted = wanted;
    this.#hear = hear;
  }

  /** How many messages have begun since the last time. */
  take(): number {
    const messages = this.#messages;
    this.#messages = 0;
    return messages;
  }

  /** Takes the bytes that come next. */
  push(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = EMPTY;
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    while (at < bytes.length) {
      const length = this.#take(bytes.subarray(at));
      if (length === undefined) {
        // A copy: the whole chunk need not be kept for it.
        this.#held = Buffer.from(bytes.subarray(at));
        return;
      }
      this.#skip = Math.max(0, at + length - bytes.length);
      at += length;
    }
  }

  /** @returns the length of the frame that the bytes begin with; undefined where more of it is needed */
  #take(bytes: Buffer): number | undefined {
    const head = headOf(bytes);
    if (head === undefined) return undefined;
    const { length, payload, begins, isPlain } = head;
    const isRead = begins && isPlain && payload <= MAX_MESSAGE && this.#isWanted(bytes.subarray(length), payload);
    if (isRead === undefined) return undefined;
    if (isRead) {
      if (bytes.length < length + payload) return undefined;
      this.#hear(bytes.subarray(length, length + payload));
    }
    if (begins) this.#messages += 1;
    return length + payload;
  }

  #isWanted(bytes: Buffer, payload: number): boolean | undefined {
    const beginning = bytes.subarray(0, Math.min(payload, MAX_HEAD));
    const is = this.#wanted(beginning);
    return is === undefined && beginning.length === Math.min(payload, MAX_HEAD) ? false : is;
  }
}

/** @returns undefined where it is not all there */
function headOf(bytes: Buffer): Head | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const isMasked = second >= 0x80;
  const short = second & 0x7f;
  const more = short === 126 ? 2 : short === 127 ? 8 : 0;
  const length = 2 + more + (isMasked ? 4 : 0);
  if (bytes.length < length) return undefined;
  const payload = more === 0 ? short : more === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const opcode = first & 0x0f;
  // The bits before it: the last frame of a message, and what extensions have done to it, such as compression.
  return { length, payload, begins: opcode === 1 || opcode === 2, isPlain: !isMasked && first >> 4 === 0b1000 };
}
