import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type tar from 'tar-stream';
import type yauzl from 'yauzl';
import type { StagedFile } from '../../apps/files.js';
import { printable } from '../../domain/app/app.js';
import { messageOf, Refusal, type RefusalCode } from '../../errors.js';
import { isLeftOut } from '../../lib/left-out.js';
import { meter } from './meter.js';
import { checkTree, safePath, withoutTopFolder } from './path.js';

/** How much an archive may unpack to. */
export interface ArchiveLimits {
  /** Files and folders, counting those that are left out. */
  entries: number;
  /** Bytes when unpacked. */
  bytes: number;
  /** Unpacked by packed size, from `ratioFrom` bytes on. */
  ratio: number;
  ratioFrom: number;
}

const LIMITS: ArchiveLimits = { entries: 10_000, bytes: 1_000_000_000, ratio: 200, ratioFrom: 50_000_000 };

/**
 * Unpacks a zip, tar or tar.gz of a whole project, one file after the other, in constant memory. On disk the files are
 * numbered, so that no name in an archive can decide where bytes go; their paths stand beside them. Caches,
 * environments and git's own files are left out, and so is a single folder around everything.
 * @param archive the file; its format is told by its first bytes, not by its name
 * @param folder where the files go; made here, and gone again after a refusal
 * @throws Refusal `archive-…` or `path-…`, with nothing left behind
 */
export async function unpack(
  archive: string,
  folder: string,
  limits: Partial<ArchiveLimits> = {},
): Promise<StagedFile[]> {
  const packed = (await stat(archive)).size;
  const unpacking = new Unpacking(folder, packed, { ...LIMITS, ...limits });
  await mkdir(folder, { mode: 0o700 });
  try {
    switch (await formatOf(archive)) {
      case 'zip':
        await unpackZip(archive, unpacking);
        break;
      case 'gzip':
        await unpackTar(archive, createGunzip(), unpacking);
        break;
      case 'tar':
        await unpackTar(archive, new PassThrough(), unpacking);
        break;
      default:
        throw refusal('archive-unknown', 'The archive is neither a zip nor a tar.gz.');
    }
    return unpacking.finish();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    // A full disk is not the archive's fault.
    if (error instanceof Refusal || (error instanceof Error && 'syscall' in error)) throw error;
    throw refusal('archive-broken', `The archive cannot be read (${messageOf(error)}). Create it again.`, error);
  }
}

/** What an entry is, whichever format it came in. */
interface ArchiveEntry {
  name: string;
  kind: 'file' | 'folder' | 'link' | 'other';
  executable: boolean;
}

/** One archive on its way to disk: what was seen, what it may still cost. */
class Unpacking {
  readonly #folder: string;
  readonly #packed: number;
  readonly #limits: ArchiveLimits;
  readonly #files: StagedFile[] = [];
  #entries = 0;
  #bytes = 0;

  constructor(folder: string, packed: number, limits: ArchiveLimits) {
    this.#folder = folder;
    this.#packed = packed;
    this.#limits = limits;
  }

