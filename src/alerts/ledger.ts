import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasCode, messageOf } from '../errors.js';
import { replaceFile } from '../lib/replace-file.js';
import { Trouble } from '../lib/trouble.js';
import { laneSchema, newLane, type Lane } from './lane.js';
import { problemSchema, type Problem } from './problems.js';

/** How many messages that were delivered or given up are kept. */
const KEPT = 200;

const deliverySchema = z.object({
  /** Of the message: the same for every try. */
  id: z.string(),
  owner: z.string(),
  destination: z.string(),
  message: z.object({
    ...{ id: z.string(), title: z.string(), lines: z.array(z.string()), url: z.string(), bad: z.boolean() },
    changes: laneSchema.shape.events,
    missed: z.number().default(0),
  }),
  /** ms since 1970 */
  at: z.number(),
  state: z.enum(['waiting', 'delivered', 'failed']),
  tries: z.number(),
  /** Why the last try failed, in one sentence. */
  problem: z.string().optional(),
  /** When the last try ended, in ms since 1970. */
  triedAt: z.number().optional(),
});

/** A message on its way to a destination. */
export type Delivery = z.infer<typeof deliverySchema>;

const fileSchema = z.object({
  version: z.literal(1),
  problems: z.array(problemSchema),
  lanes: z.record(z.string(), laneSchema),
  deliveries: z.array(deliverySchema),
});

/**
 * What is wrong, what people were told of it, and which messages are on their way, in one file: what is to be sent is written before
 * it is sent, so that neither a crash nor a lost queue loses a message or tells the same twice.
 */
export class Ledger {
  readonly #file: string;
  readonly #warn: (text: string) => void;
  /** By destination; what an older version has written is by app or machine. */
  readonly lanes = new Map<string, Lane>();
  /** The oldest first. */
  readonly deliveries = new Map<string, Delivery>();
  /** The problems that the file held when it was read. */
  problems: Problem[] = [];
  readonly #trouble = new Trouble();
  #changed = false;
  #writing: Promise<void> = Promise.resolve();

  /** @param folder its own folder @param warn told what is wrong with the file, and what keeps it from being written */
  constructor(folder: string, warn: (text: string) => void) {
    this.#file = join(folder, 'alerts.json');
    this.#warn = warn;
  }

  /** Reads the file. One that is damaged or from a newer version is moved aside. */
  async open(): Promise<void> {
    await ensureFolder(join(this.#file, '..'), 0o700);
    try {
      const { problems, lanes, deliveries } = fileSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
      this.problems = problems;
      for (const [owner, lane] of Object.entries(lanes)) this.lanes.set(owner, lane);
      for (const each of deliveries) this.deliveries.set(each.id, each);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      await rename(this.#file, `${this.#file}.unreadable`).catch(() => undefined); // It is replaced in any case.
      this.#warn(`Cannot read ${this.#file}: ${messageOf(error)}. It was moved to ${this.#file}.unreadable.`);
    }
  }

  /** The lane of a destination. @param owner whose destinations shared one, as an older version has written it */
  lane(destination: string, owner: string): Lane {
    const shared = this.lanes.get(owner);
    const lane = this.lanes.get(destination) ?? (shared === undefined ? newLane() : structuredClone(shared));
    this.lanes.set(destination, lane);
    return lane;
  }

  /** Forgets the lanes of destinations that are not among these, which are all. */
  keepLanes(destinations: ReadonlySet<string>): void {
    for (const id of this.lanes.keys()) if (!destinations.has(id)) this.lanes.delete(id);
  }

  /** The messages that wait to be sent to a destination, the oldest first. */
  waiting(destination: string): Delivery[] {
    return [...this.deliveries.values()].filter((one) => one.destination === destination && one.state === 'waiting');
  }

  /** Forgets an app that is gone; its destinations go with it. */
  forget(owner: string): void {
    for (const { id, owner: of } of this.deliveries.values()) if (of === owner) this.deliveries.delete(id);
    this.touch();
  }

  /** Says that something has changed, which the next `write` writes. */
  touch(): void {
    this.#changed = true;
  }

  /** Writes what has changed; resolves once it is on disk. Where that is full, which is told once, the next call tries again. */
  async write(problems: Iterable<Problem>): Promise<void> {
    return (this.#writing = this.#writing.then(async () => {
      if (!this.#changed) return;
      this.#changed = false;
      this.#drop();
      const content = {
        version: 1,
        problems: [...problems],
        lanes: Object.fromEntries(this.lanes),
        deliveries: [...this.deliveries.values()],
      };
      try {
        await replaceFile(this.#file, JSON.stringify(content), { mode: 0o600 });
        this.#trouble.passed();
      } catch (error) {
        this.#changed = true;
        if (this.#trouble.met(error)) this.#warn(`Alerts cannot be kept: ${messageOf(error)}`);
      }
    }));
  }

  #drop(): void {
    const ended = [...this.deliveries.values()].filter(({ state }) => state !== 'waiting');
    for (const { id } of ended.slice(0, Math.max(0, ended.length - KEPT))) this.deliveries.delete(id);
  }
}
