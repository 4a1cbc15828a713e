import { isDiskFull as saysDiskFull, Refusal } from '../errors.js';
import { asSentence } from '../lib/words.js';
import { reasonFrom } from './reasons.js';
import { CommandFailed } from './run.js';

/** True where something failed because no space was left on the disk. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof CommandFailed ? error.diskFull : saysDiskFull(error);
}

/** The refusal for a full disk. @param what what could not be done: "the files could not be written" */
export function diskFull(what: string, cause: unknown): Refusal {
  const sentence = `The server's disk is full, so ${what}. Free some space and deploy again.`;
  return new Refusal('unavailable', 'disk-full', sentence, { cause });
}

/** The refusal for a build that nobody wants any more. */
export function cancelled(cause: unknown): Refusal {
  return new Refusal('conflict', 'build-cancelled', 'The build was cancelled.', { cause });
}

/** True where a build failed because nobody wants it any more. */
export function isCancelled(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'build-cancelled';
}

/**
 * What a failed install is for who asked for it; anything unexpected stays what it is.
 * @param file the one that names the dependencies
 * @param manyIndexes whether it names several indexes: uv passes over one that refuses access, and does not say so
 */
export function installFailure(error: unknown, file: string, manyIndexes = false): unknown {
  if (isDiskFull(error)) return diskFull('the packages could not be installed', error);
  if (!(error instanceof CommandFailed) || error.reason === 'missing') return error;
  if (error.reason === 'aborted') return cancelled(error);
  const reason = error.reason === 'exit' ? asSentence(reasonFrom(error.lines)) : error.message;
  const advice =
    manyIndexes && /^No (package named|version of) /.test(reason)
      ? ' If it is on a private index, check the credentials of that index.'
      : '';
  return new Refusal('invalid', 'build-failed', reason + advice, { field: file, cause: error });
}
