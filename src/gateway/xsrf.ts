import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Where Streamlit, and an older one, keeps the token that its page sends again in a header. */
const COOKIES = ['_streamlit_xsrf', '_xsrf'];

const UPLOAD = /^\/_stcore\/upload_file\//;

/**
 * Gives an upload the token that Streamlit asks its own page for. A page in a frame of another site has none, since browsers keep
 * its cookies from it. To be called only where the request's origin says that it comes from a page of the app.
 * @param rest the path below the app's
 */
export function vouchForUpload({ method, headers }: IncomingMessage, rest: string): void {
  if (!UPLOAD.test(rest) || !['PUT', 'POST', 'DELETE'].includes(method ?? '')) return;
  const sent = headers.cookie?.split(';').map((one) => one.trim()) ?? [];
  if (sent.some((one) => COOKIES.some((name) => one.startsWith(`${name}=`)))) return;
  // As Tornado writes it, with a mask of zeros (https://www.tornadoweb.org/en/stable/guide/security.html).
  const token = `2|00000000|${randomBytes(16).toString('hex')}|${Math.floor(Date.now() / 1_000)}`;
  headers.cookie = [...sent.filter((one) => one !== ''), ...COOKIES.map((name) => `${name}=${token}`)].join('; ');
  headers['x-xsrftoken'] = token;
}
