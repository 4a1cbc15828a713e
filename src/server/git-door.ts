import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Visitor } from '../domain/access/visitor.js';
import { TREE_LIMITS } from '../domain/project/tree-limits.js';
import { GitHandler, type GitHandlerOptions } from '../git/handler.js';
import { HookServer } from '../git/hook-server.js';
import { Lfs } from '../git/lfs.js';
import { Pushes } from '../git/pushes.js';
import type { Claims } from '../lib/claims.js';
import type { Logger } from '../logger.js';
import { MARK } from '../runtime/process/marked.js';
import { LfsObjects } from '../store/lfs-objects.js';
import type { Paths } from '../store/paths.js';
import type { Composed } from './compose.js';
import { gitMark } from './data-folder.js';

/** The largest push, in bytes. */
const MAX_PUSH = 2 * 1024 * 1024 * 1024;

export interface GitDoorOptions {
  paths: Paths;
  /** The folder of the program itself. */
  root: string;
  /** Begins the marks of our child processes. */
  mark: string;
  composed: Composed;
  /** The public URL of the platform. */
  publicBase: () => string;
  /** Counts the changes in progress. */
  changes: Claims;
  logger: Logger;
}

/** Builds what answers git's requests, and the other end of its hooks, which does not listen yet. */
export function openGitDoor(
  { paths, root, mark, composed, changes, publicBase, logger }: GitDoorOptions,
  access: Pick<GitHandlerOptions, 'check' | 'attempts' | 'rights' | 'audit'> & {
    visitor: (request: IncomingMessage) => Visitor;
  },
): { git: GitHandler; hooks: HookServer } {
  const { store, deploys, pushed, previews, headStarts, masks, url } = composed;
  const pushes = new Pushes({
    apps: store,
    deploys: {
      inspect: pushed.inspect.bind(pushed),
      request: deploys.request.bind(deploys),
      adoptBranch: pushed.adoptBranch.bind(pushed),
      chooseLayout: pushed.chooseLayout.bind(pushed),
    },
    previews,
    headStarts,
    mask: (app) => masks.forDeploy(app),
    url,
    changes,
    logger,
  });
  const hooks = new HookServer(
    paths.hookSocket,
    (call) => pushes.handle(call),
    (error) => logger.warn({ err: error }, 'git hook failed'),
  );
  const lfs = new Lfs({
    // A preview uses those of its app.
    objects: (app) => new LfsObjects(paths.lfs(store.find(app)?.preview?.of ?? app)),
    begin: pushed.begin.bind(pushed),
    end: (app) => pushed.end(app, true),
    reserve: pushed.reserve.bind(pushed),
    most: TREE_LIMITS.totalBytes,
  });
  const git = new GitHandler({
    ...access,
    lfs,
    url: (request) => urlOf(request, publicBase(), access.visitor(request).proto),
    repositories: {
      find: (app) => (store.find(app) === undefined ? undefined : paths.repository(app)),
      empty: paths.emptyRepository,
      demandPushable: previews.demandPushable.bind(previews),
      begin: pushed.begin.bind(pushed),
      end: pushed.end.bind(pushed),
    },
    pushes,
    env: { ...composed.git.env, [MARK]: gitMark(mark) },
    hooks: join(root, 'hooks'),
    hookSocket: paths.hookSocket,
    maxPush: MAX_PUSH,
    logger,
  });
  return { git, hooks };
}

/** The URL by which a client reached this server: by another name than the public one, as from the same machine, its own. */
function urlOf({ headers: { host } }: IncomingMessage, publicBase: string, proto: string | undefined): string {
  const base = new URL(publicBase);
  const scheme = host === undefined || host === base.host ? base.protocol : `${proto ?? 'http'}:`;
  return `${scheme}//${host ?? base.host}${base.pathname}`.replace(/\/$/, '');
}
