import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasCode, messageOf } from '../errors.js';
import { replaceFile } from '../lib/replace-file.js';
import { Trouble } from '../lib/trouble.js';

const fileSchema = z.object({ version: z.literal(1), offsets: z.record(z.string(), z.number().nonnegative()) });

/** The file that says how far logs were drained: by `<app>/<release>`, in bytes. */
export class Offsets {
  readonly #file: string;
  readonly #warn: (facts: object, text: string) => void;
  readonly #trouble = new Trouble();
  #saved: Readonly<Record<string, number>> | undefined;

  /** @param warn told what keeps the file from being written */
  constructor(file: string, warn: (facts: object, text: string) => void) {
    this.#file = file;
    this.#warn = warn;
  }

  /** Reads what an earlier server has saved. @throws Error where the file cannot be read */
  async open(): Promise<Record<string, number>> {
    await ensureFolder(dirname(this.#file), 0o700);
    try {
      return fileSchema.parse(JSON.parse(await readFile(this.#file, 'utf8'))).offsets;
    } catch (error) {
      if (!hasCode(error, 'ENOENT') && !(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
      return {}; // There is none, or it is none of ours: the logs are read from their ends.
    }
  }

  /** Writes what has changed. It need not survive the machine: then lines are sent twice or not at all. */
  async save(offsets: Readonly<Record<string, number>>): Promise<void> {
    if (isDeepStrictEqual(offsets, this.#saved)) return;
    try {
      await replaceFile(this.#file, JSON.stringify({ version: 1, offsets }), { mode: 0o600, sync: false });
      this.#saved = offsets;
      this.#trouble.passed();
    } catch (error) {
      if (this.#trouble.met(error))
        this.#warn({ error: messageOf(error) }, 'It cannot be kept how far logs were drained.');
    }
  }
}
