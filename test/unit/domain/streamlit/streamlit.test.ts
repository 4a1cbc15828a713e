import { expect, test } from 'vitest';
import {
  canGoOnWith,
  launchCommand,
  readEarly,
  streamlitCommand,
  streamlitEnvironment,
} from '../../../../src/domain/streamlit/streamlit.js';

const options = {
  identity: false,
  port: 8501,
  basePath: 'apps/demo',
  publicHost: 'apps.example.com',
  disconnectedSessionTtl: 120,
  publicPort: 443,
  chosen: {},
  limits: { uploadMb: 1_000, messageMb: 1_000 },
  cookieSecret: 's3cret',
};

test('a main file is never taken for an option, and the command has no secrets', () => {
  expect(streamlitCommand('--help.py')).toEqual(['streamlit', 'run', './--help.py']);
  expect(launchCommand('/env/bin/python', '/host/launch.py', 'demo')).toEqual([
    '/env/bin/python',
    '/host/launch.py',
    'demo',
  ]);
});

test('st.user is who the gateway says, and nobody where others could say so or the app has a login of its own', () => {
  const headers = (identity: boolean): unknown =>
    JSON.parse(streamlitEnvironment({ ...options, identity }).STREAMLIT_SERVER_TRUSTED_USER_HEADERS ?? '');
  expect(headers(true)).toMatchObject({ 'x-streamlit-host-email': 'email', 'x-streamlit-host-id': 'sub' });
  expect(headers(false)).toEqual({});
});

test('Streamlit listens on loopback only, under its path, and asks nobody anything', () => {
  expect(streamlitEnvironment(options)).toMatchObject({
    STREAMLIT_SERVER_ADDRESS: '127.0.0.1',
    STREAMLIT_SERVER_PORT: '8501',
    STREAMLIT_SERVER_HEADLESS: 'true',
    STREAMLIT_SERVER_BASE_URL_PATH: 'apps/demo',
    STREAMLIT_BROWSER_SERVER_ADDRESS: 'apps.example.com',
    STREAMLIT_BROWSER_SERVER_PORT: '443',
    STREAMLIT_BROWSER_GATHER_USAGE_STATS: 'false',
  });
});

test("the protections for an app's visitors are never turned off", () => {
  expect(streamlitEnvironment(options)).toMatchObject({
    STREAMLIT_SERVER_ENABLE_CORS: 'true',
    STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION: 'true',
    STREAMLIT_SERVER_COOKIE_SECRET: 's3cret',
  });
});

test('a disconnected page can return for as long as configured', () => {
  expect(streamlitEnvironment(options)).toMatchObject({
    STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL: '120',
    STREAMLIT_SERVER_MAX_UPLOAD_SIZE: '200',
  });
});

test('a started process accepts a new environment if only variables that Streamlit reads itself differ', () => {
  const begun = { LANG: 'C.UTF-8', TZ: 'Asia/Tokyo' };
  expect(canGoOnWith(begun, { ...begun, ...streamlitEnvironment(options) })).toBe(true);
  for (const wanted of [{ LANG: 'C.UTF-8' }, { ...begun, TZ: 'UTC' }, { ...begun, OMP_NUM_THREADS: '1' }])
    expect(canGoOnWith(begun, wanted)).toBe(false);
  expect(readEarly({ ...begun, ...streamlitEnvironment(options) })).toEqual(begun);
});
