import { randomBytes } from 'node:crypto';

/**
 * A new id for something in a list: a token, a share link, a destination, a drain. Hexadecimal, since people type it
 * after a verb, where base64url's leading "-" would be taken for an option.
 */
export function newEntryId(): string {
  return randomBytes(6).toString('hex');
}
