import { expect, test } from 'vitest';
import { isOwnOrigin, isPrivate, parseRoute, parseWhole, withoutBase } from '../../../../src/domain/app/route.js';

test("an app's path leads to the app, with the rest unchanged", () => {
  expect(parseRoute('/apps/demo')).toEqual({ kind: 'app', id: 'demo', pin: undefined, rest: '' });
  expect(parseRoute('/apps/demo/')).toMatchObject({ rest: '/' });
  expect(parseRoute('/apps/demo/P%C3%A1gina%20a//b')).toMatchObject({ id: 'demo', rest: '/P%C3%A1gina%20a//b' });
});

test("a page's release is removed from a path, and only if it is one", () => {
  expect(parseRoute('/apps/demo/~12/_stcore/stream')).toEqual({
    kind: 'app',
    id: 'demo',
    pin: { release: 12, replica: 1 },
    rest: '/_stcore/stream',
  });
  expect(parseRoute('/apps/demo/~12')).toMatchObject({ pin: { release: 12, replica: 1 }, rest: '' });
  expect(parseRoute('/apps/demo/~12-3/media/x')).toMatchObject({ pin: { release: 12, replica: 3 }, rest: '/media/x' });
  for (const rest of [
    '/~0/x',
    '/~12x/y',
    '/~/x',
    '/~-1/x',
    '/~9999999999/x',
    '/~12-/x',
    '/~12-0/x',
    '/~12-3-4/x',
    '/%7E12/x',
    '/a/~12/x',
  ]) {
    expect(parseRoute(`/apps/demo${rest}`)).toEqual({ kind: 'app', id: 'demo', pin: undefined, rest });
  }
});

test('a path with an invalid app id leads nowhere', () => {
  for (const path of [
    '/apps/',
    '/apps/x',
    '/apps/Demo/',
    '/apps/%64emo/',
    '/apps/../git',
    '/apps//demo',
    '/apps/-a/',
    '/apps/a.b/',
  ]) {
    expect(parseRoute(path)).toEqual({ kind: 'nowhere' });
  }
});

test("no server is found where Streamlit's page would look for one", () => {
  for (const path of ['/_stcore/health', '/apps/_stcore/health', '/_stcore/host-config', '/apps/_stcore']) {
    expect(parseRoute(path)).toEqual({ kind: 'nowhere' });
  }
});

test("Streamlit's own files have paths with a version below static/", () => {
  expect(parseRoute('/_streamlit/1.64.0/static/js/index.abc-1.js')).toMatchObject({
    kind: 'static',
    file: 'static/js/index.abc-1.js',
  });
  for (const path of [
    '/_streamlit/',
    '/_streamlit/1.64.0/index.html',
    '/_streamlit/..%2f/static/x',
    '/_streamlit/x/static/a',
    '/_streamlit/1/static/a%2e',
  ]) {
    expect(parseRoute(path)).toEqual({ kind: 'nowhere' });
  }
});

test('git has its own paths, and so does everything else', () => {
  expect(parseRoute('/git/demo.git/info/refs')).toEqual({ kind: 'git', path: '/git/demo.git/info/refs' });
  for (const path of ['/', '/console/', '/api/apps', '/gitx', '/appsx', '/healthz'])
    expect(parseRoute(path)).toEqual({ kind: 'web' });
});

test('the base path is removed if present, and only as a whole', () => {
  expect(withoutBase('/tools/st/apps/a?x=1', '/tools/st')).toBe('/apps/a?x=1');
  expect(withoutBase('/tools/st', '/tools/st')).toBe('/');
  expect(withoutBase('/tools/st?x=1', '/tools/st')).toBe('/?x=1');
  expect(withoutBase('/tools/stuff', '/tools/st')).toBe('/tools/stuff');
  expect(withoutBase('/apps/a', '/tools/st')).toBe('/apps/a');
  expect(withoutBase('/apps/a', '')).toBe('/apps/a');
});

test('host-only endpoints are recognised in any spelling, and nothing else is', () => {
  const disguises = [
    '/_stcore/metrics',
    '/_stcore/metrics/',
    '//_stcore//metrics',
    '/%5fstcore/metrics',
    '/_stcore%2Fmetrics',
    '/_STCORE/Metrics',
    '/~99/_stcore/metrics',
  ];
  for (const rest of [
    ...disguises,
    '/_stcore/script-health-check',
    '/script-health-check',
    '/st-metrics',
    '/_stcore/metrics#x',
    '/_stcore/%6detrics#%',
  ]) {
    expect([rest, isPrivate(rest)]).toEqual([rest, true]);
  }
  for (const rest of [
    '',
    '/',
    '/_stcore/health',
    '/_stcore/stream',
    '/metrics',
    '/my_stcore/metrics',
    '/_stcore/metricsx',
    '/_stcore/metrics/x',
    '/%ff',
  ]) {
    expect([rest, isPrivate(rest)]).toEqual([rest, false]);
  }
});

test('a WebSocket may come from the requested host, from the public one, and from programs', () => {
  const base = 'https://apps.example.com/tools';
  expect(isOwnOrigin(undefined, 'h:1', base)).toBe(true);
  expect(isOwnOrigin('http://h:1', 'h:1', base)).toBe(true);
  expect(isOwnOrigin('https://Apps.Example.com', '10.0.0.1:8080', base)).toBe(true);
  for (const origin of [
    'null',
    '',
    'https://evil.example',
    'https://apps.example.com.evil.example',
    'http://h:2',
    'h:1',
  ]) {
    expect([origin, isOwnOrigin(origin, 'h:1', base)]).toEqual([origin, false]);
  }
});

test('an absolute URL as a target is a host and a path, and a path stays one whatever it contains', () => {
  expect(parseWhole('http://h:80/apps/demo/?a=http://b/')).toEqual({ host: 'h:80', url: '/apps/demo/?a=http://b/' });
  expect(parseWhole('HTTPS://[::1]')).toEqual({ host: '[::1]', url: '/' });
  expect(parseWhole('http://user:word@h?q')).toEqual({ host: 'h', url: '/?q' });
  for (const target of ['/http://h/x', '/', '*', 'h:80', 'http:///x', 'ftp://h/x'])
    expect(parseWhole(target)).toBeUndefined();
});
