import { findRelease } from '../domain/app/app.js';
import { isPending, transition, type Release } from '../domain/app/release.js';
import { isDiskFull, isOutOfFiles, isUnwritable, Refusal } from '../errors.js';
import { asClause, capitalise } from '../lib/words.js';
import type { AppStore } from '../store/apps.js';
import { cleanUp, move, type DeployKit } from './deploy.js';
import type { DeployLog } from './log.js';

/** Why a deploy was cancelled; its message is the release's reason. */
export class CalledOff extends Error {
  readonly to: 'superseded' | 'cancelled' | 'queued';
  constructor(to: 'superseded' | 'cancelled' | 'queued', reason: string) {
    super(reason);
    this.name = 'CalledOff';
    this.to = to;
  }
}

const INTERNAL = 'internal error; see the server log';

/** Returns why a deploy did not go live, in words for the pusher. */
export function reasonOf(error: unknown): string {
  if (error instanceof CalledOff || error instanceof Refusal) return asClause(error.message);
  if (isDiskFull(error)) return "the server's disk is full; the deploy was undone";
  if (isOutOfFiles(error)) return 'the server has too many open files; the deploy was undone';
  return isUnwritable(error) ? "the server's disk is read-only; the deploy was undone" : INTERNAL;
}

export interface OutcomeKit extends Pick<DeployKit, 'store' | 'paths'> {
  logger: { error(facts: object, text: string): void };
}

/**
 * Records that a deploy did not go live, and why, and cleans up after it. An interrupted one is queued again.
 * @param error what it was ended by
 */
export async function recordFailure(
  kit: OutcomeKit,
  app: string,
  number: number,
  error: unknown,
  log: Pick<DeployLog, 'hide' | 'step' | 'phases'>,
): Promise<void> {
  const { store, logger } = kit;
  const record = store.find(app);
  const release = record === undefined ? undefined : findRelease(record, number);
  if (release === undefined || !isPending(release.state)) {
    // It went live before something failed: it stays live.
    if (!(error instanceof CalledOff)) logger.error({ app, release: number, err: error }, 'work after a deploy failed');
    return;
  }
  const to = error instanceof CalledOff ? error.to : 'failed';
  const reason = log.hide(reasonOf(error));
  if (!(error instanceof CalledOff) && !(error instanceof Refusal) && reason === INTERNAL) {
    logger.error({ app, release: number, err: error }, 'a deploy failed because of an internal error');
  }
  log.step(
    to === 'failed'
      ? // Of two sentences, the second one tells what to do.
        `Failed: ${reason}${/[.] [A-Z]/.test(reason) ? '.' : ''}`
      : to === 'queued'
        ? `Interrupted: ${reason}`
        : capitalise(reason),
  );
  await cleanUp(kit, app, number);
  if (to === 'queued') {
    await requeue(store, app, number);
  } else {
    const phases = log.phases.list();
    await move(kit, app, number, to, { reason, finishedAt: new Date().toISOString(), phases });
  }
}

/** Marks the unfinished deploys of an app as queued, by the newest record. @param number only this release */
export async function requeue(store: Pick<AppStore, 'update'>, app: string, number?: number): Promise<void> {
  await store.update(app, (current) => {
    const isOurs = (one: Release): boolean =>
      isInterrupted(one.state) && (number === undefined || one.number === number);
    if (!current.releases.some(isOurs)) return current;
    const releases = current.releases.map((one) => (isOurs(one) ? transition(one, 'queued') : one));
    return { ...current, releases };
  });
}

/** Returns whether a state is one that only a running deploy gives a release. */
export function isInterrupted(state: Release['state']): boolean {
  return state === 'building' || state === 'starting';
}
