import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { redirectOf } from '../../../src/domain/in-place/extra-paths.js';
import { createEntry, type EntryOptions, type Part } from '../../../src/gateway/entry.js';
import type { Gateway } from '../../../src/gateway/gateway.js';
import { askRaw } from '../../helpers/raw.js';

// Which origin answers what, where apps have one of their own.

let servers: Server[];
/** The addresses of the platform's origin and of the apps'. */
let platform: string;
let apps: string;
let failures: string[];

beforeEach(async () => {
  failures = [];
  const answer = (text: string) => (_: unknown, response: ServerResponse) => void response.end(text);
  const options: EntryOptions = {
    basePath: '/base',
    isOurHost: () => true,
    gateway: { request: answer('app'), static: answer('static') } as unknown as Gateway,
    git: answer('git'),
    web: (request, response) => {
      if (request.url?.startsWith('/broken') === true) throw new Error('a defect');
      response.end('web');
    },
    failed: (error, path) => failures.push(`${path}: ${String(error)}`),
    redirect: (path) => redirectOf(path, [{ id: 'demo', path: '/sales/' }]),
  };
  const parts: Part[] = [
    { of: 'platform', appsBase: (host) => `http://${host?.split(':')[0]}:8081/base` },
    { of: 'apps' },
  ];
  servers = parts.map((part) => createServer(createEntry({ ...options, part }).request).listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  [platform = '', apps = ''] = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(() => servers.forEach((server) => server.close()));

async function ask(base: string, path: string): Promise<string> {
  const { status, headers, body } = await askRaw(base, `/base${path}`);
  return `${status} ${headers.location ?? body.trim()}`;
}

describe('with two origins', () => {
  it('an extra path leads from the platform’s to the app at the other, and is none at that one', async () => {
    expect(await ask(platform, '/sales/map?a=b')).toBe('302 http://127.0.0.1:8081/base/apps/demo/map?a=b');
    expect(await ask(apps, '/sales/')).toBe('404 Not found.');
    expect(await ask(platform, '/other/')).toBe('200 web');
  });

  it('pictures, the console and git are at the platform’s alone, apps at the other alone', async () => {
    for (const [path, is] of [
      ['/pictures/demo', 'web'],
      ['/console/', 'web'],
      ['/git/demo.git/HEAD', 'git'],
    ] as const) {
      expect(await ask(platform, path)).toBe(`200 ${is}`);
      expect(await ask(apps, path)).toBe('404 Not found.');
    }
    expect(await ask(platform, '/apps/demo/?a')).toBe('307 http://127.0.0.1:8081/base/apps/demo/?a');
    expect(await ask(apps, '/apps/demo/?a')).toBe('200 app');
    expect(await ask(apps, '/_host/1/css/host.css')).toBe('200 web');
  });
});

it('a defect ends the request that it was found by, and is told', async () => {
  await expect(ask(platform, '/broken')).rejects.toThrow();
  expect(failures).toEqual(['/broken: Error: a defect']);
  expect(await ask(platform, '/other/')).toBe('200 web');
});
