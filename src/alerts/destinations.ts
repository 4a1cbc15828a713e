import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Principal } from '../domain/access/principal.js';
import { emailOf } from '../domain/access/email.js';
import { Refusal } from '../errors.js';
import { newEntryId } from '../lib/entry-id.js';
import { parseUrl } from '../lib/parse-url.js';
import { fitsHeader } from '../lib/reach.js';
import { SealedList } from '../store/sealed-list.js';
import type { Vault } from '../store/vault.js';
import { kinds, type Kind } from './formats.js';
import { ruleNames, type Rule } from './rules.js';

/** How many destinations an app or the machine may have. */
const MAX = 20;
/** The name of the encrypted file, without its ending. */
const FILE = 'destinations';

const destinationSchema = z.object({
  id: z.string(),
  kind: z.enum(kinds),
  /** What people call it; empty for none. */
  name: z.string(),
  /** An email address or a URL, which may open something by itself. */
  address: z.string(),
  /** What messages are signed with, or the token of the service. */
  secret: z.string().optional(),
  /** The rules that it is told of; not there = all. */
  rules: z.array(z.enum(ruleNames)).optional(),
  /** True where an admin added it: it may be in a private network. */
  anywhere: z.boolean(),
  createdAt: z.string(),
  createdBy: z.string(),
});

/** Where alerts are sent to. */
export type Destination = z.infer<typeof destinationSchema>;

/** What a person says of a new one. */
export interface NewDestination extends Pick<Destination, 'kind' | 'address'> {
  name?: string | undefined;
  secret?: string | undefined;
  rules?: Destination['rules'] | undefined;
}

/** Where alerts of apps and of the machine are sent to. Addresses and secrets are encrypted on disk. */
export class Destinations {
  readonly #lists: SealedList<Destination>;

  constructor(vault: Pick<Vault, 'read' | 'write'>) {
    this.#lists = new SealedList(vault, FILE, destinationSchema);
  }

  /** Reads those of an app or the machine. @throws Refusal those of the vault */
  of(owner: string): Promise<readonly Destination[]> {
    return this.#lists.of(owner);
  }

  /** Those that were read, which are all that there are. */
  known(owner: string): readonly Destination[] {
    return this.#lists.known(owner);
  }

  /**
   * Adds one. A webhook is given a secret, by which its receiver knows that messages come from here.
   * @param by who adds it @param anywhere true where it may be in a private network
   * @throws Refusal `destination-address-invalid`, `destination-secret-invalid`, `destinations-too-many`, those of the vault
   */
  async add(owner: string, input: NewDestination, by: Principal, anywhere: boolean): Promise<Destination> {
    const address = parseDestination(input.kind, input.address.trim(), anywhere);
    const secret = input.kind === 'webhook' ? newSecret() : input.secret?.trim();
    if (secret !== undefined && !fitsHeader(secret)) {
      const sentence = 'Enter a secret of letters, digits and symbols, without spaces.';
      throw new Refusal('invalid', 'destination-secret-invalid', sentence, { field: 'secret' });
    }
    const added: Destination = {
      ...{ id: newEntryId(), kind: input.kind, name: input.name?.trim() ?? '', address, anywhere },
      ...(secret === undefined || secret === '' ? {} : { secret }),
      ...(input.rules === undefined ? {} : { rules: input.rules }),
      ...{ createdAt: new Date().toISOString(), createdBy: by.name },
    };
    await this.#lists.change(owner, (before) => {
      if (before.length < MAX) return [...before, added];
      throw new Refusal(
        'conflict',
        'destinations-too-many',
        `There can be at most ${MAX} destinations. Remove one first.`,
      );
    });
    return added;
  }

  /** @throws Refusal `destination-not-found`, those of the vault */
  async remove(owner: string, id: string): Promise<void> {
    await this.#lists.change(owner, (before) => {
      demand(before, id);
      return before.filter((one) => one.id !== id);
    });
  }

  /** @throws Refusal `destination-not-found`, those of the vault */
  async get(owner: string, id: string): Promise<Destination> {
    return demand(await this.of(owner), id);
  }

  /** Forgets those of an app that is gone, with its files. */
  forget(owner: string): void {
    this.#lists.forget(owner);
  }
}

/** Returns whether a destination is told of a rule. */
export function wants({ rules }: Pick<Destination, 'rules'>, rule: Rule): boolean {
  return rules === undefined || rules.includes(rule);
}

/** What may be shown of an address: a URL's path often is all that is needed to post there. */
export function shownAddress({ kind, address }: Pick<Destination, 'kind' | 'address'>): string {
  return kind === 'email' ? address : (parseUrl(address)?.host ?? '');
}

function demand(all: readonly Destination[], id: string): Destination {
  const found = all.find((one) => one.id === id);
  if (found !== undefined) return found;
  throw new Refusal('not-found', 'destination-not-found', `There is no destination "${id}".`);
}

/** Returns the address of a destination, as it is kept. @throws Refusal `destination-address-invalid` */
export function parseDestination(kind: Kind, text: string, anywhere: boolean): string {
  if (kind === 'email') {
    const email = emailOf(text);
    if (email !== undefined) return email;
    throw invalid('Enter an email address, such as ada@example.com.');
  }
  const url = parseUrl(text);
  const scheme = anywhere ? /^https?:$/ : /^https:$/;
  const form = anywhere ? 'https:// or http://' : 'https://';
  if (url === undefined || !scheme.test(url.protocol) || url.username !== '' || url.password !== '')
    throw invalid(`Enter a URL that begins with ${form}, without a user name.`);
  if (kind === 'ntfy' && !/[^/]/.test(url.pathname))
    throw invalid('Enter a URL with a topic, such as https://ntfy.sh/my-topic.');
  url.hash = '';
  return url.href;
}

function invalid(message: string): Refusal {
  return new Refusal('invalid', 'destination-address-invalid', message, { field: 'address' });
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}
