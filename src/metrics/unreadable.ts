import { z } from 'zod';
import { messageOf } from '../errors.js';

/** Why a JSON file of ours cannot be read, in a few words. */
export function reasonOf(error: unknown): string {
  return error instanceof z.ZodError || error instanceof SyntaxError
    ? 'it is damaged or from another version'
    : messageOf(error);
}
