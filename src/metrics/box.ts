import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { blank, box, BOX_ID } from './fields.js';

/** How often the event loop is asked whether it is late, in ms: often enough to notice what blocks it, too seldom to cost anything. */
const LOOP_MS = 100;

/** The kernel counts processor time in hundredths of a second (USER_HZ). */
const MS_PER_TICK = 10;

export interface BoxOptions {
  /** The folder whose disk is measured. */
  folder: string;
  /** Asks Redis for an answer. @throws Error where there is none */
  ping: () => Promise<void>;
}

/** Reads what the machine and the server use. */
export class BoxReader {
  readonly #options: BoxOptions;
  readonly #loop: IntervalHistogram;
  #busyMs: number | undefined;
  #own = process.cpuUsage();
  #redisUs = 0;
  #pinging = false;

  constructor(options: BoxOptions) {
    this.#options = options;
    this.#loop = monitorEventLoopDelay({ resolution: LOOP_MS });
  }

  begin(): void {
    this.#loop.enable();
  }

  /** What was used since the last time, and what is in use now. */
  async read(): Promise<number[]> {
    const values = blank(BOX_ID);
    values[box.samples] = 1;
    values[box.cores] = availableParallelism();
    const busy = busyMs(readText('/proc/stat'));
    if (busy !== undefined) values[box.cpuMs] = Math.max(0, busy - (this.#busyMs ?? busy));
    this.#busyMs = busy;
    const memory = memoryOf(readText('/proc/meminfo'));
    [values[box.memoryKb], values[box.memoryTotalKb]] = [memory?.usedKb ?? 0, memory?.totalKb ?? 0];
    values[box.load100] = (loadavg()[0] ?? 0) * 100;
    // What it is late beyond the time between two looks.
    values[box.loopDelayUs] = Math.max(0, this.#loop.max / 1_000 - LOOP_MS * 1_000);
    this.#loop.reset();
    const own = process.cpuUsage(this.#own);
    this.#own = process.cpuUsage();
    values[box.serverCpuMs] = (own.user + own.system) / 1_000;
    values[box.serverMemoryKb] = process.memoryUsage.rss() / 1_024;
    this.#ping();
    values[box.redisUs] = this.#redisUs;
    const disk = await statfs(this.#options.folder).catch(() => undefined); // It may be a network disk that is away.
    if (disk !== undefined) {
      values[box.diskTotalKb] = (disk.blocks * disk.bsize) / 1_024;
      values[box.diskKb] = ((disk.blocks - disk.bavail) * disk.bsize) / 1_024;
    }
    return values;
  }

  close(): void {
    this.#loop.disable();
  }

  /** Asks Redis how fast it is; the next reading has the answer. */
  #ping(): void {
    if (this.#pinging) return;
    this.#pinging = true;
    const begun = performance.now();
    this.#options
      .ping()
      .then(
        () => (this.#redisUs = (performance.now() - begun) * 1_000),
        () => (this.#redisUs = 0), // Without an answer there is no figure. The check of the server says why.
      )
      .finally(() => (this.#pinging = false));
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not every machine has it; the figure is missing then.
  }
}

/** The time that all processors were busy since the start of the machine, in ms (https://man7.org/linux/man-pages/man5/proc_stat.5.html). */
export function busyMs(stat: string): number | undefined {
  const fields = /^cpu +(.+)$/m.exec(stat)?.[1]?.split(/\s+/).map(Number);
  if (fields === undefined) return undefined;
  // user, nice, system, idle, iowait, irq, softirq, steal; guests are in the first two.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) * MS_PER_TICK;
}

/** The memory of the machine (https://man7.org/linux/man-pages/man5/proc_meminfo.5.html). */
export function memoryOf(meminfo: string): { usedKb: number; totalKb: number } | undefined {
  const of = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1]);
  const [totalKb, available] = [of('MemTotal'), of('MemAvailable')];
  return Number.isFinite(totalKb) && Number.isFinite(available)
    ? { totalKb, usedKb: Math.max(0, totalKb - available) }
    : undefined;
}
