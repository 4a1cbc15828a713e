import type { IncomingMessage, ServerResponse } from 'node:http';
import { isBrowser } from '../domain/access/browser.js';
import { authenticate, type CheckToken, type Principal } from '../domain/access/principal.js';
import type { Rights } from '../domain/access/rights.js';
import type { Audit } from '../host/audit.js';
import type { Visitor } from '../domain/access/visitor.js';
import { parseAppId } from '../domain/app/app.js';
import { isPreviewId } from '../domain/app/preview.js';
import { TooManyAttempts, type Attempts } from '../domain/access/attempts.js';
import { hasCode, messageOf, Refusal, refusalOf } from '../errors.js';
import type { Lfs } from './lfs.js';
import { serveLfs } from './lfs-door.js';
import { pkt, FLUSH } from './pkt.js';
import type { Pushes } from './pushes.js';
import { GitService, type GitServiceOptions, type Service } from './service.js';

/** How long a client may be silent during a request, in ms. */
const IDLE_MS = 10 * 60_000;
/** The repositories, for the git handler. */
export interface GitRepositories {
  /** Returns the repository's folder if the app exists. */
  find(app: string): string | undefined;
  /** The folder of an empty repository, served before the first push to an app that does not exist yet. */
  empty: string;
  /** @throws Refusal where nobody can push to this app */
  demandPushable(app: string): void;
  /** Creates the app named by a first push. */
  begin(app: string, by: Principal): Promise<string>;
  /**
   * Called after every push: deletes an app that was created for it and got nothing.
   * @param follows true where git only asked whether it may push, and the push itself may follow
   */
  end(app: string, follows: boolean): Promise<void>;
}

export interface GitHandlerOptions extends GitServiceOptions {
  check: CheckToken;
  attempts: Attempts;
  /** Returns the visitor of a request. */
  visitor: (request: IncomingMessage) => Pick<Visitor, 'address'>;
  repositories: GitRepositories;
  /** Decides who may do what. */
  rights: Pick<Rights, 'demand'>;
  /** Writes down who did what. */
  audit: Pick<Audit, 'pass' | 'login'>;
  pushes: Pushes;
  lfs: Lfs;
  /** Returns the URL by which a client reached this server, without a slash at its end. */
  url: (request: IncomingMessage) => string;
  /** The unix socket of the hook server. */
  hookSocket: string;
  logger: { warn(facts: object, text: string): void; error(facts: object, text: string): void };
}

/**
 * Serves git's smart HTTP (https://git-scm.com/docs/http-protocol) with git's own upload-pack and receive-pack. Every
 * request is authenticated first, names are checked against an allowlist, and bodies are streams.
 */
export class GitHandler {
  readonly #options: GitHandlerOptions;
  readonly #service: GitService;

  constructor(options: GitHandlerOptions) {
    this.#options = options;
    this.#service = new GitService(options);
  }

  /** Answers one request. @param query with its "?", or empty */
  handle(request: IncomingMessage, response: ServerResponse, path: string, query: string): void {
    this.#handle(request, response, path, query).catch((error: unknown) => {
      if (hasLeft(request, response, error))
        this.#options.logger.warn({ path, error: messageOf(error) }, 'a git client disconnected');
      else if (!(error instanceof Refusal)) this.#options.logger.error({ path, err: error }, 'a git request failed');
      const refusal = refusalOf(error);
      if (response.headersSent || response.destroyed) response.destroy();
      else if (refusal !== undefined) {
        if (refusal instanceof TooManyAttempts) response.setHeader('retry-after', refusal.retryAfter);
        say(request, response, refusal.status, refusal.message);
      } else say(request, response, 500, 'Internal error; see the server log.');
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse, path: string, query: string): Promise<void> {
    // Who logs in with a browser lends the login to every page of the origin: an app's script could clone and push with it.
    if (isBrowser(request.headers))
      return say(request, response, 403, 'This URL is for git. To browse the files, open the console.');
    const principal = this.#whoAsks(request);
    if (principal === undefined) {
      response.setHeader('www-authenticate', 'Basic realm="streamlit-host", charset="UTF-8"');
      return say(request, response, 401, 'Log in with any user name and your token as the password.');
    }
    const stored = /^\/git\/([^/]+?)(?:\.git)?\/(info\/lfs(?:\/.*)?)$/.exec(path);
    if (stored !== null) {
      request.setTimeout(IDLE_MS, () => request.destroy());
      const asked = { id: stored[1] ?? '', rest: stored[2] ?? '', by: principal };
      const demand = this.#demand.bind(this);
      return serveLfs({ ...this.#options, demand }, request, response, asked);
    }
    const match = /^\/git\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(path);
    if (match === null) return say(request, response, 404, 'Not found. App repositories are at /git/<id>.git.');
    const app = parseAppId(match[1] ?? '');
    const pushes = match[2] === 'git-receive-pack' || /[?&]service=git-receive-pack\b/.test(query);
    const { audit, visitor, repositories } = this.#options;
    const verb = !pushes ? 'files' : repositories.find(app) === undefined ? 'create' : 'push';
    await audit.pass(
      {
        ...{ by: principal, door: 'git', from: visitor(request).address, verb, app },
        ...{ what: pushes ? 'push' : 'clone', reads: match[2] !== 'git-receive-pack' },
      },
      async () => {
        if (pushes) repositories.demandPushable(app);
        request.setTimeout(IDLE_MS, () => request.destroy());
        if (match[2] !== 'info/refs')
          return { status: await this.#serve(request, response, app, match[2] as Service, principal) };
        await this.#advertise(request, response, app, new URLSearchParams(query).get('service'));
        return { status: response.statusCode };
      },
      () => this.#demand(principal, app, pushes),
    );
  }

  /** @throws Refusal where somebody may not read or push to the repository; `app-not-found` where they may not know of the app */
  #demand(by: Principal, app: string, pushes: boolean): void {
    const { rights, repositories } = this.#options;
    const exists = repositories.find(app) !== undefined;
    if (pushes && !exists) return rights.demand(by, 'create');
    try {
      rights.demand(by, pushes ? 'push' : 'files', app);
    } catch (error) {
      // In the same words as where there is none.
      if (!pushes && error instanceof Refusal && error.code === 'app-not-found') throw noApp(app);
      throw error;
    }
    if (!exists) throw noApp(app);
  }

  /** @throws Refusal where an address has guessed too often */
  #whoAsks(request: IncomingMessage): Principal | undefined {
    const { authorization } = request.headers;
    // git asks without credentials first, every time: that does not count as a guess.
    if (authorization === undefined) return undefined;
    const { attempts, check } = this.#options;
    const { address } = this.#options.visitor(request);
    const principal = authenticate(authorization, check);
    // The right token always passes: behind a proxy everybody has the guesser's address.
    if (principal !== undefined) return principal;
    this.#options.audit.login({ who: undefined, door: 'git', from: address, what: 'token' }, 'refused');
    attempts.count(address);
    return undefined;
  }

  async #advertise(
    request: IncomingMessage,
    response: ServerResponse,
    app: string,
    service: string | null,
  ): Promise<void> {
    if (request.method !== 'GET') return say(request, response, 405, 'Only GET is allowed.');
    if (service !== 'git-upload-pack' && service !== 'git-receive-pack') {
      return say(request, response, 403, "Only git's smart protocol is supported. Your git is too old.");
    }
    const known = this.#options.repositories.find(app);
    if (known === undefined && service === 'git-upload-pack') throw noApp(app);
    const version = protocolOf(request);
    const folder = known ?? this.#options.repositories.empty;
    const git = await this.#service.start(service, folder, { args: ['--http-backend-info-refs'], version });
    response.writeHead(200, {
      'content-type': `application/x-${service}-advertisement`,
      'cache-control': 'no-cache, max-age=0, must-revalidate',
    });
    if (!(service === 'git-upload-pack' && version === 'version=2')) {
      response.write(Buffer.concat([pkt(`# service=${service}\n`), FLUSH]));
    }
    git.feedNothing();
    await git.answer(response);
    response.end();
  }

