import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import {
  cleanRequest,
  cleanResponse,
  cleanUpgrade,
  dropCredentials,
  forApp,
  scopeCookie,
} from '../../../src/gateway/headers.js';
import type { Identity } from '../../../src/domain/access/identity.js';
import { SESSION_COOKIE } from '../../../src/store/sessions.js';

function request(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  cleanRequest({ headers } as IncomingMessage, { address: '10.0.0.9', proto: 'https' });
  return headers;
}

function response(headers: IncomingHttpHeaders, cookie?: string): IncomingHttpHeaders {
  cleanResponse(headers, '/apps/demo', cookie === undefined ? [] : [cookie]);
  return headers;
}

test('the gateway sets the origin of a request, whatever the request itself says', () => {
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

test('only the gateway says who the visitor is, also where the operator lets such headers pass', () => {
  const forged = { host: 'h', 'x-streamlit-host-email': 'boss@example.com', 'x-streamlit-host-id': '1' };
  const clean = (identity?: Identity): IncomingHttpHeaders => {
    const headers = { ...forged };
    const also = ['x-streamlit-host-*'];
    cleanRequest({ headers } as unknown as IncomingMessage, { address: '', proto: 'http', also, identity });
    return headers;
  };
  expect(Object.keys(clean()).filter((name) => name.startsWith('x-streamlit'))).toEqual([]);
  expect(clean({ id: 'a', email: 'ada@example.com', name: '李', groups: [] })).toMatchObject({
    'x-streamlit-host-email': 'ada@example.com',
    'x-streamlit-host-id': 'a',
  });
});

test('the password and the console session are removed, and other cookies pass unchanged', () => {
  const headers = request({ authorization: 'Basic eA==', cookie: `a=1; ${SESSION_COOKIE}=x; b="2;3"` });
  expect(headers).not.toHaveProperty('authorization');
  expect(headers.cookie).toBe('a=1; b="2;3"');
  expect(request({ cookie: `${SESSION_COOKIE}=x` })).not.toHaveProperty('cookie');
});

test("headers named in Connection are removed, but never a message's framing, target or cookies", () => {
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

test('an upgrade stays one, and a request that mentions one does not become one', () => {
  expect(request({ connection: 'keep-alive, Upgrade', upgrade: 'websocket' })).toMatchObject({
    connection: 'Upgrade',
    upgrade: 'websocket',
  });
  for (const connection of ['close', 'X-Upgrade'])
    expect(request({ connection, upgrade: 'websocket' })).not.toHaveProperty('upgrade');
  expect(request({ upgrade: 'websocket' })).not.toHaveProperty('connection');
});

test('the server has already answered Expect', () => {
  expect(request({ expect: '100-continue' })).not.toHaveProperty('expect');
});

test('an app cannot set policies for the shared origin', () => {
  const headers = response({
    'clear-site-data': '"*"',
    'strict-transport-security': 'max-age=1',
    'service-worker-allowed': '/',
    'alt-svc': 'h3',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-opener-policy-report-only': 'same-origin; report-to="a"',
    'accept-ch': 'Sec-CH-UA-Model',
    'critical-ch': 'Sec-CH-UA-Model',
    'origin-agent-cluster': '?1',
    'use-as-dictionary': 'match="/console/*"',
    'secure-session-registration': '(ES256);path="/x"',
    'set-login': 'logged-out',
    etag: 'x',
  });
  expect(headers).toEqual({ etag: 'x' });
});

test('an app cannot have browsers report other requests to it', () => {
  const headers = response({
    nel: '{"report_to":"a","success_fraction":1}',
    'report-to': '{"group":"a"}',
    'reporting-endpoints': 'of-this-page="/apps/demo/x"',
  });
  expect(headers).toEqual({ 'reporting-endpoints': 'of-this-page="/apps/demo/x"' });
});

test("an app cannot set the console session's cookie, in any spelling", () => {
  const headers = response({
    'set-cookie': [
      `${SESSION_COOKIE}=a`,
      ` ${SESSION_COOKIE} =b; Path=/`,
      `=${SESSION_COOKIE}=c`,
      `__Host-Http-${SESSION_COOKIE}=d`,
      'other=1; Path=/',
    ],
  });
  expect(headers['set-cookie']).toEqual(['other=1; Path=/apps/demo/']);
  expect(response({ 'set-cookie': [`${SESSION_COOKIE}=a`] })).not.toHaveProperty('set-cookie');
});

test('a cookie is limited to its app, and the rest of it is unchanged', () => {
  const scoped = (cookie: string): string => scopeCookie(cookie, '/apps/demo');
  expect(scoped('_streamlit_xsrf=2|a|b|3; Path=/; SameSite=Lax')).toBe(
    '_streamlit_xsrf=2|a|b|3; Path=/apps/demo/; SameSite=Lax',
  );
  for (const attributes of [
    '',
    '; path=/',
    ';PATH = /console',
    '; Path=/apps/demo/x; Path=/',
    '; Path=/apps/demo2',
    '; Path',
  ])
    expect(scoped(`a="b,c"${attributes}`)).toBe('a="b,c"; Path=/apps/demo/');
  expect(scoped('a=1; Path=/apps/demo/../../console')).toBe('a=1; Path=/apps/demo/');
  expect(scoped('a=1; Domain=example.com; Path=/apps/demo/x; HttpOnly')).toBe('a=1; Path=/apps/demo/x; HttpOnly');
  expect(scoped('a=1; Path=/apps/demo')).toBe('a=1; Path=/apps/demo');
});

test("our own cookie is added to the app's", () => {
  expect(response({ 'set-cookie': ['a=1'] }, 'ours=2')['set-cookie']).toEqual(['a=1; Path=/apps/demo/', 'ours=2']);
  expect(response({}, 'ours=2')['set-cookie']).toEqual(['ours=2']);
});

test('the response that opens a WebSocket keeps its upgrade and loses other hop-by-hop headers', () => {
  const headers: IncomingHttpHeaders = {
    connection: 'upgrade, x-hop',
    upgrade: 'websocket',
    'x-hop': '1',
    'set-cookie': [`${SESSION_COOKIE}=a`, 'b=1'],
  };
  cleanUpgrade(headers, '/apps/demo');
  expect(headers).toEqual({ connection: 'Upgrade', upgrade: 'websocket', 'set-cookie': ['b=1; Path=/apps/demo/'] });
});

test('an app sees every cookie but the console session, and only the closest one of each name', () => {
  expect(forApp(`aa=1; a=2; ${SESSION_COOKIE}=x; a =3; b=a=4; __Host-${SESSION_COOKIE}=y`)).toBe('aa=1; a=2; b=a=4');
  expect(forApp(`__Secure-${SESSION_COOKIE}=1`)).toBeUndefined();
  expect(forApp(undefined)).toBeUndefined();
});

test('an unusual header is removed, unless the operator allows it', () => {
  const names = [
    'x-email',
    'x-anything',
    'authorization',
    'from',
    'cf-access-jwt-assertion',
    'x-amzn-oidc-identity',
    'ssl-client-s-dn',
  ];
  const claims = Object.fromEntries(names.map((name) => [name, 'boss']));
  expect(JSON.stringify(request({ ...claims }))).not.toContain('boss');
  const headers: IncomingHttpHeaders = { ...claims, 'x-forwarded-for': '6.6.6.6' };
  cleanRequest({ headers } as IncomingMessage, {
    address: '10.0.0.9',
    proto: 'https',
    also: ['x-email', 'cf-*', 'x-forwarded-*'],
  });
  expect(headers).toEqual({
    'x-email': 'boss',
    'cf-access-jwt-assertion': 'boss',
    'x-forwarded-for': '10.0.0.9',
    'x-forwarded-proto': 'https',
  });
});

test('of an Authorization header, an app gets bearer tokens that do not log in to the server', () => {
  const left = (authorization: string): unknown => {
    const headers: IncomingHttpHeaders = { authorization };
    dropCredentials({ headers } as IncomingMessage, (text) => text.endsWith('ours'));
    cleanRequest({ headers } as IncomingMessage, { address: '10.0.0.9', proto: 'https', also: ['authorization'] });
    return headers.authorization;
  };
  expect(left('Bearer theirs')).toBe('Bearer theirs');
  for (const one of ['Bearer ours', 'Basic eDp5', 'basic eDp5', 'Digest username="x"', 'Negotiate abc', '', 'Bearer'])
    expect(left(one), one).toBeUndefined();
  expect(request({ authorization: 'Bearer theirs' }).authorization).toBeUndefined();
});

test('headers of HTTP, browsers and Streamlit pass', () => {
  const names = [
    'accept',
    'accept-language',
    'accept-encoding',
    'content-type',
    'content-length',
    'range',
    'if-none-match',
    'if-range',
    'user-agent',
    'origin',
    'referer',
    'cache-control',
    'sec-websocket-protocol',
    'sec-fetch-mode',
    'sec-ch-ua-mobile',
    'x-requested-with',
    'x-xsrftoken',
    'last-event-id',
    'traceparent',
    'transfer-encoding',
    'mcp-protocol-version',
  ];
  expect(request(Object.fromEntries(names.map((name) => [name, 'v'])))).toMatchObject(
    Object.fromEntries(names.map((name) => [name, 'v'])),
  );
});
