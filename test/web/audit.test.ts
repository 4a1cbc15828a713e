import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newApp } from '../../src/domain/app/app.js';
import { ask, startWeb, type Answer, type Ask, type TestWeb } from '../helpers/web.js';
import { shownForm } from '../helpers/forms.js';

const PASSWORD = 'correct horse battery';

let web: TestWeb;
beforeEach(async () => {
  web = await startWeb();
  web.apps.put(newApp('shop', 'Shop', new Date(0)));
});
afterEach(() => web.close());

function json(method: string, body: object): Ask {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

async function written(query = ''): Promise<Record<string, unknown>[]> {
  return (await web.api(`/audit${query}`)).json.entries as Record<string, unknown>[];
}

function logIn(email: string, password: string): Promise<Answer> {
  const url = `${web.url}/console/login`;
  return ask(url, shownForm(url, { email, password }));
}

test('changes, refusals and logins are written down, with neither passwords nor values', async () => {
  await web.api('/users', json('POST', { email: 'ada@example.com', password: PASSWORD }));
  await web.api('/apps/shop/roles/ada@example.com', json('PUT', { role: 'developer' }));
  await web.api('/apps/shop/config', json('PATCH', { vars: { TOKEN: 'the value' } }));
  await web.api('/apps/shop/config?reveal=1');
  await web.api('/apps');
  await logIn('ada@example.com', 'a wrong one');
  const session = await logIn('ada@example.com', PASSWORD);
  const [cookie = ''] = session.headers['set-cookie']?.[0]?.split(';') ?? [];
  const csrf = web.sessions.find(cookie.split('=')[1] ?? '')?.csrf ?? '';
  const ada = { headers: { cookie, 'x-csrf-token': csrf, origin: web.url } };
  await ask(`${web.url}/api/users`, ada);
  await ask(`${web.url}/api/apps`, { headers: { authorization: 'Bearer a-wrong-token' } });
  await ask(`${web.url}/console/logout`, { ...ada, method: 'POST' });

  const entries = await written();
  const fields = ['who', 'door', 'verb', 'what', 'app', 'about', 'result', 'code'];
  expect(entries.map((entry) => fields.flatMap((field) => (entry[field] as string | null) ?? []).join(' | '))).toEqual([
    'ada@example.com | console | login | log out | ok',
    'nobody | api | login | token | refused',
    'ada@example.com | console | people | GET /users | refused | admin-only',
    'ada@example.com | console | login | log in | ok',
    'ada@example.com | console | login | log in | refused',
    'admin | api | config | GET /apps/{id}/config | shop | reveal config vars | ok',
    'admin | api | config | PATCH /apps/{id}/config | shop | ok',
    'admin | api | access | PUT /apps/{id}/roles/{who} | shop | ada@example.com developer | ok',
    'admin | api | people | POST /users | ada@example.com | ok',
  ]);
  expect(entries.every(({ from }) => from === '127.0.0.1')).toBe(true);
  const files = await Promise.all((await web.auditLog.files()).map((file) => readFile(file, 'utf8')));
  for (const secret of [PASSWORD, 'a wrong one', 'the value', 'a-wrong-token', csrf, cookie.split('=')[1] ?? ''])
    expect(files.join('')).not.toContain(secret);
});

test('it is searched page by page, exported, and verified', async () => {
  for (let count = 0; count < 5; count += 1)
    await web.api('/users', json('POST', { email: `ada${count}@example.com` }));
  await web.api('/apps/shop/roles/ada1@example.com', json('PUT', { role: 'developer' }));
  expect(await written('?q=ada1')).toHaveLength(2);
  expect(await written('?app=shop')).toMatchObject([{ about: 'ada1@example.com developer' }]);
  expect(await written('?who=Admin&q=ADA4')).toHaveLength(1);
  const first = (await web.api('/audit?limit=4')).json;
  expect([(first.entries as object[]).length, first.next]).toEqual([4, 3]);
  const second = (await web.api('/audit?limit=4&before=3')).json;
  expect([(second.entries as object[]).length, second.next]).toEqual([2, null]);

  const exported = await web.api('/audit/export');
  expect(exported.headers['content-disposition']).toBe('attachment; filename="audit.jsonl"');
  expect(exported.text.trimEnd().split('\n')).toHaveLength(6);
  expect((await web.api('/audit/verify')).json).toMatchObject({ ok: true, entries: 6, problem: null });
});
