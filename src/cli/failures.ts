import { Refusal, type ErrorKind } from '../errors.js';

/** The exit codes. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, signedOut: 4, unknownApp: 5 } as const;

/** Returns the refusal for a usage error. */
export function usage(sentence: string): Refusal {
  return new Refusal('invalid', 'usage', sentence);
}

/** Returns the refusal for a server that cannot be reached. */
export function unreachable(sentence: string, cause?: unknown): Refusal {
  return new Refusal('unavailable', 'not-reachable', sentence, { cause });
}

/** Returns the exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Refusal)) return EXIT.failed;
  switch (error.code) {
    case 'usage':
      return EXIT.usage;
    case 'not-reachable':
    case 'no-server':
      return EXIT.unreachable;
    case 'app-not-found':
      return EXIT.unknownApp;
    default:
      return error.kind === 'unauthorised' ? EXIT.signedOut : EXIT.failed;
  }
}

const KINDS: Record<number, ErrorKind> = {
  401: 'unauthorised',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  413: 'too-large',
};

/** Returns the kind of refusal for an HTTP status. */
export function kindOf(status: number): ErrorKind {
  return KINDS[status] ?? (status >= 500 || status === 429 ? 'unavailable' : 'invalid');
}
