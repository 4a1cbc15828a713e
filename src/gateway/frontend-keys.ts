import { createHash, randomUUID } from 'node:crypto';
import { lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureFolder } from '../lib/ensure-folder.js';
import { readRegular } from '../lib/read-regular.js';

/** The number of hexadecimal digits of a hash in a URL. */
const DIGITS = 20;

/** The largest file of a frontend, in bytes. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** What a frontend is made of. */
export interface Contents {
  /** Names the files in addresses: a hash over all of them. */
  key: string;
  /** The hash of each file, by its path from the folder. What has no hash here is not served. */
  hashes: ReadonlyMap<string, string>;
}

const recordSchema = z.array(z.tuple([z.string(), z.string().regex(/^[0-9a-f]{64}$/)]));

/**
 * Names the files of a frontend in URLs that browsers cache for a year: by a hash over all of them, so that apps
 * share a URL only if they share every byte. The hash is stored with the files' stats, because reading them all takes
 * a tenth of a second.
 */
export class FrontendKeys {
  readonly #records: string;

  /** @param records the folder for what was found before */
  constructor(records: string) {
    this.#records = records;
  }

  /** The hashes of all files in a folder. @throws Error where one cannot be read */
  async of(folder: string): Promise<Contents> {
    const files = await filesIn(folder);
    const seen = createHash('sha256');
    for (const file of files) {
      const { ino, size, mtimeMs, ctimeMs } = await lstat(join(folder, file));
      seen.update(`${file}\0${ino} ${size} ${mtimeMs} ${ctimeMs}\0`);
    }
    const record = join(this.#records, seen.update(folder).digest('hex'));
    const known = recordOf(await readFile(record, 'utf8').catch(() => '')); // Not looked at yet.
    if (known !== undefined) return contentsOf(known);
    const hashes: [string, string][] = [];
    for (const file of files) {
      const bytes = await readFrontendFile(folder, file);
      if (bytes !== undefined) hashes.push([file, hashOf(bytes)]);
    }
    await this.#keep(record, JSON.stringify(hashes));
    return contentsOf(hashes);
  }

  async #keep(record: string, text: string): Promise<void> {
    const draft = `${record}.${randomUUID()}`;
    await ensureFolder(this.#records);
    try {
      await writeFile(draft, text);
      await rename(draft, record);
    } finally {
      await rm(draft, { force: true });
    }
  }
}

/** Reads a file of a frontend's folder, which its app may own. @returns undefined where there is none that can be served */
export function readFrontendFile(folder: string, file: string): Promise<Buffer | undefined> {
  return readRegular(join(folder, file), MAX_FILE_BYTES);
}

/** The hash of a file's bytes, as in `Contents`. */
export function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function contentsOf(hashes: [string, string][]): Contents {
  const key = hashOf(Buffer.from(JSON.stringify(hashes))).slice(0, DIGITS);
  return { key, hashes: new Map(hashes) };
}

/** What was written down; undefined where it is nothing of this version. */
function recordOf(text: string): [string, string][] | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // Not JSON: none yet, or of an earlier version.
  }
}

/** Lists every file below a folder, sorted, as relative paths. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
