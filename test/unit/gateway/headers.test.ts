import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { cleanRequest, cleanResponse, cleanUpgrade, scopeCookie, withoutCookie } from '../../../src/gateway/headers.js';
import { SESSION_COOKIE } from '../../../src/store/sessions.js';

function request(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  cleanRequest({ headers } as IncomingMessage, { address: '10.0.0.9', proto: 'https' });
  return headers;
}

function response(headers: IncomingHttpHeaders, cookie?: string): IncomingHttpHeaders {
  cleanResponse(headers, '/apps/demo', cookie);
  return headers;
}

test('where a request came from is what the gateway knows, not what the request says', () => {
  const headers = request({
    host: 'h',
    'x-forwarded-for': '6.6.6.6',
    'x-forwarded-user': 'boss',
    forwarded: 'for=1',
    'x-authenticated-user': 'boss',
    'x-client-ip': '6.6.6.6',
  });
  expect(headers).toEqual({
    host: 'h',
    'x-forwarded-for': '10.0.0.9',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'h',
  });
});

test('the password and the console’s session stay here, other cookies pass as they are', () => {
  const headers = request({ authorization: 'Basic eA==', cookie: `a=1; ${SESSION_COOKIE}=x; b="2;3"` });
  expect(headers).not.toHaveProperty('authorization');
  expect(headers.cookie).toBe('a=1; b="2;3"');
  expect(request({ cookie: `${SESSION_COOKIE}=x` })).not.toHaveProperty('cookie');
});

test('headers that Connection names go, but never the frame, the target or the cookies of a message', () => {
  const headers = request({
    connection: 'X-Hop, Host, Content-Length, Transfer-Encoding, Cookie',
    'x-hop': '1',
    host: 'h',
    'content-length': '3',
    cookie: 'a=1',
  });
  expect(headers).toMatchObject({ host: 'h', 'content-length': '3', cookie: 'a=1' });
  expect(headers).not.toHaveProperty('x-hop');
  expect(headers).not.toHaveProperty('connection');
});

test('an upgrade stays one, and what only mentions one does not become one', () => {
  expect(request({ connection: 'keep-alive, Upgrade', upgrade: 'websocket' })).toMatchObject({
    connection: 'Upgrade',
    upgrade: 'websocket',
  });
  for (const connection of ['close', 'X-Upgrade'])
    expect(request({ connection, upgrade: 'websocket' })).not.toHaveProperty('upgrade');
  expect(request({ upgrade: 'websocket' })).not.toHaveProperty('connection');
});

test('the server has answered Expect already', () => {
  expect(request({ expect: '100-continue' })).not.toHaveProperty('expect');
});

test('an app cannot speak for the origin that it shares', () => {
  const headers = response({
    'clear-site-data': '"*"',
    'strict-transport-security': 'max-age=1',
    'service-worker-allowed': '/',
    'alt-svc': 'h3',
    etag: 'x',
  });
  expect(headers).toEqual({ etag: 'x' });
});

test('an app does not get a browser to report to it what is asked of the platform', () => {
  const headers = response({
    nel: '{"report_to":"a","success_fraction":1}',
    'report-to': '{"group":"a"}',
    'reporting-endpoints': 'of-this-page="/apps/demo/x"',
  });
  expect(headers).toEqual({ 'reporting-endpoints': 'of-this-page="/apps/demo/x"' });
});

test('an app cannot set the console’s session cookie, in whatever way it is written', () => {
  const headers = response({
    'set-cookie': [`${SESSION_COOKIE}=a`, ` ${SESSION_COOKIE} =b; Path=/`, `=${SESSION_COOKIE}=c`, 'other=1; Path=/'],
  });
  expect(headers['set-cookie']).toEqual(['other=1; Path=/']);
  expect(response({ 'set-cookie': [`${SESSION_COOKIE}=a`] })).not.toHaveProperty('set-cookie');
});

test('only the login’s state is bound to its app, every other cookie keeps each byte', () => {
  expect(scopeCookie('_streamlit_session=s; Path=/; HttpOnly', '/apps/demo')).toBe(
    '_streamlit_session=s; Path=/apps/demo; HttpOnly',
  );
  expect(scopeCookie('_streamlit_session=s; path=/', '/apps/demo')).toBe('_streamlit_session=s; Path=/apps/demo');
  expect(scopeCookie('_streamlit_session=s; Path=/x', '/apps/demo')).toBe('_streamlit_session=s; Path=/x');
  expect(scopeCookie('_streamlit_xsrf=2|a|b|3; Path=/', '/apps/demo')).toBe('_streamlit_xsrf=2|a|b|3; Path=/');
});

test('a cookie of ours is added to the app’s', () => {
  expect(response({ 'set-cookie': ['a=1'] }, 'ours=2')['set-cookie']).toEqual(['a=1', 'ours=2']);
  expect(response({}, 'ours=2')['set-cookie']).toEqual(['ours=2']);
});

test('the answer that opens a WebSocket keeps its upgrade and loses the rest that may not leave', () => {
  const headers: IncomingHttpHeaders = {
    connection: 'upgrade, x-hop',
    upgrade: 'websocket',
    'x-hop': '1',
    'set-cookie': [`${SESSION_COOKIE}=a`, 'b=1'],
  };
  cleanUpgrade(headers, '/apps/demo');
  expect(headers).toEqual({ connection: 'Upgrade', upgrade: 'websocket', 'set-cookie': ['b=1'] });
});

test('a cookie is taken out by its whole name alone', () => {
  expect(withoutCookie('aa=1; a=2; a =3; b=a=4', 'a')).toBe('aa=1; b=a=4');
  expect(withoutCookie('a=1', 'a')).toBeUndefined();
  expect(withoutCookie(undefined, 'a')).toBeUndefined();
});
