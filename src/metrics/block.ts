import { open, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { Reader, Writer } from './codec.js';
import { BLOCK, kindOf } from './frames.js';

/** Bytes before the index: what the file is, the name of the journal that was put in last, the index's length and checksum. */
const HEAD = BLOCK.length + 12;

/** So few pieces are read one by one. */
const FEW = 50;

/** A block: the points of many apps over one part of time, each app's in one piece. */
export interface BlockFile {
  /** The name of the journal that was put in last. */
  journal: number;
  /** Where the piece of an app lies, in bytes from the beginning of the file. */
  index: ReadonlyMap<string, { at: number; length: number }>;
}

/** Thrown for a file that cannot be read: moved aside, and said. */
export class Unreadable extends Error {
  constructor(state: 'damaged' | 'newer') {
    super(state === 'newer' ? 'it was written by a newer version' : 'it is damaged');
  }
}

/** The content of a block's file. @param journal the name of the journal that was put in last */
export function writeBlock(pieces: ReadonlyMap<string, Buffer>, journal: number): Buffer {
  const writer = new Writer();
  writer.number(pieces.size);
  for (const [id, piece] of pieces) {
    writer.text(id);
    writer.number(piece.length);
  }
  const index = writer.done();
  const head = Buffer.alloc(HEAD);
  BLOCK.copy(head);
  head.writeUInt32LE(journal, BLOCK.length);
  head.writeUInt32LE(index.length, BLOCK.length + 4);
  head.writeUInt32LE(crc32(index), BLOCK.length + 8);
  return Buffer.concat([head, index, ...pieces.values()]);
}

/** Reads where the pieces of a block lie. @throws Unreadable */
export async function readIndex(handle: FileHandle): Promise<BlockFile> {
  const head = await readPart(handle, 0, HEAD);
  const kind = kindOf(head, BLOCK);
  if (kind !== 'ours') throw new Unreadable(kind);
  const [journal, length, sum] = [0, 4, 8].map((place) => head.readUInt32LE(BLOCK.length + place));
  const { size } = await handle.stat();
  if (length === undefined || HEAD + length > size) throw new Unreadable('damaged');
  const bytes = await readPart(handle, HEAD, length);
  if (crc32(bytes) !== sum) throw new Unreadable('damaged');
  const reader = new Reader(bytes);
  const index = new Map<string, { at: number; length: number }>();
  let at = HEAD + length;
  for (let left = reader.number(); left > 0; left -= 1) {
    const id = reader.text();
    const piece = { at, length: reader.number() };
    at += piece.length;
    index.set(id, piece);
  }
  if (at > size) throw new Unreadable('damaged');
  return { journal: journal ?? 0, index };
}

/**
 * Reads pieces of a block.
 * @param only which are read; all unless given
 * @throws Unreadable; Error with ENOENT
 */
export async function readBlock(
  path: string,
  only: (id: string) => boolean = () => true,
): Promise<BlockFile & { pieces: Map<string, Buffer> }> {
  const handle = await open(path, 'r');
  try {
    const file = await readIndex(handle);
    const wanted = [...file.index].filter(([id]) => only(id));
    const pieces = new Map<string, Buffer>();
    if (wanted.length <= FEW) {
      for (const [id, { at, length }] of wanted) pieces.set(id, await readPart(handle, at, length));
      return { ...file, pieces };
    }
    // All pieces lie behind each other, so one look gets them all.
    const first = Math.min(...wanted.map(([, { at }]) => at));
    const end = Math.max(...wanted.map(([, { at, length }]) => at + length));
    const bytes = await readPart(handle, first, end - first);
    for (const [id, { at, length }] of wanted) pieces.set(id, bytes.subarray(at - first, at - first + length));
    return { ...file, pieces };
  } finally {
    await handle.close();
  }
}

async function readPart(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, at);
  if (bytesRead < length) throw new Unreadable('damaged');
  return bytes;
}
