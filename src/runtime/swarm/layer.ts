import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { hasCode, messageOf } from '../../errors.js';
import { lower } from '../../lib/priority.js';
import { spawn } from '../../lib/spawn.js';

/** How well it is packed: more takes longer than a network needs for the difference. */
const LEVEL = 1;
/** How much is packed at once, in bytes. */
const CHUNK = 256 * 1024;
/** How much of what tar complains of is kept, in characters. */
const MAX_COMPLAINT = 1_000;
/** How tar ends where a folder has changed meanwhile: bytecode is added to it (https://www.gnu.org/software/tar/manual/tar.html#SEC39). */
const CHANGED = 1;
/** The folders with what Python has compiled. */
const BYTECODE = '__pycache__';

/** A folder of this machine, and where it is in an image. */
export interface Folder {
  from: string;
  /** Absolute. */
  at: string;
  /** The folders in it with what Python has compiled, where it is to be those alone, or `too`; all other files unless told. */
  bytecode?: readonly string[] | 'too';
}

/** Files could not be packed. */
export class LayerError extends Error {
  override readonly name = 'LayerError';
}

/** What is packed: it is known at the end what that was. */
export interface Packing {
  packed: AsyncIterable<Buffer>;
  /** The digest of what is packed, before it was. */
  digest: () => string;
}

/** Packs a folder as a layer of an image. The same files are packed the same. */
export function packFolder(folder: Folder, signal?: AbortSignal): Packing {
  const child = spawn('tar', tarOf(folder), { stdio: 'pipe', ...(signal && { signal }) });
  lower(child.pid, 'build');
  let complaint = '';
  child.stderr.on('data', (part: Buffer) => (complaint = (complaint + String(part)).slice(0, MAX_COMPLAINT)));
  const ended = once(child, 'close') as Promise<[number | null]>;
  // It is awaited below.
  ended.catch(() => undefined);
  // It may have ended by itself.
  child.stdin.on('error', () => undefined);
  child.stdin.end(Array.isArray(folder.bytecode) ? folder.bytecode.map((path) => `./${path}\0`).join('') : '');
  async function* content(): AsyncIterable<Buffer> {
    yield* child.stdout as AsyncIterable<Buffer>;
    const [code] = await ended;
    if (code !== 0 && code !== CHANGED) throw new Error(complaint.trim().split('\n', 1)[0] || `tar ended with ${code}`);
  }
  return pack(Readable.from(content()), () => child.kill('SIGKILL'));
}

/** Packs an archive that is in memory. */
export function packArchive(archive: Buffer): Packing {
  return pack(Readable.from([archive]), () => undefined);
}

function pack(content: Readable, end: () => void): Packing {
  const hash = createHash('sha256');
  const measure = new Transform({
    transform(part: Buffer, _, done) {
      hash.update(part);
      done(null, part);
    },
  });
  async function* packed(): AsyncIterable<Buffer> {
    const gzip = createGzip({ level: LEVEL, chunkSize: CHUNK });
    // How that ends is told by what is read.
    pipeline(content, measure, gzip).catch(() => undefined);
    try {
      yield* gzip as AsyncIterable<Buffer>;
    } catch (error) {
      throw new LayerError(hasCode(error, 'ENOENT') ? 'tar is not installed' : messageOf(error), { cause: error });
    } finally {
      end();
    }
  }
  return { packed: packed(), digest: () => `sha256:${hash.copy().digest('hex')}` };
}

/** The folders of a folder with what Python has compiled. */
export async function bytecodeIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.name === BYTECODE && entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** argv for GNU tar (https://www.gnu.org/software/tar/manual/tar.html), whose names become those in the image. */
function tarOf({ from, at, bytecode }: Folder): string[] {
  const place = at.slice(1);
  const named = `flags=rSh;s,^\\.,${place.replace(/[\\,&]/g, '\\$&')},`;
  return [
    ...['--create', '--format=pax', '--pax-option=delete=atime,delete=ctime,delete=mtime', '--sort=name'],
    ...(bytecode === undefined ? [`--exclude=${BYTECODE}`] : []),
    ...['--owner=0', '--group=0', '--numeric-owner', '--directory', from, '--transform', named],
    ...(Array.isArray(bytecode) ? ['--null', '--files-from=-'] : ['.']),
  ];
}
