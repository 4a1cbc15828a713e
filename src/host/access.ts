import { parseGroup, titleOf, type Account } from '../domain/access/account.js';
import type { Opening } from '../domain/access/openings.js';
import { demandOwner, groupKey, holderOf, personKey, roles, type Role, type Roles } from '../domain/access/roles.js';
import type { App } from '../domain/app/app.js';
import { Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
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

  /** Changes who may open an app. @throws Refusal `app-not-found`, `preview-roles` */
  async open(id: string, opens: Opening): Promise<void> {
    await this.#options.store.update(id, ({ opens: _before, ...app }) => {
      demandOwnRoles(app);
      return opens === 'public' ? app : { ...app, opens };
    });
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

/** @throws Refusal `preview-roles` */
function demandOwnRoles({ id, preview }: App): void {
  if (preview === undefined) return;
  throw new Refusal(
    'conflict',
    'preview-roles',
    `${id} is a preview and has the roles of ${preview.of}. Change them there.`,
  );
}
