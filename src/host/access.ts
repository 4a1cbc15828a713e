import { parseGroup, titleOf, type Account } from '../domain/access/account.js';
import type { Opening } from '../domain/access/openings.js';
import { newShare, parseFrames, parseShareName, passwordPass, SHARE, type Share } from '../domain/access/pass.js';
import type { Principal } from '../domain/access/principal.js';
import { demandOwner, groupKey, holderOf, personKey, roles, type Role, type Roles } from '../domain/access/roles.js';
import type { App } from '../domain/app/app.js';
import { Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import type { Passwords } from '../store/passwords.js';
import type { Users } from '../store/users.js';

/** A person or a group with a role in an app. */
export interface Holder {
  /** What the role can be taken away by: an e-mail address, `group:sales`, or the id of an account that is gone. */
  who: string;
  /** As pages show it. */
  title: string;
  kind: 'person' | 'group';
  role: Role;
  /** The account, where there is one. */
  account: Account | undefined;
}

export interface AccessOptions {
  store: Pick<AppStore, 'get' | 'update'>;
  users: Pick<Users, 'find' | 'get'>;
  passwords: Pick<Passwords, 'demandGood' | 'hash' | 'try'>;
  now?: () => number;
}

/** Gives people and groups roles in apps, and takes them away. */
export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Who has a role in an app, the highest roles first. @throws Refusal `app-not-found` */
  of(id: string): Holder[] {
    const given = Object.entries(this.#options.store.get(id).roles ?? {}).map(([key, role]) => this.#holder(key, role));
    const place = (holder: Holder): number => roles.indexOf(holder.role);
    return given.sort((a, b) => place(b) - place(a) || a.title.localeCompare(b.title, 'en'));
  }

  /**
   * Gives a person or a group a role, in place of the one that they had.
   * @param who an e-mail address or an account's id, or `group:` with the name of a group
   * @throws Refusal `app-not-found`, `preview-roles`, `user-not-found`, `group-invalid`, `last-owner`
   */
  async grant(id: string, who: string, role: Role): Promise<Holder> {
    const key = this.#keyOf(who);
    await this.#change(id, (given) => ({ ...given, [key]: role }));
    return this.#holder(key, role);
  }

  /** Takes a role away; fine where there is none. @throws Refusal `app-not-found`, `preview-roles`, `user-not-found`, `last-owner` */
  async revoke(id: string, who: string): Promise<void> {
    const key = personKeyIn(this.#options.store.get(id).roles, who) ?? this.#keyOf(who);
    await this.#change(id, (given) => Object.fromEntries(Object.entries(given).filter(([other]) => other !== key)));
  }

  /**
   * Changes who may open an app.
   * @param password for an app that opens with one; undefined keeps the one that it has
   * @throws Refusal `app-not-found`, `preview-roles`, `visit-password-missing`, `password-weak`
   */
  async open(id: string, opens: Opening, password?: string): Promise<void> {
    const { store, passwords } = this.#options;
    demandOwnRoles(store.get(id));
    if (password !== undefined) passwords.demandGood(password, '');
    const hash = opens === 'password' && password !== undefined ? await passwords.hash(password) : undefined;
    await store.update(id, ({ opens: _before, visitPassword, ...app }) => {
      if (opens === 'public') return app;
      if (opens !== 'password') return { ...app, opens };
      const kept = hash ?? visitPassword;
      if (kept !== undefined) return { ...app, opens, visitPassword: kept };
      const sentence = `Choose a password with which visitors open ${id}.`;
      throw new Refusal('invalid', 'visit-password-missing', sentence, { field: 'password' });
    });
  }

  /** What a browser gets that knows an app's password; undefined where it is wrong. @param until ms since 1970 */
  async tryPassword(id: string, password: string, until: number): Promise<string | undefined> {
    const { store, passwords } = this.#options;
    const hashOf = (): string | undefined => {
      const { preview } = store.get(id);
      const whole = preview === undefined ? store.get(id) : store.get(preview.of);
      return whole.opens === 'password' ? whole.visitPassword : undefined;
    };
    const hash = hashOf();
    const { right } = await passwords.try(password, hash);
    // It may have been changed in the meantime.
    return right && hash !== undefined && hash === hashOf() ? passwordPass(id, hash, until) : undefined;
  }

  /** The share links of an app that work, the newest first. */
  shares(id: string): Share[] {
    const now = this.#now();
    return (this.#options.store.get(id).shares ?? []).filter(({ expiresAt }) => expiresAt > now).reverse();
  }

  /**
   * Makes a link that opens one app without an account.
   * @throws Refusal `app-not-found`, `preview-roles`, `share-name-invalid`, `shares-too-many`
   */
  async share(
    id: string,
    input: { name: string; embed: boolean; days?: number | undefined },
    by: Principal,
  ): Promise<{ share: Share; code: string }> {
    const now = this.#now();
    const days = Math.min(input.days ?? SHARE.usualDays, SHARE.mostDays);
    const facts = { name: parseShareName(input.name), embed: input.embed, expiresAt: now + days * 24 * 3_600_000 };
    const made = newShare(facts, by.name, now);
    await this.#options.store.update(id, (app) => {
      demandOwnRoles(app);
      const working = (app.shares ?? []).filter(({ expiresAt }) => expiresAt > now);
      if (working.length < SHARE.most) return { ...app, shares: [...working, made.share] };
      const sentence = `${id} has ${SHARE.most} share links. Revoke some first.`;
      throw new Refusal('conflict', 'shares-too-many', sentence);
    });
    return made;
  }

  /** Ends a share link; open pages that came by it lose their connection. @throws Refusal `app-not-found`, `share-not-found` */
  async unshare(id: string, share: string): Promise<void> {
    await this.#options.store.update(id, (app) => {
      const left = (app.shares ?? []).filter((one) => one.id !== share);
      if (left.length !== app.shares?.length) return { ...app, shares: left };
      throw new Refusal('not-found', 'share-not-found', `There is no share link "${share}".`);
    });
  }

  /** The origins whose pages may frame what a share link opens. */
  framesOf(id: string): readonly string[] {
    return this.#options.store.get(id).frames ?? [];
  }

  /** Changes these origins. @throws Refusal `app-not-found`, `preview-roles`, `origin-invalid`, `origins-too-many` */
  async frame(id: string, origins: readonly string[]): Promise<void> {
    const frames = parseFrames(origins);
    await this.#options.store.update(id, ({ frames: _before, ...app }) => {
      demandOwnRoles(app);
      return frames.length === 0 ? app : { ...app, frames };
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  async #change(id: string, change: (given: Roles) => Roles): Promise<void> {
    await this.#options.store.update(id, (app) => {
      demandOwnRoles(app);
      const after = change(app.roles ?? {});
      demandOwner(app.roles ?? {}, after, id);
      return { ...app, roles: after };
    });
  }

  #keyOf(who: string): string {
    const [, group] = /^group:(.*)$/i.exec(who.trim()) ?? [];
    return group === undefined ? personKey(this.#options.users.get(who).id) : groupKey(parseGroup(group));
  }

  #holder(key: string, role: Role): Holder {
    const { kind, name } = holderOf(key);
    if (kind === 'group') return { who: key, title: name, kind, role, account: undefined };
    const account = this.#options.users.find(name);
    return { who: account?.email ?? name, title: account === undefined ? name : titleOf(account), kind, role, account };
  }
}

/** The key of an account that has a role and is gone. */
function personKeyIn(given: Roles | undefined, id: string): string | undefined {
  const key = personKey(id);
  return given !== undefined && Object.hasOwn(given, key) ? key : undefined;
}

/** Lets nobody change whom a preview trusts: it takes that from its app. @throws Refusal `preview-roles` */
export function demandOwnRoles({ id, preview }: App): void {
  if (preview === undefined) return;
  throw new Refusal(
    'conflict',
    'preview-roles',
    `${id} is a preview and has the roles of ${preview.of}. Change them there.`,
  );
}
