import { createHash } from 'node:crypto';
import { Refusal } from '../../errors.js';
import { dashed, newApp, pendingRelease, printable, type App } from './app.js';

/** The separator of app id and branch in the id of a preview; no other id contains it. */
const BETWEEN = '--';
/** The longest that an id may be. */
const MAX_ID = 63;
/** The longest that a name may be. */
const MAX_NAME = 100;
/** How much of a long app's id is kept where a preview's would not fit otherwise. */
const KEPT = 32;
/** How many digits of a hash are taken; as many more where that is not enough. */
const DIGITS = 6;
/** A preview sleeps after this long (ms) without a visitor, unless its app file says otherwise. */
const SLEEP_MS = 30 * 60_000;

/** True for an id as only previews have it. */
export function isPreviewId(id: string): boolean {
  return id.includes(BETWEEN);
}

/**
 * The id of a branch's preview: `shop--feature-x`. Where that is too long, or is another branch's already, a short hash of
 * the branch stands behind it.
 * @param taken says whether there is an app with this id
 */
export function previewId(app: string, branch: string, taken: (id: string) => boolean): string {
  const slug = dashed(branch);
  const plain = `${app}${BETWEEN}${slug}`;
  if (slug !== '' && plain.length <= MAX_ID && !taken(plain)) return plain;
  const hash = createHash('sha256').update(`${app}\0${branch}`).digest('hex');
  for (let digits = DIGITS; digits <= MAX_ID - KEPT - BETWEEN.length; digits += DIGITS) {
    const tail = hash.slice(0, digits);
    const head = app.length + BETWEEN.length + tail.length <= MAX_ID ? app : trimmed(app, KEPT);
    const between = trimmed(slug, MAX_ID - head.length - BETWEEN.length - tail.length - 1);
    const id = `${head}${BETWEEN}${between === '' ? '' : `${between}-`}${tail}`;
    if (!taken(id)) return id;
  }
  throw new Refusal(
    'conflict',
    'preview-id-taken',
    `The ids that a preview of ${printable(branch)} could have are all taken. Rename the branch.`,
  );
}

/** A new preview of an app's branch, used just now. */
export function newPreview(id: string, app: App, branch: string, now: Date): App {
  return {
    // As long as a person may make a name, and never half a character.
    ...newApp(
      id,
      `${app.name} (${printable(branch)})`
        .slice(0, MAX_NAME)
        .replace(/\p{Cs}$/u, '')
        .trimEnd(),
      now,
    ),
    deployBranch: branch,
    preview: { of: app.id, branch, lastUsedAt: now.toISOString() },
  };
}

/** True where branches of this app that are pushed get previews. @param otherwise for apps that say nothing themselves */
export function previewsOn(app: App, otherwise: boolean): boolean {
  return app.preview === undefined && (app.previews ?? otherwise);
}

/** The preview as it is once somebody used it at that moment (ms since 1970); any other app, and one used later, as it is. */
export function usedAt(app: App, moment: number): App {
  if (app.preview === undefined || moment <= Date.parse(app.preview.lastUsedAt)) return app;
  return { ...app, preview: { ...app.preview, lastUsedAt: new Date(moment).toISOString() } };
}

/** True where nobody has pushed to a preview or visited it for this long. @param idleMs 0 = it may stay for ever */
export function isIdle(app: App, idleMs: number, now: number): boolean {
  if (app.preview === undefined || idleMs <= 0 || pendingRelease(app) !== undefined) return false;
  return now - Date.parse(app.preview.lastUsedAt) >= idleMs;
}

/** After how long (ms) without a visitor an app sleeps; 0 = never. @param ruleMs for apps that say nothing themselves */
export function sleepsAfterMs(app: App, ruleMs: number): number {
  if (app.sleepAfterMinutes !== undefined) return app.sleepAfterMinutes * 60_000;
  if (app.preview === undefined) return ruleMs;
  return ruleMs > 0 ? Math.min(ruleMs, SLEEP_MS) : SLEEP_MS;
}

/** The beginning of a slug, at most this long, without a dash at its end. */
function trimmed(slug: string, length: number): string {
  return slug.slice(0, Math.max(0, length)).replace(/-+$/, '');
}
