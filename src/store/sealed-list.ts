import { z } from 'zod';
import { Turns } from '../lib/turns.js';
import type { Vault } from './vault.js';

/**
 * Short lists of an app or the machine, such as where its alerts are sent: encrypted, each in a file. What was read is kept, since nobody
 * else writes it.
 */
export class SealedList<T extends { id: string }> {
  readonly #vault: Pick<Vault, 'read' | 'write'>;
  readonly #name: string;
  readonly #schema: z.ZodType<{ list: T[] }>;
  readonly #turns = new Turns();
  readonly #known = new Map<string, readonly T[]>();

  /** @param name of the file, without its ending */
  constructor(vault: Pick<Vault, 'read' | 'write'>, name: string, entry: z.ZodType<T>) {
    this.#vault = vault;
    this.#name = name;
    this.#schema = z.object({ version: z.literal(1), list: z.array(entry) });
  }

  /** Reads that of an app or the machine. @throws Refusal those of the vault */
  async of(owner: string): Promise<readonly T[]> {
    const known = this.#known.get(owner);
    if (known !== undefined) return known;
    const text = await this.#vault.read(owner, this.#name);
    const found = text === undefined ? [] : this.#schema.parse(JSON.parse(text)).list;
    this.#known.set(owner, found);
    return found;
  }

  /** What was read before. */
  known(owner: string): readonly T[] {
    return this.#known.get(owner) ?? [];
  }

  /** Changes that of an app or the machine; nothing is written where it stays the same. @throws Refusal those of the vault, and whatever `make` throws */
  async change(owner: string, make: (before: readonly T[]) => readonly T[]): Promise<void> {
    await this.#turns.take(owner, async () => {
      const before = await this.of(owner);
      const list = make(before);
      if (list === before) return;
      await this.#vault.write(owner, this.#name, JSON.stringify({ version: 1, list }));
      this.#known.set(owner, list);
    });
  }

  /** Forgets that of an app that is gone, with its files. */
  forget(owner: string): void {
    this.#known.delete(owner);
  }
}
