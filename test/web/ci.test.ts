import { beforeAll, beforeEach, expect, test } from 'vitest';
import { newApp } from '../../src/domain/app/app.js';
import { CiServer } from '../helpers/ci-server.js';
import { startConsole } from '../helpers/console.js';
import { ask, type Answer, type TestWeb } from '../helpers/web.js';

let server: CiServer;
let web: TestWeb;
let cookie: string;
let csrf: string;

beforeAll(async () => {
  server = await CiServer.start();
  web = await startConsole({ ciIssuers: server.issuers('github') });
  const { account } = await web.people.add(
    { email: 'ada@example.com', password: 'correct horse', admin: true },
    { kind: 'system', name: 'the test' },
  );
  const id = await web.sessions.begin({ name: 'ada@example.com', account: account.id });
  cookie = `streamlit_host_session=${id}`;
  csrf = web.sessions.find(id)?.csrf ?? '';
});
beforeEach(() => web.apps.put(newApp('shop', 'Shop', new Date(0))));

const json = (method: string, body: object): Parameters<TestWeb['api']>[1] => ({
  ...{ method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
});

/** Sends a form of the console, as its page does. */
const send = (path: string, fields: Record<string, string>): Promise<Answer> =>
  ask(`${web.url}/console/apps/shop/access${path}`, {
    method: 'POST',
    headers: { cookie, origin: web.url, 'content-type': 'application/x-www-form-urlencoded', 'x-csrf-token': csrf },
    body: new URLSearchParams(fields).toString(),
  });
const page = (): Promise<Answer> => ask(`${web.url}/console/apps/shop/access`, { headers: { cookie } });

test('the API lists what rules can name, and keeps a rule until it is removed', async () => {
  const rule = { issuer: 'github', repository: 'octo/shop', branch: 'main' };
  const made = await web.api('/apps/shop/ci-rules', json('POST', rule));
  expect(made).toMatchObject({
    status: 201,
    json: { ...rule, repository_id: null, environment: null, by: 'admin' },
  });
  expect((await web.api('/apps/shop/ci-rules')).json).toEqual({
    rules: [made.json],
    issuers: ['github', 'gitlab', new URL(server.url).host],
    audience: web.base(),
  });
  const path = `/apps/shop/ci-rules/${String(made.json.id)}`;
  expect((await web.api(path, { method: 'DELETE' })).status).toBe(204);
  expect((await web.api(path, { method: 'DELETE' })).json.code).toBe('ci-rule-not-found');
  const said = (await web.api('/audit?app=shop')).json.entries as Record<string, string>[];
  expect(said).toMatchObject([
    { what: 'DELETE /apps/{id}/ci-rules/{rule}', result: 'refused', code: 'ci-rule-not-found' },
    { what: 'DELETE /apps/{id}/ci-rules/{rule}', about: made.json.id, result: 'ok' },
    { what: 'POST /apps/{id}/ci-rules', about: 'github octo/shop main', result: 'ok' },
  ]);
});

test('a job gets a token in an answer that is not stored, and the document says that it needs no login', async () => {
  await web.api('/apps/shop/ci-rules', json('POST', { issuer: server.url, repository: 'octo/shop', branch: 'main' }));
  const token = await server.github(web.base());
  const answer = await ask(`${web.url}/api/ci/token`, json('POST', { token, app: 'shop' }));
  expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
  expect(answer.json).toEqual({
    token: expect.stringMatching(/^shd_/) as string,
    app: 'shop',
    expires_at: expect.stringMatching(/Z$/) as string,
  });
  const by = { headers: { authorization: `Bearer ${String(answer.json.token)}` } };
  expect((await ask(`${web.url}/api/apps/shop/deploys`, by)).status).toBe(200);
  expect((await ask(`${web.url}/api/apps/shop/ci-rules`, by)).json.code).toBe('scope-missing');
  const listed = (await web.api('/apps/shop/deploy-tokens')).json.tokens as Record<string, string>[];
  expect(listed).toMatchObject([{ name: `ci:${new URL(server.url).host}:octo/shop@main`, scope: 'deploy' }]);
  const { paths } = (await web.api('/openapi.json')).json as { paths: Record<string, { post?: object; get?: object }> };
  expect(paths['/ci/token']?.post).toMatchObject({ security: [] });
  expect(paths['/apps/{id}/ci-rules']?.get).not.toHaveProperty('security');
});

test.each([
  ['without an app', { token: 'a.b.c' }],
  ['without a token', { app: 'shop' }],
  ['with a token that is too long', { app: 'shop', token: 'x'.repeat(16_385) }],
  ['with anything else', { app: 'shop', token: 'a.b.c', admin: true }],
])('an exchange %s is no exchange', async (_, body) => {
  expect(await ask(`${web.url}/api/ci/token`, json('POST', body))).toMatchObject({
    status: 422,
    json: { code: 'field-invalid' },
  });
});

test('the console adds and removes rules, and says what is wrong with one', async () => {
  const rule = {
    issuer: 'gitlab',
    repository: 'octo/apps/shop',
    branch: '',
    environment: '<live>',
    repository_id: '7',
  };
  expect((await send('/ci', rule)).headers.location).toMatch(/access\?done=ci-added$/);
  const { text } = await page();
  expect(text).toContain('octo/apps/shop <small>gitlab · environment &lt;live&gt; · id 7 · added by ada@example.com');
  expect(text).toContain(web.base());
  const id = web.ci.rules('shop')[0]?.id ?? '';
  expect((await send('/ci/remove', { rule: id })).headers.location).toMatch(/access\?done=ci-removed$/);
  expect(web.ci.rules('shop')).toEqual([]);
  const wrong = await send('/ci', { ...rule, environment: '' });
  expect(wrong.status).toBe(422);
  expect(wrong.text).toMatch(/role="alert" id="ci-error">Name a branch or an environment\./);
  expect(wrong.text).toContain('value="octo/apps/shop"');
  expect((await send('/ci/remove', { rule: 'none' })).text).toContain('There is no CI rule &quot;none&quot;.');
});

test('a preview shows no rules of its own', async () => {
  const preview = { of: 'shop', branch: 'new', lastUsedAt: '' };
  web.apps.put({ ...newApp('shop--new', 'Shop', new Date(0)), preview });
  const { text } = await ask(`${web.url}/console/apps/shop--new/access`, { headers: { cookie } });
  expect(text).toContain('This preview has the roles of');
  expect(text).not.toContain('Trusted CI');
});
