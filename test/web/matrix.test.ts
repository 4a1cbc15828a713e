import { join } from 'node:path';
import type { Middleware } from 'koa';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newApp } from '../../src/domain/app/app.js';
import { isAppVerb, rankMay, roleMay, verbs, type Verb } from '../../src/domain/access/permissions.js';
import { adminToken } from '../../src/domain/access/principal.js';
import { Rights } from '../../src/domain/access/rights.js';
import { roles, type Role } from '../../src/domain/access/roles.js';
import { Access } from '../../src/host/access.js';
import { consoleRouter, consoleRoutes } from '../../src/web/console/router.js';
import { Passwords } from '../../src/store/passwords.js';
import { createPages } from '../../src/web/pages.js';
import { PublicFiles } from '../../src/web/public.js';
import { Views } from '../../src/web/views.js';
import {
  ask,
  everyRoute,
  noAlerts,
  noDrains,
  LIGHT,
  noErrors,
  noMetrics,
  openRoutes,
  startWeb,
  type Answer,
  type TestWeb,
} from '../helpers/web.js';

// Every route, asked by everyone there is: what comes back must be what the table says, and nothing else.

const ROOT = join(import.meta.dirname, '../..');
const HOLDERS = ['stranger', ...roles, 'admin'] as const;
type Holder = (typeof HOLDERS)[number];

let web: TestWeb;
const sessions = new Map<Holder, { cookie: string; csrf: string }>();

beforeAll(async () => {
  const files = new PublicFiles({
    folder: join(ROOT, 'public'),
    libraries: join(ROOT, 'node_modules'),
  });
  const views = new Views({ templates: join(ROOT, 'templates'), files });
  const rights = new Rights({ find: (id) => web.apps.find(id) });
  // It is given what the server makes, and the server is given it.
  let routes: Middleware | undefined;
  const router: Middleware = (ctx, next) => {
    routes ??= consoleRouter({
      host: web.apps.host,
      people: web.people,
      factors: web.factors,
      passkeys: web.passkeys,
      access: new Access({ store: web.apps.store, users: web.users, passwords: new Passwords(LIGHT) }),
      tokens: web.tokens,
      ci: web.ci,
      rights,
      audit: web.audit,
      auditLog: web.auditLog,
      sessions: web.sessions,
      views,
      mistakes: () => [],
      troubles: () => Promise.resolve([]),
      unsafe: () => undefined,
      logs: { runLog: () => '/nowhere', buildLog: () => '/nowhere' },
      uploads: { tmp: web.folder, maxBytes: 1_000 },
      publicBase: () => web.url,
      url: (app) => `${web.url}/apps/${app}/`,
      usage: () => undefined,
      metrics: noMetrics(web.apps),
      errors: noErrors,
      alerts: noAlerts,
      drains: noDrains,
      logger: pino({ level: 'silent' }),
    }).routes() as unknown as Middleware;
    return routes(ctx, next) as Promise<void>;
  };
  web = await startWeb({ console: [router], pages: createPages(views, () => web.url, rights) });
  for (const holder of HOLDERS) {
    const email = `${holder}@example.com`;
    const { account } = await web.people.add(
      { email, password: 'correct horse', admin: holder === 'admin' },
      adminToken('token'),
    );
    const id = await web.sessions.begin({ name: email, account: account.id });
    sessions.set(holder, { cookie: `streamlit_host_session=${id}`, csrf: web.sessions.find(id)?.csrf ?? '' });
  }
});
afterAll(() => web.close());

/** An app that nothing was deployed to, with someone for every role, as it is before each request. */
function reset(): void {
  const given = roles.map((role): [string, Role] => [`person:${web.people.get(`${role}@example.com`).id}`, role]);
  web.apps.put({ ...newApp('shop', 'Shop', new Date(0)), roles: Object.fromEntries(given) });
}

function allowed(holder: Holder, verb: Verb): boolean {
  const rank = holder === 'admin' ? 'admin' : 'member';
  if (!isAppVerb(verb)) return rankMay(rank, verb);
  const role = roles.find((one) => one === holder);
  return rank === 'admin' || roleMay(role, verb);
}

