import type { Identity } from '../domain/access/identity.js';
import type { Principal } from '../domain/access/principal.js';
import type { Pass } from '../domain/access/pass.js';
import type { Rights } from '../domain/access/rights.js';
import type { App } from '../domain/app/app.js';
import type { People } from '../host/people.js';
import { sessionFrom, type Access } from './session.js';
import { passesIn, type Base } from './session-cookie.js';

/** Whether a browser may open an app, and who it is logged in as. */
export interface Admission {
  may: boolean;
  /** Who it is logged in as, also with the admin token, which is nobody in particular. */
  by: Principal | undefined;
  identity: Identity | undefined;
  /** True where the password of the app would open it. */
  asksPassword: boolean;
  /** Why it may without a role. */
  pass: Pass | undefined;
  /** The origins whose pages may frame it; undefined where all may. */
  frames: readonly string[] | undefined;
}

export interface AdmitOptions {
  rights: Rights;
  sessions: Access['sessions'];
  people: Pick<People, 'principal' | 'identity'>;
  base: () => Base;
}

/** Decides who may open which app, by the session that a browser's cookies name. */
export function admitter({
  rights,
  sessions,
  people,
  base,
}: AdmitOptions): (cookie: string | undefined, app: App) => Admission {
  return (cookie, app) => {
    const where = base();
    const by = cookie === undefined ? undefined : sessionFrom(cookie, { sessions, people }, where)?.principal;
    const pass = cookie === undefined ? undefined : rights.passOf(passesIn(cookie, where), app, Date.now());
    return {
      may: pass !== undefined || rights.mayOpen(by, app),
      by,
      identity: by?.account === undefined ? undefined : people.identity(by.account),
      asksPassword: rights.openingOf(app) === 'password',
      pass,
      frames: rights.framesOf(app, pass),
    };
  };
}
