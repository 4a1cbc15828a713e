import { formToken } from '../../src/web/form-token.js';

/** How a browser opens what is typed, or clicked outside of it, such as in a terminal. */
export const OPENED = { 'sec-fetch-site': 'none' };

const SECRET = 'a'.repeat(43);

/** A form for who is not logged in yet, from a browser that was shown it: the secret of its cookie, and the field that fits. */
export function shownForm(
  url: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): { method: string; headers: Record<string, string>; body: string } {
  const { origin, pathname } = new URL(url);
  const { cookie = '', ...more } = headers;
  const type = { 'content-type': 'application/x-www-form-urlencoded', origin };
  return {
    method: 'POST',
    headers: { ...type, ...more, cookie: `${cookie === '' ? '' : `${cookie}; `}streamlit_host_form=${SECRET}` },
    body: new URLSearchParams({ csrf: formToken(SECRET, pathname), ...fields }).toString(),
  };
}
