import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Account } from '../domain/access/account.js';
import { browserOf } from '../domain/access/browser.js';
import type { Claims } from '../domain/access/provider-login.js';
import {
  invalid,
  onlyValue,
  personIn,
  SECRET_HEADER,
  TRUSTED_PROXY,
  type ProxyLogin,
} from '../domain/access/proxy-login.js';
import { Refusal } from '../errors.js';
import type { People } from '../host/people.js';
import { sameSecret } from '../store/sessions.js';
import { takeSession, type Access } from './session.js';
import { sessionCookie, sessionsIn, withoutSession, type Base } from './session-cookie.js';

export interface ProxyLoginsOptions {
  /** undefined where no proxy logs anybody in. */
  login: ProxyLogin | undefined;
  sessions: Access['sessions'];
  audit: Access['audit'];
  people: Pick<People, 'find' | 'logInWith' | 'principal'>;
  base: () => Base;
  /** Whether an address is that of a trusted proxy. */
  trusts: (address: string) => boolean;
  /** The visitor's address. */
  addressOf: (request: IncomingMessage) => string;
}

/**
 * Logs in whom a proxy in front names. Each gets an ordinary session, which counts only in requests in which the proxy names the
 * same person in the same groups (docs/decisions/0024-proxy-logins.md).
 */
export class ProxyLogins {
  readonly #options: ProxyLoginsOptions;
  /** Whom the proxy names in a request, or why nobody can be logged in by that. */
  readonly #said = new WeakMap<IncomingMessage, Claims | Refusal>();

  constructor(options: ProxyLoginsOptions) {
    this.#options = options;
  }

  /**
   * Takes the proxy's headers out of a request before anything else reads it, and the sessions that they do not confirm. May be
   * called again with the same request, whose raw headers stay.
   */
  screen(request: IncomingMessage): void {
    const { login, people, sessions, base } = this.#options;
    if (login === undefined) return;
    const said = this.#read(request, login);
    if (said === undefined) this.#said.delete(request);
    else this.#said.set(request, said);
    for (const name of [...Object.values(login.headers), SECRET_HEADER])
      if (name !== undefined) delete request.headers[name];
    const { cookie = '' } = request.headers;
    for (const id of sessionsIn(cookie, base())) {
      const owner = sessions.ownerOf(id);
      if (owner?.provider !== TRUSTED_PROXY) continue;
      const account = owner.account === undefined ? undefined : people.find(owner.account);
      if (said !== undefined && !(said instanceof Refusal) && isSame(account, said)) continue;
      request.headers.cookie = withoutSession(request.headers.cookie ?? '', id, base());
      // Somebody else uses this browser now, or may do other things.
      if (said !== undefined) void sessions.end(id);
    }
  }

  /** Begins a session for who opens a page without one. @returns undefined where there is nothing to wait for */
  welcome(request: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
    const said = this.#said.get(request);
    if (said === undefined || said instanceof Refusal || !opensPage(request)) return undefined;
    const { sessions, people, base } = this.#options;
    const open = sessionsIn(request.headers.cookie ?? '', base()).some((id) => {
      const owner = sessions.ownerOf(id);
      return owner !== undefined && (owner.account === undefined || people.principal(owner.account) !== undefined);
    });
    return open ? undefined : this.#logIn(request, response, said);
  }

  /** Why the person whom the proxy names cannot be logged in; undefined where that is not so. */
  refusalOf(request: IncomingMessage): Refusal | undefined {
    const said = this.#said.get(request);
    return said instanceof Refusal ? said : undefined;
  }

  /** What the login page shows: where the proxy names somebody, a way to log in as them, and to log out there. */
  offer(request: IncomingMessage): { name: string; logoutUrl: string | undefined } | undefined {
    const { login } = this.#options;
    return login === undefined || !this.#said.has(request) ? undefined : login;
  }

  #read(request: IncomingMessage, login: ProxyLogin): Claims | Refusal | undefined {
    if (!this.#options.trusts(request.socket.remoteAddress ?? '')) return undefined;
    try {
      const person = personIn(request.rawHeaders, login);
      const proven =
        login.secret === undefined || sameSecret(onlyValue(request.rawHeaders, SECRET_HEADER) ?? '', login.secret);
      return person === undefined || proven ? person : invalid(SECRET_HEADER);
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  async #logIn(request: IncomingMessage, response: ServerResponse, said: Claims): Promise<void> {
    const { login, people, base, addressOf } = this.#options;
    if (login === undefined) return;
    try {
      const owner = { ...(await people.logInWith(login, said)), provider: TRUSTED_PROXY };
      const { cookie = '', 'user-agent': agent = '' } = request.headers;
      const at = { from: addressOf(request), browser: browserOf(agent) };
      const id = await takeSession(this.#options, owner, sessionsIn(cookie, base()), at);
      const made = sessionCookie(id, base());
      response.setHeader('set-cookie', [made]);
      request.headers.cookie = [made.split(';', 1)[0], cookie].filter((one) => one !== '').join('; ');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // The login page says so; what everybody may open, they may open as well.
      this.#said.set(request, error);
    }
  }
}

/** Returns whether a request may begin a session. */
export function mayLogIn(request: IncomingMessage, login: ProxyLogin | undefined): boolean {
  const name = login?.headers.email;
  return name !== undefined && opensPage(request) && request.rawHeaders.some((text) => text.toLowerCase() === name);
}

function isSame(account: Account | undefined, { email, groups }: Claims): boolean {
  if (account === undefined || account.email !== email) return false;
  return groups === undefined || [...groups].sort().join() === [...account.groups].sort().join();
}

/** Returns whether the browser itself opens a page: a login is for that alone, not for who has just logged out or has a link. */
function opensPage({ method, url = '', headers }: IncomingMessage): boolean {
  const [mode, dest] = [headers['sec-fetch-mode'] ?? 'navigate', headers['sec-fetch-dest'] ?? 'document'];
  const html = headers.accept?.includes('text/html') === true;
  const own = /^\/console\/login\/?\?(.*&)?(left|code)=/i.test(url);
  return method === 'GET' && mode === 'navigate' && dest === 'document' && html && !own;
}
