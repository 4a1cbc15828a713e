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

  constructor(folder: string, floor: Floor) {
    this.#folder = folder;
    this.#floor = floor;
  }

  /** @returns what is short, in one sentence; undefined where there is enough */
  async trouble(): Promise<string | undefined> {
    const { bavail, bsize, files, ffree } = await statfs(this.#folder);
    return shortage({ bytes: bavail * bsize, files: files === 0 ? Infinity : ffree }, this.#floor);
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
}

/** @returns what is short, in one sentence; undefined where there is enough */
export function shortage(left: Left, floor: Floor): string | undefined {
  if (left.bytes < floor.bytes)
    return `The server's disk has only ${formatBytes(left.bytes)} left, and deploys need ${formatBytes(floor.bytes)}.`;
  if (left.files < floor.files)
    return `The server's disk has room for only ${left.files} more files, and deploys need ${floor.files}.`;
  return undefined;
}
