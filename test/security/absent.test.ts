import { beforeAll, describe, expect, test } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, pushLive } from '../helpers/pushing.js';
import { askRaw, sayRaw } from '../helpers/raw.js';

// What a stranger learns of apps by their URLs: nothing of one that was never live, not even that it exists.

let host: TestHost;

beforeAll(async () => {
  host = await startHost();
  await host.send('POST', '/apps', { name: 'Empty', id: 'empty' });
  expect((await (await fixture('exception')).git('push', host.remote('failed'), 'main')).code).toBe(1);
  await until('it has failed', async () => (await host.app('failed')).state === 'failed');
  await pushLive(await Project.create(textApp('text:live')), host, 'live');
  await pushLive(await Project.create(textApp('text:off')), host, 'off');
  expect((await host.api('/apps/off/stop', { method: 'POST' })).ok).toBe(true);
});

const PATHS = [
  '',
  '/',
  '/page?a=b',
  '/~1/',
  '/media/a.png',
  '/_stcore/health',
  '/_stcore/metrics',
  '/_stcore/host-config',
  '/_stcore/agent/run',
  '/_host/live',
];

/** All that an answer tells, but for the id that was asked for. */
async function told(id: string, path: string, headers: Record<string, string>, method = 'GET'): Promise<unknown> {
  const { status, headers: sent, body } = await askRaw(host.url, `/apps/${id}${path}`, { method, headers });
  delete sent.date;
  return [status, sent, body.replaceAll(id, '<id>')];
}

describe.each(['empty', 'failed'])('an app that was never live (%s)', (id) => {
  test.each(PATHS)('looks like no app to a stranger at "%s"', async (path) => {
    for (const headers of [
      { accept: 'text/html' },
      { accept: '*/*' },
      { accept: 'text/html', 'sec-fetch-mode': 'cors' },
    ])
      expect(await told(id, path, headers)).toEqual(await told('unknown', path, headers));
    expect(await told(id, path, {}, 'POST')).toEqual(await told('unknown', path, {}, 'POST'));
  });

  test('can neither be woken nor reached by a WebSocket', async () => {
    expect(await told(id, '/_host/wake', {}, 'POST')).toEqual(await told('unknown', '/_host/wake', {}, 'POST'));
    const upgrade = (app: string): string =>
      `GET /apps/${app}/_stcore/stream HTTP/1.1\r\nHost: ${new URL(host.url).host}\r\nConnection: Upgrade\r\n` +
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    expect(await sayRaw(host.url, upgrade(id))).toBe(await sayRaw(host.url, upgrade('unknown')));
  });
});

test('an app that was live can be told from an unknown one, because its visitors know it', async () => {
  expect((await askRaw(host.url, '/apps/live/', { headers: { accept: 'text/html' } })).status).toBe(200);
  const off = await askRaw(host.url, '/apps/off/', { headers: { accept: 'text/html' } });
  expect(off.status).toBe(503);
  expect(off.body).toContain('The owner has stopped this app.');
});
