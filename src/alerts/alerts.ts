import { randomUUID } from 'node:crypto';
import type { ConnectionOptions } from 'bullmq';
import type { Principal } from '../domain/access/principal.js';
import { messageOf as reasonOf, Refusal } from '../errors.js';
import { Background } from '../lib/background.js';
import { asClause } from '../lib/words.js';
import type { AppStore } from '../store/apps.js';
import type { Vault } from '../store/vault.js';
import { Destinations, wants, type Destination, type NewDestination } from './destinations.js';
import { refusedBy, requestOf } from './formats.js';
import { note, take, type Change, type Told } from './lane.js';
import { Ledger, type Delivery } from './ledger.js';
import { mail, type MailSettings } from './mail.js';
import { messageOf, testMessage, type Message } from './message.js';
import { DELAYS, Outbox } from './outbox.js';
import { MACHINE, Problems, type Problem } from './problems.js';
import { post, Unreached } from '../lib/reach.js';
import { Watch, type WatchOptions } from './watch.js';

/** How often (ms) is looked whether something is to be told. */
const TICK_MS = 1_000;

export interface AlertsOptions {
  /** The folder of its own. */
  folder: string;
  vault: Pick<Vault, 'read' | 'write'>;
  apps: Pick<AppStore, 'list' | 'find' | 'subscribe'>;
  serving: WatchOptions['serving'];
  diskFloor: number;
  /** The mail server; undefined where none is set. */
  mail: MailSettings | undefined;
  /** The console's page about an app, or about the machine. */
  urlOf: (app: string | undefined) => string;
  redis: { connection: ConnectionOptions; prefix: string };
  logger: { warn(facts: object, text: string): void };
}

/** What an owner sees. */
export interface AlertsView {
  problems: Problem[];
  destinations: readonly Destination[];
  /** The newest first. */
  deliveries: Delivery[];
}