/** What holders that may not do it are told. */
function refusalOf(holder: Holder, verb: Verb): { status: number; code: string } {
  if (!isAppVerb(verb)) return { status: 403, code: 'admin-only' };
  return holder === 'stranger' ? { status: 404, code: 'app-not-found' } : { status: 403, code: 'role-missing' };
}

async function send(holder: Holder, method: string, path: string): Promise<Answer> {
  const { cookie = '', csrf = '' } = sessions.get(holder) ?? {};
  const headers = { cookie, 'x-csrf-token': csrf, origin: web.url, accept: 'text/html' };
  return ask(`${web.url}${path}`, { method: method.toUpperCase(), headers });
}

// A server that stops and a stream without an end say nothing more than the rest.
const api = everyRoute().filter(({ path }) => path !== '/events' && path !== '/server/stop');

const values: Record<string, string> = {
  id: 'shop',
  token: 'none',
  share: 'none',
  rule: 'none',
  session: 'none',
  n: '1',
  path: 'app.py',
  user: 'nobody@example.com',
  who: 'group:none',
  destination: 'none',
  drain: 'none',
  passkey: 'none',
};

describe.each(HOLDERS)('the API for a person who is a %s', (holder) => {
  test.each(api.map(({ method, path, can }) => [method, path, can] as const))('%s %s', async (method, path, can) => {
    reset();
    const answer = await send(
      holder,
      method,
      `/api${path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')}`,
    );
    if (allowed(holder, can)) {
      expect(answer.json.code).not.toBe('app-not-found');
      expect(['admin-only', 'role-missing', 'method-not-allowed', 'not-found']).not.toContain(answer.json.code);
      expect(answer.status).not.toBe(401);
    } else expect(answer.json).toMatchObject(refusalOf(holder, can));
  });
});

describe.each(HOLDERS)('the console for a person who is a %s', (holder) => {
  test.each(consoleRoutes().map(({ method, path, can }) => [method, path, can] as const))(
    '%s %s',
    async (method, path, can) => {
      reset();
      const own: Record<string, string> = {
        ':user': 'nobody@example.com',
        ':preview': 'shop--x',
        ':number': '1',
        ':id': 'shop',
      };
      const answer = await send(
        holder,
        method,
        `/console${path.replace(/:\w+|\*\w+/g, (name) => own[name] ?? 'app.py')}`,
      );
      const refusal = refusalOf(holder, can);
      const sentence = {
        'admin-only': 'Only an admin',
        'role-missing': 'Only its',
        'app-not-found': 'There is no app',
      }[refusal.code];
      if (allowed(holder, can)) {
        for (const other of [
          'Only an admin can do this',
          'Ask an owner for that role',
          'There is no app &quot;shop&quot;',
        ])
          expect(answer.text).not.toContain(other);
        expect(answer.status).toBeLessThan(500);
        expect(answer.headers.location ?? '').not.toContain('/console/login');
      } else {
        expect(answer.status).toBe(refusal.status);
        expect(answer.text).toContain(sentence);
      }
    },
  );
});

test('only the exchange of CI tokens needs no login, and asks for a proof', async () => {
  expect(openRoutes().map(({ method, path }) => `${method} ${path}`)).toEqual(['post /ci/token']);
  reset();
  const said = async (app: string): Promise<Answer> =>
    ask(`${web.url}/api/ci/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: 'a.b.c', app }),
    });
  const [here, nowhere] = [await said('shop'), await said('no-such-app')];
  expect(here).toMatchObject({ status: 401, json: { code: 'ci-token-invalid' } });
  expect(here.headers['cache-control']).toBe('no-store');
  expect(nowhere.json).toEqual(here.json);
  expect((await ask(`${web.url}/api/ci/token`)).json.code).toBe('not-signed-in');
});

test('every verb has a door', () => {
  const used = new Set<string>([...api, ...consoleRoutes()].map(({ can }) => can));
  // The gateway asks for "open" of an app's own pages, too.
  expect([...used].sort()).toEqual(Object.keys(verbs).sort());
});
