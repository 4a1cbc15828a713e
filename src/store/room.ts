import { statfs } from 'node:fs/promises';
import { Refusal } from '../errors.js';
import { formatBytes } from '../lib/units.js';

/** What a disk must have left. */
export interface Floor {
  /** In bytes; 0 = no limit. */
  bytes: number;
  /** Files and folders (inodes); 0 = no limit. */
  files: number;
}

/** What a disk has left. */
interface Left {
  bytes: number;
  /** Infinity on a file system without a limit of its own. */
  files: number;
}

/** The room on the disk of the data folder. Below a floor nothing new is deployed, so that what is live keeps its room. */
export class Room {
  readonly #folder: string;
  readonly #floor: Floor;
  /** The bytes of files that are being received. */
  #reserved = 0;

  constructor(folder: string, floor: Floor) {
    this.#folder = folder;
    this.#floor = floor;
  }

  /** @returns what is short, in one sentence; undefined where there is enough */
  async trouble(): Promise<string | undefined> {
    return shortage(await this.#left(), this.#floor);
  }

  /** @throws Refusal `disk-low` where there is not enough room for a deploy */
  async demand(): Promise<void> {
    const short = await this.trouble();
    if (short === undefined) return;
    throw new Refusal(
      'unavailable',
      'disk-low',
      `${short} Nothing new is deployed until there is more; live apps keep running. Free some space and try again.`,
    );
  }

  /**
   * Keeps room for a file that is about to be received, so that files that arrive together cannot fill the disk. What has
   * arrived of them counts twice until they are complete.
   * @param bytes its size @returns a function that gives the room back, once
   * @throws Refusal `disk-low`; `lfs-no-room` where the disk would have less than its floor afterwards
   */
  async reserve(bytes: number): Promise<() => void> {
    // Counted before anything is waited for: another file may be asked for meanwhile.
    this.#reserved += bytes;
    let given = false;
    const giveBack = (): void => {
      if (!given) this.#reserved -= bytes;
      given = true;
    };
    try {
      await this.demand();
      const { bytes: left } = await this.#left();
      if (left - this.#reserved >= this.#floor.bytes) return giveBack;
      const sentence = `The server's disk has no room for a file of ${formatBytes(bytes)}. Free some space and try again.`;
      throw new Refusal('unavailable', 'lfs-no-room', sentence);
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  async #left(): Promise<Left> {
    const { bavail, bsize, files, ffree } = await statfs(this.#folder);
    return { bytes: bavail * bsize, files: files === 0 ? Infinity : ffree };
  }
}

/** @returns what is short, in one sentence; undefined where there is enough */
export function shortage(left: Left, floor: Floor): string | undefined {
  if (left.bytes < floor.bytes)
    return `The server's disk has only ${formatBytes(left.bytes)} left, and deploys need ${formatBytes(floor.bytes)}.`;
  if (left.files < floor.files)
    return `The server's disk has room for only ${left.files} more files, and deploys need ${floor.files}.`;
  return undefined;
}
