import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { vouchForUpload } from '../../../src/gateway/xsrf.js';

const UPLOAD = '/_stcore/upload_file/session/file';

function vouched(method: string, rest: string, headers: Record<string, string>): Record<string, string> {
  const request = { method, headers: { ...headers } };
  vouchForUpload(request as unknown as IncomingMessage, rest);
  return request.headers;
}

it.each(['PUT', 'DELETE'])('%s of an upload without a token gets one, in its cookie and its header', (method) => {
  const { cookie = '', 'x-xsrftoken': header } = vouched(method, UPLOAD, { cookie: 'other=1' });
  expect(header).toMatch(/^2\|00000000\|[0-9a-f]{32}\|\d{10}$/);
  expect(cookie).toBe(`other=1; _streamlit_xsrf=${header}; _xsrf=${header}`);
  expect(vouched(method, UPLOAD, {}).cookie).toMatch(/^_streamlit_xsrf=2/);
});

it.each([
  ['an upload whose page has a token', 'PUT', UPLOAD, { cookie: 'a=1; _streamlit_xsrf=2|a|b|3' }],
  ['an upload whose page of an older Streamlit has one', 'PUT', UPLOAD, { cookie: '_xsrf=2|a|b|3' }],
  ['what only reads', 'GET', UPLOAD, {}],
  ["an app's own route", 'POST', '/hello', {}],
])('%s stays as it is', (_name, method, rest, headers) => {
  expect(vouched(method, rest, headers)).toEqual(headers);
});
