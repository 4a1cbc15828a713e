import type { Grammar } from './inputs.js';

/** Something that reads bytes from outside. */
export interface Parser extends Grammar {
  /** Reads an input. May throw a Refusal, and what `accepts` says. @returns false where what it made of it must not be */
  read: (text: string) => unknown;
  /** Errors that its callers answer with a refusal of their own. */
  accepts?: (error: unknown) => boolean;
  /** How long one input may take, in ms of processor time; 250 unless told. */
  deadlineMs?: number;
}

export const KIB = 1024;
export const MIB = 1024 * KIB;
