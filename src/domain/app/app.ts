import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { maskUrls } from '../../lib/mask-urls.js';
import { processSchema, type ProcessState } from './process.js';
import { ciRuleSchema } from '../access/ci-rule.js';
import { openings } from '../access/openings.js';
import { shareSchema } from '../access/pass.js';
import { rolesSchema } from '../access/roles.js';
import { placeSchema } from '../in-place/place.js';
import { layoutSchema } from '../project/layout.js';
import { isPending, releaseSchema, type Release } from './release.js';

/** The one pattern of an app's id: it is a folder, a URL segment and a git remote at once. */
export const APP_ID = /^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/;

/** Ids that would read as something else in a URL or in the API. */
const RESERVED = new Set(['api', 'console', 'git', 'apps', 'static', 'healthz', 'readyz', 'new', 'login', 'logout']);

/** An app's record, as `meta.json` holds it. */
export const appSchema = z.object({
  id: z.string().regex(APP_ID),
  name: z.string(),
  description: z.string().default(''),
  /** By which visitors find it in the gallery. */
  tags: z.array(z.string()).default([]),
  /** True where the gallery does not show it; it opens by its address all the same. */
  hidden: z.boolean().default(false),
  createdAt: z.string(),
  updatedAt: z.string(),
  /** Where it runs in place; not there = it is deployed from its repository. */
  place: placeSchema.optional(),
  /** An extra path at which visitors find it, such as `/sales/`. */
  path: z.string().optional(),
  /** Where in its repository it is, as far as a person has said so; a preview's is that of its app. */
  layout: layoutSchema.optional(),
  /** The branch whose pushes deploy; null until the first push names it. */
  deployBranch: z.string().nullable(),
  /** True where a person named it: then no push does. */
  branchChosen: z.boolean().optional(),
  /** What the operator asked for, which outlives every crash and reboot. */
  wanted: z.enum(['running', 'stopped']),
  /** True while nobody uses it and its process is gone until somebody does. */
  asleep: z.boolean().default(false),
  /** After how many minutes without a visitor it sleeps; 0 = never; not there = as the server's settings say. */
  sleepAfterMinutes: z.number().nonnegative().optional(),
  /** For how long (minutes) an older release is kept for its open pages; not there = as the server's settings say. */
  drainLimitMinutes: z.number().nonnegative().optional(),
  /** How many processes its live release has; not there = one. */
  replicas: z.number().int().positive().optional(),
  /** The request headers that reach it in addition to those that reach every app, in lower case. */
  requestHeaders: z.array(z.string()).optional(),
  /** True where other branches that are pushed get previews; not there = as the server's settings say. */
  previews: z.boolean().optional(),
  /** Who has which role in it; not there = the admins alone. Of a preview, those of its app count. */
  roles: rolesSchema.optional(),
  /** Who may open it; not there = everyone. Of a preview, that of its app counts. */
  opens: z.enum(openings).optional(),
  /** The hash of the password that opens it. */
  visitPassword: z.string().optional(),
  /** The links that open it. */
  shares: z.array(shareSchema).optional(),
  /** The origins whose pages may frame it, where a share link opens it. */
  frames: z.array(z.string()).optional(),
  /** The CI jobs that get deploy tokens for it. */
  ciRules: z.array(ciRuleSchema).optional(),
  /** The machine of a Swarm with its own files, by id and name, and their volume there; not there = the data folder has them. */
  home: z.object({ node: z.string(), name: z.string(), volume: z.string() }).optional(),
  /** What it is a preview of, where it is one. */
  preview: z
    .object({
      of: z.string(),
      branch: z.string(),
      /** The last push or visit, to the hour. */
      lastUsedAt: z.string(),
    })
    .optional(),
  /** The number of the release that new visitors get. */
  live: z.number().int().nullable(),
  /** The newest number given out. */
  lastRelease: z.number().int().default(0),
  /** The version of the config that new releases get; 0 = nothing was ever set. */
  config: z.number().int().default(0),
  releases: z.array(releaseSchema).default([]),
  processes: z.array(processSchema).default([]),
});

/** A named thing that can be pushed to and visited: the truth about it, as `meta.json` holds it. */
export type App = z.infer<typeof appSchema>;

/**
 * What a person sees of an app.
 * created: nothing was ever deployed · deploying: its first deploy is under way · failed: no deploy has succeeded yet ·
 * starting, running, crashed: the live release's process · sleeping: nobody uses it, and a visit wakes it ·
 * stopped: the operator wants it so.
 */
export const appStates = [
  'created',
  'deploying',
  'failed',
  'starting',
  'running',
  'crashed',
  'sleeping',
  'stopped',
] as const;

/** What an app is doing, as people see it. */
export type AppState = (typeof appStates)[number];