/** Tells people what is wrong with their apps and with the machine. */
export class Alerts {
  readonly #options: AlertsOptions;
  readonly #ledger: Ledger;
  readonly #destinations: Destinations;
  readonly #background: Background;
  /** The messages of this server that nobody has begun to send. */
  readonly #untried = new Set<string>();
  /** The destinations to which is being sent. */
  readonly #sending = new Set<string>();
  #problems = new Problems();
  #watch: Watch | undefined;
  #outbox: Outbox | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;
  /** True once everything may belong to another server. */
  #closed = false;

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#ledger = new Ledger(options.folder, (text) => options.logger.warn({}, text));
    this.#destinations = new Destinations(options.vault);
    this.#background = new Background((error) => this.#warn(error));
  }

  /** Whether messages can be sent by email. */
  get mails(): boolean {
    return this.#options.mail !== undefined;
  }

  /** Begins to watch and to send. One server at a time may do so. */
  async begin(from: Parameters<Watch['begin']>[0]): Promise<void> {
    const { apps, serving, diskFloor, redis, logger } = this.#options;
    await this.#ledger.open();
    this.#problems = new Problems(this.#ledger.problems);
    for (const owner of [MACHINE, ...apps.list().map(({ id }) => id)])
      await this.#destinations.of(owner).catch((error: unknown) => this.#warn(error));
    const problems = this.#problems;
    this.#watch = new Watch({ apps, serving, problems, diskFloor, happened: (change) => this.#note(change) });
    this.#watch.begin(from);
    this.#unsubscribe = apps.subscribe((id, app) => {
      if (app !== undefined) return;
      this.#destinations.forget(id);
      this.#ledger.forget(id);
      problems.forget(id);
    });
    this.#outbox = new Outbox({
      ...redis,
      send: (destination) => this.#send(destination),
      tries: (destination) => this.#ledger.waiting(destination)[0]?.tries ?? 0,
      waiting: () =>
        new Set(
          [...this.#ledger.deliveries.values()].flatMap((one) => (one.state === 'waiting' ? one.destination : [])),
        ),
      warn: logger.warn.bind(logger),
    });
    this.#outbox.begin();
    this.#timer = setInterval(() => this.#background.own(this.#tick()), TICK_MS).unref();
  }

  /** Ends, with everything written. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe?.();
    this.#watch?.close();
    await this.#background.settled();
    await this.#outbox?.close();
    if (this.#watch === undefined) return;
    this.#ledger.touch();
    await this.#write();
    this.#closed = true;
  }

  /** @throws Refusal those of the vault */
  async of(owner: string): Promise<AlertsView> {
    const all = [...this.#problems.open.values()];
    return {
      problems: owner === MACHINE ? all : all.filter(({ of }) => of === owner),
      destinations: await this.#destinations.of(owner),
      deliveries: [...this.#ledger.deliveries.values()].filter((one) => one.owner === owner).reverse(),
    };
  }

  /**
   * Adds a destination.
   * @param by who adds it @param anywhere true where it may be in a private network
   * @throws Refusal `preview-alerts`, `mail-not-set`, those of the vault and of `Destinations.add`
   */
  async add(owner: string, input: NewDestination, by: Principal, anywhere: boolean): Promise<Destination> {
    if (this.#options.apps.find(owner)?.preview !== undefined)
      throw new Refusal(
        'conflict',
        'preview-alerts',
        'Previews send no alerts. Add the destination to the app itself.',
      );
    if (input.kind === 'email' && !this.mails) throw mailNotSet();
    return this.#destinations.add(owner, input, by, anywhere);
  }

  /** @throws Refusal `destination-not-found`, those of the vault */
  async remove(owner: string, id: string): Promise<void> {
    await this.#destinations.remove(owner, id);
  }

  /** Sends a destination a message at once. @throws Refusal `destination-not-found`, `mail-not-set`, `not-delivered`, those of the vault */
  async test(owner: string, id: string): Promise<void> {
    const destination = await this.#destinations.get(owner, id);
    const url = this.#options.urlOf(owner === MACHINE ? undefined : owner);
    try {
      await this.#deliver(destination, testMessage(newId(), url, Date.now()));
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      throw new Refusal('unavailable', 'not-delivered', `The test was not delivered: ${asClause(error.message)}.`);
    }
  }

  #note(change: Change): void {
    for (const owner of [change.of, MACHINE])
      for (const destination of this.#destinations.known(owner))
        if (wants(destination, change.rule)) note(this.#ledger.lane(destination.id, owner), change);
    this.#ledger.touch();
  }

  /** Makes messages of what is to be told. */
  async #tick(): Promise<void> {
    const now = Date.now();
    const told = new Set<string>();
    const known = new Set<string>();
    for (const owner of [MACHINE, ...this.#options.apps.list().map(({ id }) => id)]) {
      const destinations = this.#destinations.known(owner);
      if (destinations.length === 0) continue;
      const open = new Map([...this.#problems.open].filter(([, { of }]) => owner === MACHINE || of === owner));
      for (const destination of destinations) {
        const { id } = destination;
        known.add(id);
        const what = take(
          this.#ledger.lane(id, owner),
          open,
          now,
          (key) => this.#problems.passed(key),
          (rule) => wants(destination, rule),
        );
        if (what === undefined) continue;
        this.#put(owner, id, what, now);
        told.add(id);
      }
    }
    this.#ledger.keepLanes(known);
    await this.#write();
    for (const id of told) this.#outbox?.add(id);
  }

  /** Makes a message for a destination. Where another one still waits behind one that is tried again, both become one. */
  #put(owner: string, destination: string, { changes, missed }: Told, now: number): void {
    const { apps, urlOf } = this.#options;
    const before = this.#ledger.waiting(destination).find(({ id }) => this.#untried.has(id));
    const id = before?.id ?? newId();
    const message = messageOf(
      id,
      [...(before?.message.changes ?? []), ...changes],
      { nameOf: (of) => apps.find(of)?.name ?? of, urlOf },
      (before?.message.missed ?? 0) + Object.values(missed).reduce((sum, count) => sum + count, 0),
    );
    this.#ledger.deliveries.set(id, {
      ...{ id, owner, destination, message, at: before?.at ?? now, state: 'waiting', tries: 0 },
    });
    this.#untried.add(id);
    this.#ledger.touch();
  }

  /** Sends a destination what waits for it, the oldest first. @throws Unreached where that is to be tried again */
  async #send(destination: string): Promise<void> {
    // A job that a killed server has left may come beside our own.
    if (this.#sending.has(destination)) return;
    this.#sending.add(destination);
    try {
      for (let next; (next = this.#ledger.waiting(destination)[0]) !== undefined;) {
        this.#untried.delete(next.id);
        try {
          await this.#try(next);
        } finally {
          next.triedAt = Date.now();
          this.#ledger.touch();
          await this.#write();
        }
      }
    } finally {
      this.#sending.delete(destination);
    }
  }

  async #try(delivery: Delivery): Promise<void> {
    const { owner, destination: id, message, tries } = delivery;
    delivery.tries = tries + 1;
    try {
      await this.#deliver(await this.#destinations.get(owner, id), message);
      delivery.state = 'delivered';
      delete delivery.problem;
    } catch (error) {
      const removed = error instanceof Refusal && error.code === 'destination-not-found';
      delivery.problem = removed ? 'The destination was removed.' : reasonOf(error);
      if (!removed && delivery.tries <= DELAYS.length) throw error;
      delivery.state = 'failed';
      const facts = { app: owner === MACHINE ? undefined : owner, destination: id, problem: delivery.problem };
      if (!removed) this.#options.logger.warn(facts, `An alert was given up after ${delivery.tries} tries.`);
    }
  }

  /** @throws Unreached, Refusal `mail-not-set` */
  async #deliver({ kind, address, secret, anywhere }: Destination, message: Message): Promise<void> {
    if (kind === 'email') {
      if (this.#options.mail === undefined) throw mailNotSet();
      return mail(this.#options.mail, address, message);
    }
    const { status, body } = await post(requestOf({ kind, address, secret }, message, Date.now()), { anywhere });
    const refused = refusedBy(kind, status, body);
    if (refused !== undefined) throw new Unreached(refused);
  }

  /** A disk that is full is what has to be told, so nothing waits for room on it. */
  async #write(): Promise<void> {
    if (this.#closed) return;
    await this.#ledger.write(this.#problems.open.values());
  }

  #warn(error: unknown): void {
    this.#options.logger.warn({ error: reasonOf(error) }, 'Alerts cannot be kept.');
  }
}

function newId(): string {
  return `msg_${randomUUID().replaceAll('-', '')}`;
}

function mailNotSet(): Refusal {
  return new Refusal(
    'conflict',
    'mail-not-set',
    'No mail server is set. Ask the operator to set STREAMLIT_HOST_SMTP_URL and STREAMLIT_HOST_MAIL_FROM.',
  );
}
