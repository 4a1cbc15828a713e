import { Refusal } from '../../errors.js';
import type { App } from '../app/app.js';
import { isAppVerb, leastRole, rankMay, roleMay, type AppVerb, type ServerVerb, type Verb } from './permissions.js';
import type { Principal } from './principal.js';
import { roleIn, type Role } from './roles.js';

/** Finds apps by their ids. */
interface KnownApps {
  find(id: string): App | undefined;
}

/** Decides who may do what, by the table of permissions: the API, the console and git ask here and nowhere else. */
export class Rights {
  readonly #apps: KnownApps;

  constructor(apps: KnownApps) {
    this.#apps = apps;
  }

  /** The role that somebody has in an app; a preview takes those of its app. */
  roleOf(by: Principal, app: App): Role | undefined {
    if (by.admin === true) return 'owner';
    const whole = app.preview === undefined ? app : this.#apps.find(app.preview.of);
    return roleIn(whole?.roles, by);
  }

  /** Returns whether somebody may do this, to this app where it is done to one. */
  may(by: Principal, verb: ServerVerb): boolean;
  may(by: Principal, verb: AppVerb, app: App): boolean;
  may(by: Principal, verb: Verb, app?: App): boolean {
    if (!isAppVerb(verb)) return rankMay(by.admin === true ? 'admin' : 'member', verb);
    return app !== undefined && roleMay(this.roleOf(by, app), verb);
  }

  /**
   * Lets nobody do what they may not. Somebody without a role in an app is told the same as for an app that does not exist.
   * @param id the app, for what is done to one
   * @throws Refusal `app-not-found`, `role-missing`, `admin-only`
   */
  demand(by: Principal, verb: Verb, id?: string): void {
    if (!isAppVerb(verb)) {
      if (this.may(by, verb)) return;
      throw new Refusal('forbidden', 'admin-only', 'Only an admin can do this. Ask an admin of this server.');
    }
    const app = this.#apps.find(id ?? '');
    const role = app === undefined ? undefined : this.roleOf(by, app);
    if (role === undefined) throw new Refusal('not-found', 'app-not-found', `There is no app "${id ?? ''}".`);
    if (roleMay(role, verb)) return;
    throw new Refusal(
      'forbidden',
      'role-missing',
      `You are a ${role} of ${id ?? ''}. Only its ${leastRole(verb)}s can do this. Ask an owner for that role.`,
    );
  }
}
