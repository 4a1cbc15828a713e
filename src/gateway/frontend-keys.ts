import { createHash, randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How much of a hash stands in an address, in hexadecimal digits. */
const DIGITS = 20;

/**
 * What names the files of a frontend in addresses that browsers keep for a year: a hash over every one of them, so that two
 * apps share an address only where they share every byte. It is written down beside what the files looked like, because
 * reading them all takes a tenth of a second.
 */
export class FrontendKeys {
  readonly #records: string;

  /** @param records the folder for what was found before */
  constructor(records: string) {
    this.#records = records;
  }

  /** The hash of all files in a folder. @throws Error where one cannot be read */
  async of(folder: string): Promise<string> {
    const files = await filesIn(folder);
    const seen = createHash('sha256');
    for (const file of files) {
      const { ino, size, mtimeMs, ctimeMs } = await lstat(join(folder, file));
      seen.update(`${file}\0${ino} ${size} ${mtimeMs} ${ctimeMs}\0`);
    }
    const record = join(this.#records, seen.update(folder).digest('hex'));
    const known = await readFile(record, 'utf8').catch(() => ''); // Not looked at yet.
    if (new RegExp(`^[0-9a-f]{${DIGITS}}$`).test(known)) return known;
    const hash = createHash('sha256');
    for (const file of files) {
      const path = join(folder, file);
      // What a link leads to is served only where it lies in the same folder, and is read there.
      const bytes = (await lstat(path)).isSymbolicLink() ? await readlink(path, 'buffer') : await readFile(path);
      hash.update(`${file}\0${bytes.length}\0`).update(bytes);
    }
    const key = hash.digest('hex').slice(0, DIGITS);
    await this.#keep(record, key);
    return key;
  }

  async #keep(record: string, key: string): Promise<void> {
    const draft = `${record}.${randomUUID()}`;
    await mkdir(this.#records, { recursive: true });
    try {
      await writeFile(draft, key);
      await rename(draft, record);
    } finally {
      await rm(draft, { force: true });
    }
  }
}

/** Every file below a folder, sorted, by its path from there. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
