import { execFile } from 'node:child_process';
import type { StatsFs } from 'node:fs';
import { mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The room that a run needs, in MB: environments, and what builds download. */
const MB = 4_000;
const INODES = 600_000;
/** What is left on a full disk, in bytes and in files. */
const LEFT = { bytes: 32 * 1024, inodes: 2 };

/** How often something is tried again that what writes to the disk meanwhile keeps from happening. */
const TRIES = 100;

/** A small disk of a run's own, which can be full, without inodes, or read-only within a moment. Only root may have one. */
export class Disk {
  readonly folder: string;
  #bound: string | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @returns undefined where nothing may be mounted */
  static async mount(folder: string): Promise<Disk | undefined> {
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${MB}m,nr_inodes=${INODES}`, 'tmpfs', folder]);
      return new Disk(folder);
    } catch {
      return undefined; // Not root, or a machine that lets nobody mount.
    }
  }

  /** Leaves it no room. */
  async fill(): Promise<void> {
    await this.#attempt(({ blocks, bfree, bsize }) => `size=${(blocks - bfree) * bsize + LEFT.bytes}`);
  }

  /** Leaves it no room for another file. */
  async takeInodes(): Promise<void> {
    await this.#attempt(({ files, ffree }) => `nr_inodes=${files - ffree + LEFT.inodes}`);
  }

  /** Makes a folder of it read-only for whoever opens a file in it from now on. */
  async protect(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (let tries = 0; this.#bound === undefined; tries += 1) {
      await run('mount', ['--bind', folder, folder]);
      try {
        await run('mount', ['-o', 'remount,bind,ro', folder]);
        this.#bound = folder;
      } catch (error) {
        // Between the two, something has opened a file in it for writing, which the kernel does not take away.
        await run('umount', ['--lazy', folder]);
        if (tries === TRIES) throw error;
      }
    }
  }

  /** Makes everything possible again. */
  async free(): Promise<void> {
    await this.#remount(`size=${MB}m,nr_inodes=${INODES}`);
    if (this.#bound !== undefined) await run('umount', ['--lazy', this.#bound]);
    this.#bound = undefined;
  }

  async unmount(): Promise<void> {
    await run('umount', ['--lazy', this.folder]);
  }

  #remount(options: string): Promise<unknown> {
    return run('mount', ['-o', `remount,${options}`, this.folder]);
  }

  /** Makes it just as large as what is on it. What was written meanwhile makes it too small, and the kernel refuses. */
  async #attempt(options: (used: StatsFs) => string): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        return void (await this.#remount(options(await statfs(this.folder))));
      } catch (error) {
        if (tries === TRIES) throw error;
      }
    }
  }
}
