import { beforeAll, expect, test } from 'vitest';
import { startHost, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { askRaw } from '../helpers/raw.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

// An app that would take any visitor's word for who they are, and the ways to Streamlit's own insides.

const FILES = {
  'requirements.txt': 'streamlit\n',
  'app.py':
    'import json\nimport streamlit as st\nst.text("user=" + json.dumps(st.user.to_dict()))\n' +
    'st.text("headers=" + json.dumps(st.context.headers.to_dict()))\nst.text(f"ip={st.context.ip_address}")\n',
  '.streamlit/config.toml':
    '[server]\nenableAgentApi = true\ntrustedUserHeaders = { "X-Email" = "email", "User-Agent" = "agent" }\n',
};
let host: TestHost;

beforeAll(async () => {
  host = await startHost({ env: { STREAMLIT_HOST_APP_HEADERS: 'X-Sso-*' } });
  await pushLive(await Project.create(FILES), host, 'demo');
});

test("no header from a visitor becomes an identity, whatever the app's config.toml says", async () => {
  const names = [
    'x-email',
    'x-amzn-oidc-identity',
    'cf-access-authenticated-user-email',
    'x-goog-authenticated-user-email',
    'x-ms-client-principal-name',
    'ssl-client-s-dn',
  ];
  const claims = Object.fromEntries(names.map((name) => [name, 'boss']));
  const page = await StreamlitClient.connect(`${host.url}/apps/demo/`, {
    headers: { ...claims, 'user-agent': 'Friend', 'x-sso-email': 'told-by-the-proxy' },
  });
  await page.run();
  expect(page.text('user=')).not.toMatch(/boss|Friend/);
  expect(page.text('headers=')).not.toContain('boss');
  expect(page.text('headers=')).toContain('told-by-the-proxy');
  await page.close();
});

test.each([
  '_stcore/agent/interact',
  '%5fstcore/agent/interact',
  '_stcore/%61gent/interact',
  '_stcore//agent/mcp',
  '~1/_stcore/agent/mcp',
])('a page of another site cannot drive the app by %s', async (path) => {
  const own = new URL(host.url).origin;
  /** Whether it got to the app, which has rules of its own. */
  const reaches = async (headers: Record<string, string>): Promise<boolean> =>
    (
      await askRaw(host.url, `/apps/demo/${path}`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json', 'content-length': '2', ...headers },
      })
    ).body.startsWith('The agent API does not accept') === false;
  expect(await reaches({ origin: 'http://evil.example' })).toBe(false);
  expect(await reaches({ origin: 'null' })).toBe(false);
  expect(await reaches({ origin: own, 'sec-fetch-site': 'cross-site' })).toBe(false);
  expect(await reaches({ 'sec-fetch-site': 'same-site' })).toBe(false);
  expect(await reaches({ origin: own, 'sec-fetch-site': 'same-origin' })).toBe(true);
});

test.each([
  '_stcore/host-config',
  '%5fstcore/host-config',
  '_stcore/host%2Dconfig',
  '_stcore//host-config',
  '%5Fstcore/host-config/',
])('%s trusts this origin only', async (path) => {
  const answer = await askRaw(host.url, `/apps/demo/${path}`);
  expect(answer.body).not.toContain('streamlit.app');
  expect(JSON.parse(answer.body)).toMatchObject({ allowedOrigins: [host.url] });
});

test.each([
  '%5fstcore/metrics',
  '%5fstcore%2fmetrics',
  '_stcore/metrics/%',
  '_stcore/metrics%23',
  'x%ff/../_stcore/metrics',
])('%s is hidden or empty', async (path) => {
  const answer = await askRaw(host.url, `/apps/demo/${path}`);
  expect(answer.body).not.toContain('# TYPE');
});

test("an app gets the visitor's address from a trusted proxy only", async () => {
  const behind = await startHost({ env: { STREAMLIT_HOST_TRUSTED_PROXIES: '127.0.0.1' } });
  await pushLive(await Project.create(FILES), behind, 'demo');
  const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.9', 'x-forwarded-proto': 'https' };
  const seen = async ({ url }: TestHost): Promise<string[]> => {
    const page = await StreamlitClient.connect(`${url}/apps/demo/`, { headers });
    await page.run();
    const told = JSON.parse(page.text('headers=')) as Record<string, string>;
    const ip = page.text('ip=');
    await page.close();
    return [ip, told['X-Forwarded-For'] ?? '', told['X-Forwarded-Proto'] ?? ''];
  };
  expect(await seen(behind)).toEqual(['203.0.113.9', '203.0.113.9', 'https']);
  // Streamlit has no address for who comes from this machine.
  expect(await seen(host)).toEqual(['None', '127.0.0.1', 'http']);
});