  /** @returns the status that the audit log has for it */
  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    app: string,
    service: Service,
    by: Principal,
  ): Promise<number> {
    const deny = (status: number, text: string): number => {
      say(request, response, status, text);
      return status;
    };
    if (request.method !== 'POST') return deny(405, 'Only POST is allowed.');
    if (request.headers['content-type'] !== `application/x-${service}-request`) {
      return deny(415, `Only application/x-${service}-request is supported.`);
    }
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'x-gzip') {
      return deny(415, 'Only gzip encoding is supported.');
    }
    const { repositories, pushes } = this.#options;
    const push = service === 'git-receive-pack';
    const secret = push ? pushes.open(app, by) : '';
    let [begun, refused] = [false, false];
    try {
      const folder = push ? await repositories.begin(app, by) : repositories.find(app);
      if (folder === undefined) throw noApp(app);
      begun = push;
      const hooks: Record<string, string> = push
        ? { STREAMLIT_HOST_HOOKS: this.#options.hookSocket, STREAMLIT_HOST_PUSH: secret, REMOTE_USER: by.name }
        : {};
      const git = await this.#service.start(service, folder, { version: protocolOf(request), env: hooks });
      response.writeHead(200, { 'content-type': `application/x-${service}-result`, 'cache-control': 'no-cache' });
      response.flushHeaders();
      // A pusher who leaves does not end the deploy; a cloner who leaves ends the clone.
      if (!push) response.once('close', () => git.stop());
      const fed = git.feed(request, encoding !== 'identity', (chunk) => push && pushes.receive(secret, chunk));
      const whole = await git.answer(response);
      await fed;
      // Not ended as if it were whole: git would wait for the rest of it, or take it for a success.
      if (!whole) response.destroy();
    } finally {
      if (push) refused = pushes.close(secret).refused;
      // Before a large push, git sends a flush packet alone to see whether it may log in.
      if (begun) await repositories.end(app, request.headers['content-length'] === String(FLUSH.length));
    }
    // Not before: once the pusher sees the end, everything is in its final state.
    response.end();
    // git answers 200 to a push that nothing came of.
    return refused ? 422 : response.statusCode;
  }
}

/** What streams say of a connection whose other end has gone. */
const GONE = ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'];

/** Returns whether a request failed only because its client has left. */
function hasLeft(request: IncomingMessage, response: ServerResponse, error: unknown): boolean {
  const gone = (request.destroyed && !request.complete) || response.destroyed;
  return gone && GONE.some((code) => hasCode(error, code));
}

function noApp(app: string): Refusal {
  const how = isPreviewId(app)
    ? 'With previews on, pushing its branch to its app creates it'
    : 'Create it with git push';
  return new Refusal('not-found', 'app-not-found', `There is no app "${app}" yet. ${how}.`);
}

/** Returns the protocol version that the client asks for, if git itself would send it. */
function protocolOf(request: IncomingMessage): string {
  const header = request.headers['git-protocol'];
  return typeof header === 'string' && /^version=[0-2]$/.test(header) ? header : '';
}

/** Answers with text/plain, which git shows at the terminal. */
function say(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
  request.resume();
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(`${text}\n`);
}
