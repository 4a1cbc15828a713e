import { rm } from 'node:fs/promises';
import { ensureFolder } from '../lib/ensure-folder.js';
import { APP_ID, idFromName, newApp, parseNewAppId, printable, type App } from '../domain/app/app.js';
import type { Opening } from '../domain/access/openings.js';
import type { Principal } from '../domain/access/principal.js';
import { ownedBy } from '../domain/access/roles.js';
import { changeLayout, type LayoutChange } from '../domain/project/layout.js';
import { Turns } from '../lib/turns.js';
import { Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';
import { Repository } from '../store/repository.js';

/** What a person gives a new app. */
export interface NewApp {
  id?: string;
  name: string;
  description?: string;
  layout?: LayoutChange;
  /** Who makes it, and then owns it; undefined = it belongs to the admins. */
  by?: Principal;
}

export interface NewAppsOptions {
  store: AppStore;
  paths: Paths;
  git: Git;
  turns: Turns;
  /** Who may open an app that somebody makes. */
  opens: Opening;
}

/** Transliterates a name for its id: 销售看板 to XiaoShouKanBan, Продажи to Prodazhi. */
async function inLatin(name: string): Promise<string> {
  if (/^[ -~]*$/.test(name)) return name;
  // Its tables are of no use to most servers.
  const { default: anyAscii } = await import('any-ascii');
  // Letters alone: of an emoji it would write the name.
  return name.replace(/[\p{L}\p{M}]+/gu, anyAscii);
}

/** Creates apps. */
export class NewApps {
  readonly #options: NewAppsOptions;
  /** By id, so that nothing is removed of an app that is being made. */
  readonly #making = new Turns();
  /** What may be left of apps that could not be made. */
  readonly #halfMade = new Set<string>();

  constructor(options: NewAppsOptions) {
    this.#options = options;
  }

  /**
   * Creates an app for a person, under a free id if none is given.
   * @returns its id
   * @throws Refusal `layout-invalid`, `app-name-missing`, `app-name-taken`, `app-id-invalid`, `app-id-reserved`, `app-exists`
   */
  async create(input: NewApp): Promise<string> {
    const name = demandName(input.name);
    const layout = changeLayout({}, input.layout ?? {});
    return this.#inTurn(async () => {
      this.demandFreeName(name, undefined);
      const id = input.id === undefined ? this.#freeId(await inLatin(name)) : parseNewAppId(input.id);
      const app = {
        ...newApp(id, name, new Date(), input.description ?? ''),
        ...(input.by === undefined ? {} : ownedBy(input.by)),
      };
      await this.make(Object.keys(layout).length === 0 ? app : { ...app, layout });
      return id;
    });
  }

  /** Adds an app, one at a time. @throws Refusal `app-exists` */
  async add(app: App): Promise<void> {
    await this.#inTurn(() => this.make(app));
  }

  /**
   * Creates an app and its repository, or neither. A preview's repository borrows its app's objects.
   * @throws Refusal `app-exists`, `app-unreadable`
   */
  async make(app: App): Promise<void> {
    const { store, paths } = this.#options;
    await this.#making.take(app.id, async () => {
      store.demandFree(app.id);
      await ensureFolder(paths.tmp);
      try {
        await this.#removeRest(app.id);
        await this.#makeRepository(app);
        const { opens } = this.#options;
        // A preview opens as its app does.
        await store.create(opens === 'public' || app.preview !== undefined ? app : { ...app, opens });
      } catch (error) {
        this.#halfMade.add(app.id);
        // Why it could not be made is what matters; the rest goes once it can.
        await this.#removeRest(app.id).catch(() => undefined);
        throw error;
      }
    });
  }

  /** Deletes what is left of apps that could not be made, where it could not be deleted at once. */
  async finish(): Promise<void> {
    for (const id of [...this.#halfMade]) await this.#making.take(id, () => this.#removeRest(id));
  }

  /** Only of an app that there is not. */
  async #removeRest(id: string): Promise<void> {
    const { store, paths } = this.#options;
    if (store.find(id) === undefined) await rm(paths.app(id), { recursive: true, force: true });
    this.#halfMade.delete(id);
  }

  async #makeRepository({ id, preview }: App): Promise<void> {
    const { paths } = this.#options;
    await ensureFolder(paths.app(id));
    const repository = this.#repository(id);
    await repository.init(paths.tmp);
    if (preview === undefined) return;
    const parent = this.#repository(preview.of);
    const ref = `refs/heads/${preview.branch}`;
    await repository.borrow(parent);
    await repository.setHead(preview.branch);
    const commit = await parent.resolve(ref);
    if (commit !== undefined) await repository.pointRef(ref, commit);
  }

  /** @param except the app that may have it @throws Refusal `app-name-taken` */
  demandFreeName(name: string, except: string | undefined): void {
    const taken = this.#options.store
      .list()
      .find((app) => app.id !== except && app.name.toLowerCase() === name.toLowerCase());
    if (taken !== undefined) {
      throw new Refusal('conflict', 'app-name-taken', `An app named "${taken.name}" already exists.`, {
        field: 'name',
      });
    }
  }

  /** @throws Refusal `branch-in-the-way` where git cannot have this branch beside those that an app has */
  async demandBranch(id: string, branch: string): Promise<void> {
    const other = await this.#repository(id).branchInTheWay(branch);
    if (other === undefined) return;
    const sentence = `The branch ${printable(branch)} conflicts with the branch ${printable(other)}. Delete that one first, or rename yours.`;
    throw new Refusal('conflict', 'branch-in-the-way', sentence);
  }

  /** Serialises creations, so that two do not find the same id free. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.turns.take(' create', work);
  }

  #freeId(name: string): string {
    const { store } = this.#options;
    const base = idFromName(name);
    for (let number = 1; ; number += 1) {
      const id = number === 1 ? base : `${base}-${number}`;
      if (APP_ID.test(id) && store.find(id) === undefined && !store.leftAlone.has(id)) return id;
    }
  }

  #repository(id: string): Repository {
    return new Repository(this.#options.paths.repository(id), this.#options.git);
  }
}

/** Returns the trimmed name. @throws Refusal `app-name-missing` */
export function demandName(text: string): string {
  const name = text.trim();
  if (name === '')
    throw new Refusal('invalid', 'app-name-missing', 'The name of the app is required.', { field: 'name' });
  return name;
}