  /**
   * Decides about one entry.
   * @returns where its bytes go, or undefined where it is left out
   * @throws Refusal
   */
  admit(entry: ArchiveEntry): string | undefined {
    this.#entries += 1;
    if (this.#entries > this.#limits.entries) {
      throw refusal(
        'archive-too-many-files',
        `The archive has more than ${this.#limits.entries} files. Leave out files the app does not need.`,
      );
    }
    // The root itself ("./") is the first entry of many a tar.
    if (entry.kind === 'folder' && /^[./]*$/.test(entry.name) && !entry.name.includes('..')) return undefined;
    const path = safePath(entry.name, 'archive');
    if (entry.kind === 'folder' || isLeftOut(path)) return undefined;
    if (entry.kind === 'link') {
      throw refusal('archive-link', `"${printable(path)}" in the archive is a link. Replace it with the file itself.`);
    }
    if (entry.kind === 'other') {
      throw refusal(
        'archive-special-file',
        `"${printable(path)}" in the archive is neither a file nor a folder. Leave it out.`,
      );
    }
    const file = join(this.#folder, String(this.#files.length));
    this.#files.push({ path, file, executable: entry.executable });
    return file;
  }

  /** Counts unpacked bytes. @throws Refusal */
  count(bytes: number): void {
    this.#bytes += bytes;
    const { bytes: most, ratio, ratioFrom } = this.#limits;
    if (this.#bytes > most) {
      throw refusal(
        'archive-too-large',
        `The archive unpacks to more than ${Math.round(most / 1e6)} MB. Leave out files the app does not need.`,
        undefined,
        'too-large',
      );
    }
    if (this.#bytes > ratioFrom && this.#bytes > this.#packed * ratio) {
      throw refusal(
        'archive-bomb',
        `The archive unpacks to more than ${ratio} times its own size, which is not allowed.`,
      );
    }
  }

  /** @throws Refusal where the files are none, or no tree */
  finish(): StagedFile[] {
    if (this.#files.length === 0) throw refusal('archive-empty', 'The archive has no app files.');
    const paths = withoutTopFolder(this.#files.map((file) => file.path));
    checkTree(paths, 'archive');
    return this.#files.map((file, place) => ({ ...file, path: paths[place] ?? file.path }));
  }
}

async function unpackZip(archive: string, unpacking: Unpacking): Promise<void> {
  const { default: yauzl } = await import('yauzl');
  // Names are decoded here, since a name that the library refuses would end everything with the library's words.
  const zip = await yauzl.openPromise(archive, { decodeStrings: false, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      const name = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
      const file = unpacking.admit({ name, ...zipKind(entry, name) });
      if (file === undefined) continue;
      if (entry.isEncrypted()) {
        throw refusal(
          'archive-encrypted',
          `"${printable(name)}" in the archive is encrypted. Create the archive without a password.`,
        );
      }
      const content = await zip.openReadStreamPromise(entry);
      await pipeline(
        content,
        meter((bytes) => unpacking.count(bytes)),
        writer(file),
      );
    }
  } finally {
    zip.close();
  }
}

/** The upper half of the external attributes is a unix mode, or nothing (APPNOTE.TXT 4.4.15). */
function zipKind(entry: yauzl.Entry, name: string): Pick<ArchiveEntry, 'kind' | 'executable'> {
  const mode = entry.externalFileAttributes >>> 16;
  const executable = (mode & 0o100) !== 0;
  if (name.endsWith('/')) return { kind: 'folder', executable };
  switch (mode & 0o170000) {
    case 0:
    case 0o100000:
      return { kind: 'file', executable };
    case 0o040000:
      return { kind: 'folder', executable };
    case 0o120000:
      return { kind: 'link', executable };
    default:
      return { kind: 'other', executable };
  }
}

async function unpackTar(archive: string, decompress: NodeJS.ReadWriteStream, unpacking: Unpacking): Promise<void> {
  const { extract } = await import('tar-stream');
  const entries = extract();
  // Everything that is unpacked counts, also what is left out: skipping it costs as much.
  const feeding = pipeline(
    createReadStream(archive),
    decompress,
    meter((bytes) => unpacking.count(bytes)),
    entries,
  );
  // It is awaited below; until then its failure also comes out of the loop.
  feeding.catch(() => undefined);
  for await (const entry of entries) {
    const { name, mode = 0 } = entry.header;
    const file = unpacking.admit({ name, kind: tarKind(entry.header.type), executable: (mode & 0o100) !== 0 });
    if (file === undefined) entry.resume();
    else await pipeline(entry as unknown as Readable, writer(file));
  }
  await feeding;
}

function tarKind(type: tar.Header['type']): ArchiveEntry['kind'] {
  switch (type) {
    case 'file':
    case 'contiguous-file':
      return 'file';
    case 'directory':
      return 'folder';
    case 'link':
    case 'symlink':
      return 'link';
    default:
      return 'other';
  }
}

async function formatOf(archive: string): Promise<'zip' | 'gzip' | 'tar' | undefined> {
  const handle = await open(archive);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    const head = buffer.subarray(0, bytesRead);
    const signature = head.subarray(0, 4).toString('latin1');
    if (signature === 'PK\x03\x04' || signature === 'PK\x05\x06') return 'zip';
    if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
    return head.subarray(257, 262).toString('latin1') === 'ustar' ? 'tar' : undefined;
  } finally {
    await handle.close();
  }
}

function writer(file: string): NodeJS.WritableStream {
  return createWriteStream(file, { flags: 'wx', mode: 0o600 });
}

function refusal(
  code: RefusalCode,
  message: string,
  cause?: unknown,
  kind: 'invalid' | 'too-large' = 'invalid',
): Refusal {
  return new Refusal(kind, code, message, cause === undefined ? { field: 'archive' } : { field: 'archive', cause });
}