/**
 * The state of an app.
 * @param process the state of the live release's process, where there is one
 */
export function appState(app: App, process: ProcessState | undefined): AppState {
  if (app.live !== null) {
    if (app.wanted === 'stopped') return 'stopped';
    if (app.asleep) return 'sleeping';
    if (process === 'ready') return 'running';
    return process === 'crashed' ? 'crashed' : 'starting';
  }
  // Each start of an app in place is a deploy: where none is wanted, it does not matter how the last one ended.
  if (app.place !== undefined && app.wanted === 'stopped') return 'stopped';
  const last = app.releases.at(-1);
  if (last === undefined) return 'created';
  return isPending(last.state) ? 'deploying' : 'failed';
}

/**
 * Returns whether strangers may know that the app exists: once a release has been live, and while the first one is on its way,
 * whose pusher has the URL. Of any other, such as one whose deploys all failed, they get the same answer as of no app.
 */
export function isKnown(app: App): boolean {
  return app.live !== null || pendingRelease(app) !== undefined;
}

/**
 * The id itself, where it is one that an app may have.
 * @throws Refusal `app-id-invalid`
 */
export function parseAppId(text: string): string {
  if (!APP_ID.test(text)) {
    throw new Refusal(
      'invalid',
      'app-id-invalid',
      `"${printable(text)}" is not a valid app id. Use 2 to 63 of a-z, 0-9 and "-", starting and ending with a letter or a digit.`,
      { field: 'id' },
    );
  }
  if (RESERVED.has(text)) {
    throw new Refusal('invalid', 'app-id-reserved', `The app id "${text}" is reserved. Choose another one.`, {
      field: 'id',
    });
  }
  return text;
}

/** A text as a part of an id: accents fall away, and all but letters and digits becomes single dashes within it. */
export function dashed(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

/**
 * The id itself, where it is one that a person may give a new app.
 * @throws Refusal `app-id-invalid`, `app-id-reserved`
 */
export function parseNewAppId(text: string): string {
  const id = parseAppId(text);
  if (id.includes('--')) {
    throw new Refusal(
      'invalid',
      'app-id-reserved',
      `The app id "${id}" is reserved: only previews have "--" in their ids. Choose another one.`,
      {
        field: 'id',
      },
    );
  }
  return id;
}

/** A sensible id for a name that a person typed; "app" where nothing is left of it. */
export function idFromName(name: string): string {
  const slug = dashed(name).slice(0, 50).replace(/-+$/g, '');
  if (slug === '') return 'app';
  return slug.length === 1 || RESERVED.has(slug) ? `${slug}-app` : slug;
}

/** A new app that nothing was deployed to yet. */
export function newApp(id: string, name: string, now: Date, description = ''): App {
  return {
    id,
    name,
    description,
    tags: [],
    hidden: false,
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
    deployBranch: null,
    wanted: 'running',
    asleep: false,
    live: null,
    lastRelease: 0,
    config: 0,
    releases: [],
    processes: [],
  };
}

/** The release with this number, where the app has it. */
export function findRelease(app: App, number: number | null): Release | undefined {
  return number === null ? undefined : app.releases.find((release) => release.number === number);
}

/** The release whose output is the log of an app: the live one, before there is any the newest; 0 = nothing was ever deployed. */
export function printingRelease(app: App): number {
  return app.live ?? app.lastRelease;
}

/** The newest release that still waits to become live. */
export function pendingRelease(app: App): Release | undefined {
  return app.releases.findLast((release) => isPending(release.state));
}

/** For how long (minutes) the releases before the live one are kept for their open pages; undefined = as the server says. */
export function drainMinutesOf(app: App): number | undefined {
  return findRelease(app, app.live)?.drainMinutes ?? app.drainLimitMinutes;
}

/** A name that came from outside, safe and short enough for a sentence. */
export function printable(text: string): string {
  // Before it is cut: half of a URL with a password would not be known for one.
  const clean = maskUrls(text).replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?');
  return clean.length > 80 ? `${clean.slice(0, 77)}...` : clean;
}

/** @param instead what to do instead, as the beginning of a sentence @throws Refusal `app-in-place` where an app's files are not ours to change */
export function demandRepository(app: App, instead: string): void {
  if (app.place === undefined) return;
  throw new Refusal(
    'conflict',
    'app-in-place',
    `${app.id} runs in place from ${app.place.dir}. ${instead}, or give it its own repository with "streamlit-host adopt ${app.id}".`,
  );
}

/** The refusal for an app that has nothing to run. */
export function nothingDeployed(id: string): Refusal {
  return new Refusal('conflict', 'nothing-deployed', `${id} has not been deployed yet. Push to it first.`);
}
