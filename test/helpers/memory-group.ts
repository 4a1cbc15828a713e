import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A control group of the kernel's with little memory, as a small machine would have. */
export class MemoryGroup {
  readonly #folder: string;
  readonly #limit: string;

  private constructor(folder: string, limit: string) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** @returns undefined where we may not make one, which only root may */
  static create(name: string, bytes: number): MemoryGroup | undefined {
    try {
      const group = groupOf();
      mkdirSync(group.folder + `/${name}`);
      const made = new MemoryGroup(join(group.folder, name), group.limit);
      made.#set(bytes);
      return made;
    } catch {
      return undefined;
    }
  }

  /** What starts a program in it. */
  get under(): string[] {
    return ['sh', '-c', `echo $$ > ${join(this.#folder, 'cgroup.procs')}; exec "$@"`, 'sh'];
  }

  /** How often the kernel has ended a process of it, or of a group below it, for want of memory. */
  get kills(): number {
    const file = this.#limit === 'memory.max' ? 'memory.events' : 'memory.oom_control';
    // Those of version 2 count what is below them.
    const below =
      this.#limit === 'memory.max' ? [] : readdirSync(this.#folder, { recursive: true, withFileTypes: true });
    const folders = below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    return [this.#folder, ...folders].reduce((sum, folder) => sum + killsIn(join(folder, file)), 0);
  }

  /** Nothing may run in it any more. */
  remove(): void {
    rmdirSync(this.#folder);
  }

  #set(bytes: number): void {
    writeFileSync(join(this.#folder, this.#limit), String(bytes));
  }
}

function killsIn(file: string): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // The group has ended meanwhile.
  }
}

/** The group in which this test itself runs, of either version of control groups. */
function groupOf(): { folder: string; limit: string } {
  const own = readFileSync('/proc/self/cgroup', 'utf8');
  const first = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(own)?.[1];
  if (first !== undefined) {
    const folder = join('/sys/fs/cgroup/memory', first);
    return { folder: existsSync(folder) ? folder : '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' };
  }
  return { folder: '/sys/fs/cgroup', limit: 'memory.max' };
}
