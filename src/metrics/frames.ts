import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** What a file of ours begins with; the last byte is the version of its format. */
const VERSION = 1;
export const JOURNAL = Buffer.from([0x53, 0x48, 0x4d, 0x4a, VERSION]); // SHMJ
export const BLOCK = Buffer.from([0x53, 0x48, 0x4d, 0x42, VERSION]); // SHMB

/** The bytes before a frame's content: its length and its checksum. */
const HEAD = 8;

/** The length of what a journal begins with: what it is, and its name. */
const START = JOURNAL.length + 4;

/** Begins a journal, with a name that tells it from any other. */
export function beginJournal(): Buffer {
  return Buffer.concat([JOURNAL, randomBytes(4)]);
}

/** Wraps a content so that a reader can tell whether it is all there. */
export function frame(content: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(HEAD + content.length);
  whole.writeUInt32LE(content.length, 0);
  whole.writeUInt32LE(crc32(content), 4);
  whole.set(content, HEAD);
  return whole;
}

/** What is in a journal. */
export interface Journal {
  /** Tells it from any other. */
  name: number;
  frames: Buffer[];
  /** The length of what can be read, in bytes. */
  good: number;
  /** Whole = all of it; torn = the last frame is not all there, as after a crash; otherwise it is no journal that is known. */
  state: 'whole' | 'torn' | 'damaged' | 'newer';
}

/** Reads a journal as far as it can be read. */
export function readJournal(bytes: Buffer): Journal {
  const kind = kindOf(bytes, JOURNAL);
  if (bytes.length < START) return { name: 0, frames: [], good: 0, state: 'torn' };
  if (kind !== 'ours') return { name: 0, frames: [], good: 0, state: kind };
  const name = bytes.readUInt32LE(JOURNAL.length);
  const frames: Buffer[] = [];
  let at = START;
  while (at < bytes.length) {
    const length = at + HEAD <= bytes.length ? bytes.readUInt32LE(at) : Infinity;
    const end = at + HEAD + length;
    if (end > bytes.length) return { name, frames, good: at, state: 'torn' };
    const content = bytes.subarray(at + HEAD, end);
    if (crc32(content) !== bytes.readUInt32LE(at + 4))
      return { name, frames, good: at, state: end === bytes.length ? 'torn' : 'damaged' };
    frames.push(content);
    at = end;
  }
  return { name, frames, good: at, state: 'whole' };
}

/** Tells whether a file begins as ours do. */
export function kindOf(bytes: Buffer, magic: Buffer): 'ours' | 'newer' | 'damaged' {
  const [name, version] = [magic.subarray(0, -1), magic.at(-1) ?? 0];
  if (!bytes.subarray(0, name.length).equals(name)) return 'damaged';
  const found = bytes[name.length] ?? 0;
  return found === version ? 'ours' : found > version ? 'newer' : 'damaged';
}
