/** What kind of refusal an error is; the shells (HTTP, git, CLI) turn it into their own code. */
export type ErrorKind =
  'invalid' | 'unauthorised' | 'forbidden' | 'not-found' | 'conflict' | 'too-large' | 'unavailable';

const STATUS: Record<ErrorKind, number> = {
  invalid: 422,
  unauthorised: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
};

/**
 * An error that was expected: its message is one sentence for the person who reads it and says what to do next.
 * It is shown as it is; anything that is not a Refusal is a defect, logged with its stack and never shown.
 */
export class Refusal extends Error {
  /** A stable, kebab-case name that scripts may rely on, such as `app-not-found`. */
  readonly code: string;
  readonly kind: ErrorKind;
  /** The input at fault, where there is one. */
  readonly field: string | undefined;

  constructor(kind: ErrorKind, code: string, message: string, options: { field?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Refusal';
    this.kind = kind;
    this.code = code;
    this.field = options.field;
  }

  /** The HTTP status of this kind of refusal. */
  get status(): number {
    return STATUS[this.kind];
  }
}

/** What was expected of an error: a refusal is, and so is that the disk is full, wherever that is met. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (!isDiskFull(error)) return undefined;
  const sentence = 'The disk of the server is full, so this could not be done: free some space on it, and try again.';
  return new Refusal('unavailable', 'disk-full', sentence, { cause: error });
}

/** True where something failed because no space was left, as the system says it or a program that was run. */
export function isDiskFull(error: unknown): boolean {
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) return true;
  const stderr = error instanceof Error && 'stderr' in error ? error.stderr : undefined;
  return /\bENOSPC\b|\bEDQUOT\b|No space left on device|Disk quota exceeded/.test(
    `${messageOf(error)}\n${typeof stderr === 'string' ? stderr : ''}`,
  );
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True where an error carries this Node or system code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
