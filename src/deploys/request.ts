import type { Principal } from '../domain/access/principal.js';
import { findRelease, type App } from '../domain/app/app.js';
import type { Release } from '../domain/app/release.js';
import type { Layout } from '../domain/project/layout.js';

/** A request to deploy a commit. */
export interface DeployRequest {
  app: string;
  commit: string;
  branch: string;
  by: Principal;
  source: Release['source'];
  /** The folder of an in-place app, which is deployed instead of its repository, and the reason for the deploy. */
  folder?: { dir: string; why: string };
  /** The commit at which the requester last saw the branch, or null for none. Omitted = do not check. */
  seen?: string | null;
  /** How long (minutes) the previous release is kept for its open pages. Omitted = as the app is set. */
  drainMinutes?: number;
  /** Installs all packages again, at their newest versions, instead of using what was installed for the same list. */
  fresh?: boolean;
  /** The release to roll back to, with its environment; a rollback restores its config as well. */
  of?: Release;
}

/** What is looked up for a request. */
export interface Found {
  /** The commit's subject, or why it is deployed. */
  message: string;
  /** Where its branch was before. */
  previous: string | undefined;
  folder: Release['folder'];
  /** Where the app's files are in the project, as it is set now. */
  layout: Layout | undefined;
  now: Date;
}

/** Returns the folder that a request deploys instead of a repository; undefined if none. */
export function folderOf({ folder, of }: DeployRequest): Release['folder'] {
  return folder === undefined ? of?.folder : { dir: folder.dir };
}

/** Returns the queued release that a request adds to an app. */
export function queuedRelease(request: DeployRequest, app: App, found: Found): Release {
  const { message, previous, folder, layout, now } = found;
  return {
    number: app.lastRelease + 1,
    commit: request.commit,
    branch: request.branch,
    source: request.source,
    by: request.by.name,
    message: message.slice(0, 200),
    state: 'queued',
    createdAt: now.toISOString(),
    config: request.source === 'rollback' ? (request.of?.config ?? 0) : app.config,
    ...(previous === undefined ? {} : { previous }),
    ...(request.drainMinutes === undefined ? {} : { drainMinutes: request.drainMinutes }),
    ...(folder === undefined ? {} : { folder }),
    ...freshness(request, app, now),
    ...(request.of === undefined ? layoutNow(layout) : broughtBack(request.of)),
  };
}

/** What a rollback takes over from the release it rolls back to. */
function broughtBack(release: Release): Partial<Release> {
  const { number, layout, root, options, entrypoint, environment, lock } = release;
  return {
    of: number,
    ...(layout && { layout }),
    ...(root !== undefined && { root }),
    ...(options && { options }),
    ...(entrypoint && { entrypoint }),
    ...(environment && { environment }),
    ...(lock && { lock }),
  };
}

/** Whose packages a release uses: those of the live one, or of the one that it brings back, unless new ones are wanted. */
function freshness({ fresh, of }: DeployRequest, app: App, now: Date): Pick<Release, 'fresh'> {
  const since = fresh === true ? now.toISOString() : (of ?? findRelease(app, app.live))?.fresh;
  return since === undefined ? {} : { fresh: since };
}

function layoutNow(layout: Layout | undefined): Pick<Release, 'layout'> {
  return layout === undefined ? {} : { layout };
}
