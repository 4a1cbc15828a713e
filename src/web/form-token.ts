import { createHmac } from 'node:crypto';
import { trimEnd } from '../lib/trim-end.js';

/**
 * The CSRF token of one form: good for the path that the form is sent to, and for one session. From it neither another
 * form's token nor the session's own can be made.
 * @param csrf the session's own token, which our scripts send in a header
 * @param path where the form is sent to, below the public base, percent-encoded or not
 */
export function formToken(csrf: string, path: string): string {
  return createHmac('sha256', csrf)
    .update(`form ${plainPath(path)}`)
    .digest('base64url');
}

/** Browsers and templates may encode the same path differently. */
function plainPath(path: string): string {
  const bare = path.split('?', 1)[0] ?? '';
  try {
    return trimEnd(decodeURIComponent(bare), '/');
  } catch {
    return bare; // Not decodable, so nobody else encodes it differently.
  }
}
