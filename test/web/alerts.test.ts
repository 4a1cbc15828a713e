import { afterAll, beforeAll, expect, it } from 'vitest';
import { newApp } from '../../src/domain/app/app.js';
import { adminToken } from '../../src/domain/access/principal.js';
import { ask, noAlerts, noDrains, startWeb, TOKEN, type TestWeb } from '../helpers/web.js';

// Where alerts and logs may be sent to depends on who says so.

let web: TestWeb;
const added: { what: string; owner: string; by: string; anywhere: boolean }[] = [];

beforeAll(async () => {
  web = await startWeb({
    alerts: {
      ...noAlerts,
      add: async (owner, input, by, anywhere) => {
        added.push({ what: 'alerts', owner, by: by.name, anywhere });
        return noAlerts.add(owner, input, by, anywhere);
      },
    },
    drains: {
      ...noDrains,
      add: async (owner, input, by, anywhere) => {
        added.push({ what: 'drains', owner, by: by.name, anywhere });
        return noDrains.add(owner, input, by, anywhere);
      },
    },
  });
});
afterAll(() => web.close());

const post = (path: string, by: Record<string, string>, body: object) =>
  ask(`${web.url}/api${path}`, {
    method: 'POST',
    headers: { ...by, origin: web.url, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const ADMIN = { authorization: `Bearer ${TOKEN}` };

it('a developer may reach public addresses alone, an admin all of them', async () => {
  const { account } = await web.people.add(
    { email: 'dev@example.com', password: 'correct horse' },
    adminToken('token'),
  );
  web.apps.put({ ...newApp('shop', 'Shop', new Date(0)), roles: { [`person:${account.id}`]: 'developer' } });
  const id = await web.sessions.begin({ name: 'dev@example.com', account: account.id });
  const developer = { cookie: `streamlit_host_session=${id}`, 'x-csrf-token': web.sessions.find(id)?.csrf ?? '' };
  const webhook = { kind: 'webhook', address: 'https://hooks.example/x' };
  const { json } = await post('/apps/shop/alerts/destinations', developer, webhook);
  expect(json.address).toBe('hooks.example');
  expect(json.secret).toMatch(/^whsec_/);
  expect((await post('/apps/shop/drains', developer, { address: 'https://logs.example/secret' })).json).toMatchObject({
    address: 'https://logs.example',
  });
  expect((await post('/server/alerts/destinations', developer, webhook)).status).toBe(403);
  expect((await post('/apps/shop/alerts/destinations', ADMIN, webhook)).status).toBe(201);
  expect((await post('/server/drains', ADMIN, { address: 'syslog://10.0.0.1' })).status).toBe(201);
  expect(added).toEqual([
    { what: 'alerts', owner: 'shop', by: 'dev@example.com', anywhere: false },
    { what: 'drains', owner: 'shop', by: 'dev@example.com', anywhere: false },
    { what: 'alerts', owner: 'shop', by: 'admin', anywhere: true },
    { what: 'drains', owner: ':machine', by: 'admin', anywhere: true },
  ]);
});

it('a secret is sent back once alone, and only to a webhook', async () => {
  const slack = { kind: 'slack', address: 'https://hooks.example/x', secret: 'mine' };
  const answer = await post('/apps/shop/alerts/destinations', ADMIN, slack);
  expect(answer.json.secret).toBeNull();
  expect(answer.text).not.toContain('/x');
  const listed = await ask(`${web.url}/api/apps/shop/alerts`, { headers: ADMIN });
  expect(listed.json).toEqual({ alerts: [], destinations: [], deliveries: [] });
});
