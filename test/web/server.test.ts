import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ask, startWeb, TOKEN, type TestWeb } from '../helpers/web.js';

let web: TestWeb;
beforeEach(async () => {
  web = await startWeb({
    open: [
      async (ctx, next) => {
        if (ctx.path === '/broken') throw new Error('the password is hunter2');
        await next();
      },
    ],
  });
});
afterEach(() => web.close());

test('/healthz tells everyone that the server answers, and nothing more', async () => {
  const answer = await ask(`${web.url}/healthz`);
  expect([answer.status, answer.json]).toEqual([200, { status: 'ok' }]);
  expect(answer.headers['x-powered-by']).toBeUndefined();
});

test('/readyz tells everyone whether deploys can run and, if not, why', async () => {
  expect((await ask(`${web.url}/readyz`)).json).toEqual({ status: 'ok' });
  const reasons = [{ part: 'redis', message: 'Redis does not answer.' }];
  const waiting = await startWeb({ troubles: () => Promise.resolve(reasons) });
  const answer = await ask(`${waiting.url}/readyz`);
  expect([answer.status, answer.json]).toEqual([503, { status: 'not ready', reasons }]);
  expect((await waiting.api('/apps')).json).toMatchObject({ waits_for: ['Redis does not answer.'] });
  expect((await ask(`${waiting.url}/healthz`)).status).toBe(200);
  await waiting.close();
});

test('a missing page is a page for people, and a problem for programs', async () => {
  const page = await ask(`${web.url}/nothing`);
  expect([page.status, page.headers['content-type'], page.text]).toEqual([
    404,
    'text/html; charset=utf-8',
    '<p>404 This page does not exist.</p>',
  ]);
  const problem = await web.api('/nothing');
  expect([problem.status, problem.headers['content-type']]).toEqual([404, 'application/problem+json; charset=utf-8']);
  expect(problem.json).toMatchObject({ code: 'not-found', instance: '/api/nothing' });
});

test('a method that a path does not support is answered with those it does', async () => {
  const answer = await web.api('/apps', { method: 'DELETE' });
  expect(answer.json).toMatchObject({ status: 405, code: 'method-not-allowed' });
  expect(String(answer.headers.allow).split(', ').sort()).toEqual(['GET', 'HEAD', 'POST']);
  expect((await web.api('/apps', { method: 'OPTIONS' })).status).toBe(200);
});

test('a client that disconnects in the middle of a body is not logged as an error', async () => {
  await web.api('/apps', { method: 'POST', body: '{"name":"demo"}', headers: { 'content-type': 'application/json' } });
  const { hostname, port } = new URL(web.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `PUT /api/apps/demo/files/app.py HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf`,
  );
  await vi.waitFor(() => expect(web.logged.join('')).toBe(''));
  socket.end();
  await vi.waitFor(() => expect(web.logged.join('')).toContain('the client disconnected'));
  expect(web.logged.join('')).not.toContain('"level":50');
});

test('an unexpected error is logged with its stack, and not shown', async () => {
  const answer = await ask(`${web.url}/broken`);
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain('hunter2');
  expect(web.logged.join('')).toContain('hunter2');
  expect(web.logged.join('')).toContain('server.test');
});

test('no token, cookie or login code gets into the log', async () => {
  web.apps.refuse = new Error('a defect');
  const { code } = web.sessions.makeCode({ name: 'admin' });
  await web.api('/apps', { method: 'POST', body: 'x' });
  await ask(`${web.url}/console/login?code=${code}`);
  await ask(`${web.url}/broken?csrf=secret-of-mine`, {
    headers: { authorization: `Bearer ${TOKEN}`, cookie: 'streamlit_host_session=abc' },
  });
  const log = web.logged.join('');
  for (const secret of [TOKEN, code, 'secret-of-mine', 'session=abc']) expect(log).not.toContain(secret);
});

test('the API page is generated from its document', async () => {
  const answer = await web.api('/docs');
  expect([answer.status, answer.text]).toEqual([200, '<p>streamlit-host </p>']);
});
