import { z } from 'zod';
import type { Principal } from '../domain/access/principal.js';
import { messageOf, Refusal } from '../errors.js';
import { newEntryId } from '../lib/entry-id.js';
import { parseUrl } from '../lib/parse-url.js';
import { fitsHeader } from '../lib/reach.js';
import { Trouble } from '../lib/trouble.js';
import type { AppStore } from '../store/apps.js';
import { SealedList } from '../store/sealed-list.js';
import { MACHINE, type Vault } from '../store/vault.js';
import { Drain, type DrainState } from './drain.js';
import { Offsets } from './offsets.js';
import { RunLogs, type RunLogsOptions } from './run-logs.js';
import { sinkTo, type Sink } from './sinks.js';

/** How often (ms) the logs are looked at. */
const LOOK_MS = 1_000;
/** After how many looks it is written how far the logs were read. */
const SAVE_LOOKS = 10;
/** How many drains an app or the machine may have. */
const MAX = 5;

const entrySchema = z.object({
  id: z.string(),
  address: z.string(),
  token: z.string().optional(),
  /** True where an admin added it: it may be in a private network. */
  anywhere: z.boolean(),
  createdAt: z.string(),
  createdBy: z.string(),
});

/** A drain as it is kept. */
export type DrainEntry = z.infer<typeof entrySchema>;

/** What a person says of a new one. */
export interface NewDrain {
  address: string;
  token?: string | undefined;
}

export interface DrainsOptions extends Omit<RunLogsOptions, 'apps'> {
  apps: Pick<AppStore, 'list' | 'find' | 'subscribe'>;
  vault: Pick<Vault, 'read' | 'write'>;
  /** The file that says how far the logs were read. */
  offsets: string;
  /** Where the settings say that all lines go to. */
  more?: readonly Sink[];
}

