import type { LogFile } from '../../logs/log-file.js';
import { tail } from '../../logs/tail.js';
import type { Lease } from '../runtime.js';
import type { HostAddress } from '../../lib/address.js';
import { holderOf } from './proc.js';
import { isFree, LOOPBACK, type Ports } from './ports.js';

/** How Streamlit's versions, and the servers in them, say that they did not get their port; and how many lines are looked at for it. */
const PORT_TAKEN = /is not available|already in use/i;
const LAST_LINES = 20;

/** The port of one process: reserved at its first start, and kept over its restarts for as long as nobody else takes it. */
export class AppPort implements Lease {
  readonly #ports: Ports;
  readonly #wanted: number | undefined;
  #number = 0;
  #note = '';

  /** @param wanted the one that it gets where that is free */
  constructor(ports: Ports, wanted: number | undefined) {
    this.#ports = ports;
    this.#wanted = wanted;
  }

  get address(): HostAddress {
    return { host: LOOPBACK, port: this.#number };
  }

  get note(): string {
    return this.#note;
  }

  hold(port: number): void {
    this.#ports.hold(port);
    this.#number = port;
  }

  async take(): Promise<boolean> {
    if (this.#number !== 0 && (await isFree(this.#number))) return false;
    const port = await this.#ports.reserve(this.#wanted);
    this.#note = this.#wanted === undefined || port === this.#wanted ? '' : await noteOn(this.#wanted, port);
    this.giveBack();
    this.#number = port;
    return true;
  }

  giveBack(): void {
    if (this.#number !== 0) this.#ports.release(this.#number);
  }

  /**
   * Somebody else may take it after it was found free: between the look
   * and Streamlit's own bind lies half a second, and the port's range is not ours alone: a connection that lasted a moment is
   * gone by now, and only Streamlit's own message says so.
   */
  async wasLost(log: LogFile): Promise<boolean> {
    if (!(await isFree(this.#number))) return true;
    const { lines } = await tail(log.path, LAST_LINES);
    const itself = new RegExp(`\\b${this.#number}\\b`);
    return lines.some((line) => itself.test(line) && PORT_TAKEN.test(line));
  }
}

async function noteOn(wanted: number, port: number): Promise<string> {
  const holder = await holderOf(wanted);
  const who = holder === undefined ? 'another program' : `${holder.name} (pid ${holder.pid})`;
  return `port ${wanted} is in use by ${who}; using port ${port} instead`;
}
