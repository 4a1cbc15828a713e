import { beforeAll, describe, expect, test } from 'vitest';
import { startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { askRaw, sayRaw } from '../helpers/raw.js';

// What anybody may send to the one port, and a browser on behalf of a page that an app has made.

let host: TestHost;
let own: string;

beforeAll(async () => {
  host = await startHost({ env: { STREAMLIT_HOST_HOSTS: 'apps.example.com' } });
  own = new URL(host.url).host;
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': 'print(1)\n' }), host, 'demo');
});

describe('a service worker', () => {
  test.each(['/apps/demo/sw.js', '/apps/demo/~1/media/sw.js', '/_streamlit/1.0/static/sw.js', '/console/sw.js'])(
    'cannot come from %s',
    async (path) => {
      for (const headers of [{ 'service-worker': 'script' }, { 'sec-fetch-dest': 'serviceworker' }]) {
        const answer = await askRaw(host.url, path, { headers });
        expect(answer.status).toBe(403);
        expect(answer.body).toContain('Service workers');
      }
    },
  );
});

describe('another host name', () => {
  const upgrade = (name: string, origin: string): string =>
    `GET /apps/demo/_stcore/stream HTTP/1.1\r\nHost: ${name}\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\n` +
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil@localhost', '10.1.2.3', ','])(
    'is refused: %j',
    async (name) => {
      for (const path of ['/', '/healthz', '/apps/demo/', '/api/apps', '/git/demo.git/info/refs', '/_stcore/health']) {
        const answer = await askRaw(host.url, path, {
          headers: { host: name, authorization: `Bearer ${TOKEN}` },
        });
        expect(answer.status, path).toBe(421);
      }
      expect(await sayRaw(host.url, upgrade(name, `http://${name}`))).toMatch(/^HTTP\/1\.1 421 /);
    },
  );

  test('is refused in an absolute URL too, and two Host headers are invalid', async () => {
    const whole = await sayRaw(
      host.url,
      `GET http://evil.example/ HTTP/1.1\r\nHost: ${own}\r\nConnection: close\r\n\r\n`,
    );
    expect(whole).toMatch(/^HTTP\/1\.1 421 /);
    const two = `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`;
    expect(await sayRaw(host.url, two)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await sayRaw(host.url, two.replace('Host: evil.example', `Host: ${own}`))).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('is accepted for loopback, the public URL and the configured names', async () => {
    const { port } = new URL(host.url);
    for (const name of [
      own,
      `localhost:${port}`,
      'localhost',
      `[::1]:${port}`,
      'apps.example.com',
      'APPS.example.com:81',
    ])
      expect((await askRaw(host.url, '/healthz', { headers: { host: name } })).status, name).toBe(200);
    expect(await sayRaw(host.url, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a WebSocket from another origin is refused', async () => {
    for (const origin of ['http://evil.example', 'null', `http://localhost:${Number(new URL(host.url).port) + 1}`])
      expect(await sayRaw(host.url, upgrade(own, origin)), origin).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe('git', () => {
  const authorization = `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`;
  const refs = (headers: Record<string, string>) =>
    askRaw(host.url, '/git/demo.git/info/refs?service=git-upload-pack', { headers: { authorization, ...headers } });

  test('gives a browser nothing, not even a password prompt', async () => {
    for (const headers of [
      { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
    ]) {
      const answer = await refs(headers);
      expect(answer.status).toBe(403);
      expect(answer.headers['www-authenticate']).toBeUndefined();
    }
    expect((await refs({ 'user-agent': 'git/2.47.3' })).status).toBe(200);
  });
});
