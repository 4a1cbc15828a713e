import { Refusal } from '../../errors.js';
import type { App } from '../app/app.js';
import { listed } from '../../lib/words.js';
import {
  isAppVerb,
  leastRole,
  leastScope,
  rankMay,
  roleMay,
  scopeMay,
  type AppVerb,
  type ServerVerb,
  type Verb,
} from './permissions.js';
import type { Opening } from './openings.js';
import { findShare, passFor, type Pass, type Share } from './pass.js';
import type { Limits, Principal } from './principal.js';
import { roleIn, type Role } from './roles.js';

/** Finds apps by their ids. */
interface KnownApps {
  find(id: string): App | undefined;
}

/** Decides who may do what, by the table of permissions: the API, the console and git ask here and nowhere else. */
export class Rights {
  readonly #apps: KnownApps;
  readonly #membersCreate: boolean;

  /** @param options.membersCreate false where only admins create apps */
  constructor(apps: KnownApps, { membersCreate = true }: { membersCreate?: boolean } = {}) {
    this.#apps = apps;
    this.#membersCreate = membersCreate;
  }

  /** The app with this id, for what asks nothing else of apps. */
  find(id: string): App | undefined {
    return this.#apps.find(id);
  }

  /** The role that somebody has in an app; a preview takes those of its app. */
  roleOf(by: Principal, app: App): Role | undefined {
    if (by.admin === true) return 'owner';
    const whole = this.#whole(app);
    if (whole !== undefined && by.deploys === whole.id) return 'developer';
    return roleIn(whole?.roles, by);
  }

  /** Who may open an app; a preview opens as its app does. */
  openingOf(app: App): Opening {
    const whole = this.#whole(app);
    // The preview of an app that is being deleted.
    return whole === undefined ? 'people' : (whole.opens ?? 'public');
  }

  /** Returns whether there is such an app, and nobody can open it without a login. */
  needsLogin(id: string): boolean {
    const app = this.#apps.find(id);
    return app !== undefined && this.openingOf(app) !== 'public';
  }

  /** Returns whether a visitor may open an app. @param by undefined = not logged in */
  mayOpen(by: Principal | undefined, app: App): boolean {
    const opening = this.openingOf(app);
    if (opening === 'public') return true;
    return by !== undefined && (opening === 'signed-in' || this.may(by, 'open', app));
  }

  /** Returns why a browser may open an app without a role: it has a share link, or knows the password. @param values what it keeps */
  passOf(values: readonly string[], app: App, now: number): Pass | undefined {
    const whole = this.#whole(app);
    return whole === undefined || values.length === 0 ? undefined : passFor(values, app.id, whole, now);
  }

  /** The share link of an app with this code, as long as it works. */
  shareOf(code: string, app: App, now: number): Share | undefined {
    const whole = this.#whole(app);
    return whole === undefined ? undefined : findShare(whole, code, now);
  }

  /** The origins whose pages may frame a page of an app; undefined where all may. @param pass with which the page is opened */
  framesOf(app: App, pass: Pass | undefined): readonly string[] | undefined {
    if (this.openingOf(app) === 'public') return undefined;
    return pass?.embed === true ? (this.#whole(app)?.frames ?? []) : [];
  }

  /** Returns whether somebody may do this, to this app where it is done to one. */
  may(by: Principal, verb: ServerVerb): boolean;
  may(by: Principal, verb: AppVerb, app: App): boolean;
  may(by: Principal, verb: Verb, app?: App): boolean {
    if (lacking(by.limits, verb, app?.preview?.of ?? app?.id) !== undefined) return false;
    if (verb === 'create' && by.admin !== true && !this.#membersCreate) return false;
    if (!isAppVerb(verb)) return rankMay(by.admin === true ? 'admin' : 'member', verb);
    return app !== undefined && roleMay(this.roleOf(by, app), verb);
  }

  /**
   * Lets nobody do what they may not. Somebody without a role in an app is told the same as for an app that does not exist.
   * @param id the app, for what is done to one
   * @throws Refusal `app-not-found`, `role-missing`, `admin-only`, `scope-missing`, `token-app-missing`
   */
  demand(by: Principal, verb: Verb, id?: string): void {
    // Before it is looked for an app: a token that is not for it learns nothing of it.
    const lacks = lacking(by.limits, verb, this.#apps.find(id ?? '')?.preview?.of ?? id);
    if (lacks !== undefined) throw lacks;
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

  /** The app that decides: of a preview, its own one; undefined where that is being deleted. */
  #whole(app: App): App | undefined {
    return app.preview === undefined ? app : this.#apps.find(app.preview.of);
  }
}

/** What a token that is limited to some apps may do to the server all the same. */
const HARMLESS: readonly Verb[] = ['me', 'list'];

/** Why a token may not do this, whatever its person may; undefined where it may. @param app the app, of a preview its own one */
function lacking(limits: Limits | undefined, verb: Verb, app: string | undefined): Refusal | undefined {
  if (limits === undefined) return undefined;
  if (!scopeMay(limits.scope, verb)) {
    const sentence = `This token has the scope ${limits.scope}, and this needs ${leastScope(verb)}. Create a token with that scope.`;
    return new Refusal('forbidden', 'scope-missing', sentence);
  }
  if (limits.apps === undefined || HARMLESS.includes(verb)) return undefined;
  if (isAppVerb(verb) && app !== undefined && limits.apps.includes(app)) return undefined;
  const sentence = `This token is only for ${listed(limits.apps, 5)}. Create one that is for more.`;
  return new Refusal('forbidden', 'token-app-missing', sentence);
}
