import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import type { Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { messageOf, Refusal } from '../errors.js';
import type { Address } from '../gateway/listener.js';
import type { RelayAddress } from '../gateway/relay.js';
import type { Door, Switchboard } from '../gateway/switchboard.js';
import type { Claims } from '../lib/claims.js';
import { asClause } from '../lib/words.js';
import type { Logger } from '../logger.js';
import type { ReloadResult } from '../web/api/route.js';
import type { Life } from './life.js';
import { Peer, type Answer } from './peer.js';
import { PROTOCOL } from './predecessor.js';
import { spawn } from '../lib/spawn.js';

/** Time limits, in ms. */
const LIMITS = {
  /** For the new server to load; in a checkout, it may be built first. */
  load: 5 * 60_000,
  /** For changes and pushes being received, while others still come in, and then while others wait. */
  changes: 60_000,
  lastChanges: 15_000,
  /** For the new server to take over, while requests wait. */
  takeOver: 60_000,
};

export interface ReloadOptions {
  /** The folder of the program, whose newest version is started. */
  root: string;
  board: Switchboard;
  /** The changes in progress. */
  changes: Claims;
  logger: Logger;
}

/** What is handed over in addition to the life. */
export interface Belongings {
  lock: NetServer;
  ports: Partial<Record<Door, { server: HttpServer; address: Address }>>;
}

/** What is done in addition to handing over a life. */
export interface Around {
  /** Ends what works beside it. */
  leave: () => Promise<void>;
  /** Begins another life, because the new server has failed. */
  revive: () => Promise<Life>;
}

/** A server that has taken over. */
export interface Successor {
  peer: Peer;
  pid: number;
  relay: RelayAddress;
}

/**
 * Replaces this server by a new one without an interruption: the new one is loaded beside it, takes over the apps, the records
 * and the ports, and serves; this one only passes on what is still open. Where the new one fails, this one goes on.
 */
export class Reload {
  readonly #options: ReloadOptions;
  #life: Life | undefined;
  #belongings: Belongings | undefined;
  #around: Around = {
    leave: () => Promise.resolve(),
    revive: () => Promise.reject(new Error('the server has not started')),
  };
  #running: Promise<ReloadResult> | undefined;
  #succeed: (successor: Successor) => void = () => undefined;
  /** Resolves once a new server has taken over. */
  readonly succeeded = new Promise<Successor>((resolve) => (this.#succeed = resolve));

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  /** Names what there is to hand over; from now on, the server can be reloaded. */
  begin(life: Life, belongings: Belongings, around: Around): void {
    this.#life = life;
    this.#belongings = belongings;
    this.#around = around;
  }

  /**
   * @param options.waitMs how long deploys may take to finish before they are interrupted, and run again by the new server
   * @throws Refusal `reload-failed`, `reload-in-progress`
   */
  async run({ waitMs }: { waitMs: number }): Promise<ReloadResult> {
    if (this.#life === undefined || this.#running !== undefined)
      throw new Refusal('conflict', 'reload-in-progress', 'The server is already being started or reloaded.');
    this.#running = this.#run(this.#life, waitMs);
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves once no reload is in progress. */
  async settled(): Promise<void> {
    await this.#running?.catch(() => undefined); // Who asked for it is told.
  }

  async #run(life: Life, waitMs: number): Promise<ReloadResult> {
    const { logger, board, changes } = this.#options;
    logger.info('Reloading: starting the new server.');
    const next = new Next(this.#options.root);
    try {
      const take = await next.loaded(LIMITS.load);
      await life.composed.calm(waitMs);
      await changes.whenNone(LIMITS.changes);
      board.hold('changes');
      await changes.whenNone(LIMITS.lastChanges);
      board.hold('all');
      await this.#around.leave();
      // From here on, only a new life can go on.
      this.#life = undefined;
      await life.handOver();
      const relay = await next.serves(take, this.#belongings, LIMITS.takeOver);
      const { pid } = next;
      logger.info(`Reloaded: the server with pid ${pid} has taken over. This one ends with its last connection.`);
      this.#life = life;
      // The new server has its own copy. This one would keep the data folder locked after its end.
      this.#belongings?.lock.close();
      this.#succeed({ peer: next.peer, pid, relay });
      return { pid };
    } catch (error) {
      await next.end();
      if (this.#life === undefined) this.#life = await this.#around.revive();
      else life.composed.resume();
      board.lead(this.#life.entries);
      const reason = asClause(messageOf(error));
      logger.error({ err: error }, 'The new server could not start. This one goes on.');
      const sentence = `The new server could not start, so the old one keeps serving: ${reason}.`;
      throw new Refusal('unavailable', 'reload-failed', sentence, { cause: error });
    }
  }
}

/** The process of the new server, until it serves. */
class Next {
  readonly peer: Peer;
  readonly #child: ChildProcess;
  readonly #over: Promise<never>;

  constructor(root: string) {
    // With this server's own environment, folder and output.
    const args = [...process.execArgv.filter((arg) => arg.startsWith('--max') || arg.startsWith('--optimize'))];
    this.#child = spawn(process.execPath, [...args, join(root, 'scripts/streamlit-host.js'), 'start', '--successor'], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.peer = new Peer(this.#child);
    this.#over = new Promise((_, reject) => {
      const fail = (reason: string): void => reject(new Error(reason));
      this.peer.serve('failed', (data) => fail((data as { reason: string }).reason));
      this.#child.once('error', (error) => fail(`${process.execPath} could not be run: ${messageOf(error)}`));
      this.#child.once('exit', (code, signal) =>
        // What it said on its channel comes first.
        setImmediate(() => fail(`it ended with ${signal ?? `exit code ${code ?? 0}`}; see the server log`)),
      );
    });
    this.#over.catch(() => undefined); // Heard by those who wait for it.
    this.#child.unref();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until it could take over. @returns what lets it */
  async loaded(limitMs: number): Promise<(answer: Answer) => void> {
    const loaded = new Promise<(answer: Answer) => void>((resolve, reject) => {
      this.peer.serve('take', (data) => {
        const { protocol } = data as { protocol: number };
        if (protocol !== PROTOCOL) {
          reject(new Error('its version cannot take over from this one; restart the server instead'));
        }
        return new Promise<Answer>(resolve);
      });
    });
    return this.#inTime(limitMs, 'did not start', loaded);
  }

  /** Lets it take over, and waits until it serves. */
  async serves(
    take: (answer: Answer) => void,
    belongings: Belongings | undefined,
    limitMs: number,
  ): Promise<RelayAddress> {
    const serving = new Promise<RelayAddress>((resolve) => {
      this.peer.serve('port', (data) => {
        const { door, address } = data as { door: Door; address: Address };
        const ours = belongings?.ports[door];
        return isDeepStrictEqual(ours?.address, address) ? { handle: ours?.server } : undefined;
      });
      this.peer.serve('serving', (data) => resolve((data as { relay: RelayAddress }).relay));
    });
    take({ handle: belongings?.lock });
    return this.#inTime(limitMs, 'did not take over', serving);
  }

  async #inTime<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
    const limit = new AbortController();
    const late = sleep(limitMs, undefined, { signal: limit.signal }).then(
      () => Promise.reject(new Error(`it ${what} within ${limitMs / 1_000} s`)),
      () => new Promise<never>(() => undefined), // It was in time.
    );
    return Promise.race([work, this.#over, late]).finally(() => limit.abort());
  }

  /** Ends it with all that it has started itself. */
  async end(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.#child.kill('SIGKILL'); // It leads no group yet.
    }
    await ended;
  }
}

/** Returns where a new server accepts what arrives at the one before. */
export function newRelay(folder: string): RelayAddress {
  return { path: join(folder, `r${process.pid}.sock`), secret: randomBytes(24).toString('base64url') };
}
