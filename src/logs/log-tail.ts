import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** Reads a log as it grows. One that has not grown costs no more than a look at its size. */
export class LogTail {
  readonly #path: string;
  /** How far it was read, in bytes. */
  offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The size of the log, in bytes; 0 where there is none. */
  get size(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Reads the newest of what was added since the last time; undefined where nothing was. @param most how many bytes are read */
  async newest(most: number): Promise<Buffer | undefined> {
    const { size } = this;
    if (size === this.offset) return undefined;
    // It was emptied, since it had grown too large.
    if (size < this.offset) this.offset = 0;
    const from = Math.max(this.offset, size - most);
    this.offset = size;
    return readPart(this.#path, from, size);
  }

  /** Reads the next of what was added; undefined where nothing is left. @param most how many bytes are read */
  async next(most: number): Promise<Buffer | undefined> {
    const { size } = this;
    if (size === this.offset) return undefined;
    if (size > this.offset) {
      const bytes = await readPart(this.#path, this.offset, Math.min(size, this.offset + most));
      this.offset += bytes.length;
      return bytes.length === 0 ? undefined : bytes;
    }
    // It was emptied, since it had grown too large: what was not read of it is in the part before.
    const from = this.offset;
    this.offset = 0;
    const before = `${this.#path}.1`;
    const end = statSync(before, { throwIfNoEntry: false })?.size ?? 0;
    return end > from ? readPart(before, from, end) : this.next(most);
  }
}

async function readPart(path: string, from: number, to: number): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(to - from);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
