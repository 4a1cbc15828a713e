import { z } from 'zod';
import { folderSchema } from '../in-place/place.js';
import { releaseCageSchema } from '../project/app-cage.js';
import { appOptionsSchema } from '../streamlit/options.js';
import { layoutSchema } from '../project/layout.js';

/**
 * The states of a release, in the order a good one goes through them:
 * queued → building → starting → live → draining → retired.
 * `failed`, `superseded` and `cancelled` are the three ways not to become live.
 */
export const releaseStates = [
  'queued',
  'building',
  'starting',
  'live',
  'draining',
  'retired',
  'failed',
  'superseded',
  'cancelled',
] as const;

/** How far a release is. */
export type ReleaseState = (typeof releaseStates)[number];

/** Where a release's commit came from. */
export const releaseSources = ['push', 'upload', 'edit', 'redeploy', 'rollback', 'config', 'folder'] as const;

/** What a deploy spends its time on, in this order. A rollback has no check, and an in-place app with its own environment no install. */
export const phaseNames = ['checkout', 'environment', 'start', 'check'] as const;

export type PhaseName = (typeof phaseNames)[number];

export const phaseSchema = z.object({ name: z.enum(phaseNames), ms: z.number().int().nonnegative() });

/** A part of a deploy, and how long it took. */
export type Phase = z.infer<typeof phaseSchema>;

/** A release in its app's record. */
export const releaseSchema = z.object({
  /** 1, 2, 3 … per app; never used twice. */
  number: z.number().int().positive(),
  /** The full commit id; of an app in place, a digest of its code at that time. */
  commit: z.string(),
  branch: z.string(),
  source: z.enum(releaseSources),
  /** Who asked for it. */
  by: z.string(),
  /** The commit's subject line. */
  message: z.string(),
  state: z.enum(releaseStates),
  /** Why it failed, in one sentence. */
  reason: z.string().optional(),
  createdAt: z.string(),
  /** When the deploy ended, either way. */
  finishedAt: z.string().optional(),
  /** What the deploy spent its time on, until it ended; in the last phase of a deploy that failed is what went wrong. */
  phases: z.array(phaseSchema).optional(),
  /** Where in the repository the app is, as said when this was asked for. */
  layout: layoutSchema.optional(),
  /** The folder of the source in which it runs, where it is not the source itself. */
  root: z.string().optional(),
  /** The file Streamlit runs, relative to the folder in which it runs. */
  entrypoint: z.string().optional(),
  /** The hash that names the environment, where it is one of ours. */
  environment: z.string().optional(),
  /** Names the list of that environment's exact packages. */
  lock: z.string().optional(),
  /** When its packages were asked for again, whatever was installed for the same list before; later releases keep to it. */
  fresh: z.string().optional(),
  /** The version of the app's config that it runs with; not told = none, as before there was any. */
  config: z.number().int().optional(),
  /** For how long (minutes) the release before is kept for its open pages once this one is live; not told = as the app says. */
  drainMinutes: z.number().nonnegative().optional(),
  /** The most memory (MB) that its processes may use; not told = as the server says. */
  memoryLimitMb: z.number().int().positive().optional(),
  /** What it asks of its cage, where it asks for something. */
  cage: releaseCageSchema.optional(),
  /** What its config.toml chooses of Streamlit's options. */
  options: appOptionsSchema.optional(),
  /** What it runs from where it has no source of its own: an app in place. */
  folder: folderSchema.optional(),
  /** The release that this one brings back. */
  of: z.number().int().positive().optional(),
  /** Where the branch stood when this was asked for; it moves to the commit once the release is live. */
  previous: z.string().optional(),
});

/** One commit of an app made ready, or the attempt to. */
export type Release = z.infer<typeof releaseSchema>;

const next: Record<ReleaseState, readonly ReleaseState[]> = {
  // A deploy that was interrupted starts over, so building and starting may go back to queued.
  queued: ['building', 'failed', 'superseded', 'cancelled'],
  building: ['starting', 'queued', 'failed', 'superseded', 'cancelled'],
  starting: ['live', 'queued', 'failed', 'superseded', 'cancelled'],
  live: ['draining', 'retired'],
  draining: ['live', 'retired'],
  retired: ['live'],
  failed: [],
  superseded: [],
  cancelled: [],
};

/** True where a release may go from one state to the other. */
export function canBecome(from: ReleaseState, to: ReleaseState): boolean {
  return next[from].includes(to);
}

/** True where the branch moves to the release's commit once it is live; the other releases run a commit once more. */
export function movesBranch(release: Release): boolean {
  return release.source === 'push' || release.source === 'upload' || release.source === 'edit';
}

/** True while a deploy still has work to do for a release in this state. */
export function isPending(state: ReleaseState): boolean {
  return state === 'queued' || state === 'building' || state === 'starting';
}

/**
 * The release in its new state.
 * @throws Error where the transition is forbidden: that is a defect of the caller, never of a user.
 */
export function transition(release: Release, to: ReleaseState, facts: Partial<Release> = {}): Release {
  if (!canBecome(release.state, to)) {
    throw new Error(`release ${release.number}: ${release.state} cannot become ${to}`);
  }
  return { ...release, ...facts, state: to };
}