/** Sends what apps print to where people want it: each drain of an app gets its lines, each of the machine those of all apps. */
export class Drains {
  readonly #options: DrainsOptions;
  readonly #lists: SealedList<DrainEntry>;
  readonly #logs: RunLogs;
  readonly #offsets: Offsets;
  readonly #trouble = new Trouble();
  readonly #drains = new Map<string, { owner: string; drain: Drain }>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #looks = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(options: DrainsOptions) {
    this.#options = options;
    this.#lists = new SealedList(options.vault, 'drains', entrySchema);
    this.#logs = new RunLogs(options);
    this.#offsets = new Offsets(options.offsets, options.warn);
  }

  async begin(): Promise<void> {
    const { apps, more = [], warn } = this.#options;
    const offsets = await this.#offsets.open();
    for (const owner of [MACHINE, ...apps.list().map(({ id }) => id)]) {
      try {
        for (const entry of await this.#lists.of(owner)) this.#open(owner, entry);
      } catch (error) {
        warn({ error: messageOf(error) }, 'Log drains cannot be read.');
      }
    }
    for (const [place, sink] of more.entries())
      this.#drains.set(`:${place}`, { owner: MACHINE, drain: new Drain(sink) });
    this.#logs.begin((app) => this.#wants(app), offsets);
    this.#unsubscribe = apps.subscribe((id, app) => {
      if (app !== undefined) return;
      this.#lists.forget(id);
      for (const [key, { owner }] of this.#drains) if (owner === id) void this.#end(key, 0);
    });
    this.#schedule();
  }

  async close(): Promise<void> {
    if (this.#unsubscribe === undefined) return;
    this.#unsubscribe();
    this.#unsubscribe = undefined;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#look();
    await this.#offsets.save(this.#logs.offsets);
    await Promise.all([...this.#drains.keys()].map((key) => this.#end(key)));
  }

  /** @throws Refusal those of the vault */
  async of(owner: string): Promise<(DrainEntry & { state: DrainState })[]> {
    const entries = await this.#lists.of(owner);
    return entries.map((entry) => ({
      ...entry,
      state: this.#drains.get(entry.id)?.drain.state ?? { sent: 0, dropped: 0, problem: undefined },
    }));
  }

  /**
   * Adds a drain, which gets what is printed from now on.
   * @param by who adds it @param anywhere true where it may be in a private network
   * @throws Refusal `drain-address-invalid`, `drain-token-invalid`, `drains-too-many`, those of the vault
   */
  async add(owner: string, { address, token }: NewDrain, by: Principal, anywhere: boolean): Promise<DrainEntry> {
    if (token !== undefined && !fitsHeader(token)) {
      const sentence = 'Enter a token of letters, digits and symbols, without spaces.';
      throw new Refusal('invalid', 'drain-token-invalid', sentence, { field: 'token' });
    }
    const entry: DrainEntry = {
      ...{ id: newEntryId(), address: parseDrain(address.trim(), anywhere), anywhere },
      ...(token === undefined || token === '' ? {} : { token }),
      ...{ createdAt: new Date().toISOString(), createdBy: by.name },
    };
    await this.#lists.change(owner, (before) => {
      if (before.length < MAX) return [...before, entry];
      throw new Refusal('conflict', 'drains-too-many', `There can be at most ${MAX} drains. Remove one first.`);
    });
    // A log that nobody has asked for until now is not sent from its beginning.
    this.#logs.begin((app) => (owner === MACHINE || app === owner) && !this.#wants(app), {});
    this.#open(owner, entry);
    return entry;
  }

  /** @throws Refusal `drain-not-found`, those of the vault */
  async remove(owner: string, id: string): Promise<void> {
    await this.#lists.change(owner, (before) => {
      if (before.some((one) => one.id === id)) return before.filter((one) => one.id !== id);
      throw new Refusal('not-found', 'drain-not-found', `There is no drain "${id}".`);
    });
    await this.#end(id, 0);
  }

  #open(owner: string, entry: DrainEntry): void {
    this.#drains.set(entry.id, { owner, drain: new Drain(sinkTo(entry)) });
  }

  async #end(key: string, limitMs?: number): Promise<void> {
    const found = this.#drains.get(key);
    this.#drains.delete(key);
    await found?.drain.close(limitMs);
  }

  #of(app: string): Drain[] {
    return [...this.#drains.values()].flatMap(({ owner, drain }) => (owner === MACHINE || owner === app ? drain : []));
  }

  #wants(app: string): boolean {
    return this.#of(app).length > 0;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().finally(() => {
        if (this.#unsubscribe !== undefined) this.#schedule();
      });
    }, LOOK_MS).unref();
  }

  async #look(): Promise<void> {
    try {
      if (this.#drains.size === 0) return;
      await this.#logs.look(
        (app) => this.#wants(app),
        (app, lines) => {
          for (const drain of this.#of(app)) drain.push(lines);
        },
      );
      if (++this.#looks % SAVE_LOOKS === 0) await this.#offsets.save(this.#logs.offsets);
      this.#trouble.passed();
    } catch (error) {
      if (!this.#trouble.met(error)) return;
      this.#options.warn({ error: messageOf(error) }, 'The logs of apps could not be read for their drains.');
    }
  }
}

/** What may be shown of an address. */
export function shownAddress({ address }: Pick<DrainEntry, 'address'>): string {
  const url = parseUrl(address);
  return url === undefined ? '' : `${url.protocol}//${url.host}`;
}

/** Returns the address of a drain, as it is kept. @throws Refusal `drain-address-invalid` */
export function parseDrain(text: string, anywhere: boolean): string {
  const url = parseUrl(text);
  const scheme = anywhere ? /^(https?|syslog(\+tls)?):$/ : /^(https|syslog\+tls):$/;
  const syslog = url?.protocol.startsWith('syslog') === true;
  const plain =
    url !== undefined && url.username === '' && url.password === '' && url.hash === '' && url.hostname !== '';
  if (plain && scheme.test(url.protocol) && (!syslog || /^\/?$/.test(url.pathname))) return url.href;
  const forms = anywhere ? 'https://, http://, syslog+tls:// or syslog://' : 'https:// or syslog+tls://';
  throw new Refusal('invalid', 'drain-address-invalid', `Enter a URL that begins with ${forms}, without a user name.`, {
    field: 'address',
  });
}
