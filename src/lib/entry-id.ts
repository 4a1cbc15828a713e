import { randomBytes } from 'node:crypto';

/** Ids of entries as records keep them: earlier versions made 8 characters of base64url. */
export const ENTRY_ID = /^([\w-]{8}|[0-9a-f]{12})$/;

/**
 * A new id for something in a list: a token, a share link, a destination, a drain. Hexadecimal, since people type it
 * after a verb, where base64url's leading "-" would be taken for an option.
 */
export function newEntryId(): string {
  return randomBytes(6).toString('hex');
}
