import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../domain/access/principal.js';
import type { Visitor } from '../domain/access/visitor.js';
import { parseAppId } from '../domain/app/app.js';
import { refusalOf } from '../errors.js';
import type { Audit } from '../host/audit.js';
import { answerJson, lfsRouteOf, type Lfs } from './lfs.js';

/** How many characters of the hash of a stored file the audit log shows. */
const SHOWN = 12;

/** What lets requests in to what Git LFS stores. */
export interface LfsDoor {
  lfs: Lfs;
  repositories: { find(app: string): string | undefined; demandPushable(app: string): void };
  audit: Pick<Audit, 'pass'>;
  visitor: (request: IncomingMessage) => Pick<Visitor, 'address'>;
  /** Returns the URL by which a client reached this server, without a slash at its end. */
  url: (request: IncomingMessage) => string;
  /** @throws Refusal where somebody may not read or push to the repository */
  demand: (by: Principal, app: string, pushes: boolean) => void;
}

/** A request of git-lfs: the app it names, what is asked below `/git/<id>.git/`, and who asks. */
export interface LfsAsked {
  id: string;
  rest: string;
  by: Principal;
}

/**
 * Answers a request of git-lfs, by the same rights as one of git. A refusal is told in the form that git-lfs shows.
 * @throws Error where it fails for another reason
 */
export async function serveLfs(
  door: LfsDoor,
  request: IncomingMessage,
  response: ServerResponse,
  asked: LfsAsked,
): Promise<void> {
  try {
    await answer(door, request, response, asked);
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined || response.headersSent) throw error;
    response.setHeader('connection', 'close');
    answerJson(request, response, refusal.status, { message: refusal.message });
  }
}

async function answer(
  { audit, visitor, repositories, lfs, url, demand }: LfsDoor,
  request: IncomingMessage,
  response: ServerResponse,
  { id, rest, by }: LfsAsked,
): Promise<void> {
  const app = parseAppId(id);
  const route = lfsRouteOf(rest);
  const batch = route.kind === 'batch' && request.method === 'POST' ? await lfs.readBatch(request) : undefined;
  const pushes = batch?.operation === 'upload' || request.method === 'PUT';
  const verb = !pushes ? 'files' : repositories.find(app) === undefined ? 'create' : 'push';
  const stores = route.kind === 'object' && request.method === 'PUT' ? route.oid : undefined;
  await audit.pass(
    {
      ...{ by, door: 'git', from: visitor(request).address, verb, app },
      ...{ what: 'lfs', reads: stores === undefined },
    },
    async () => {
      if (pushes) repositories.demandPushable(app);
      if (batch !== undefined)
        await lfs.answerBatch(request, response, { app, base: `${url(request)}/git/${app}.git/info/lfs`, batch });
      else if (stores !== undefined) await lfs.receive(request, response, { app, oid: stores, by });
      else if (route.kind === 'object' && request.method === 'GET') await lfs.send(response, app, route.oid);
      else answerJson(request, response, 404, { message: 'This server stores files for Git LFS, and no locks.' });
      return { status: response.statusCode, about: stores?.slice(0, SHOWN) };
    },
    () => demand(by, app, pushes),
  );
}
