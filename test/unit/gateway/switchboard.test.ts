import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/gateway/entry.js';
import { Switchboard } from '../../../src/gateway/switchboard.js';
import { Claims } from '../../../src/lib/claims.js';

type Asked = [request: IncomingMessage, response: ServerResponse];

describe('the switchboard', () => {
  let changes: Claims;
  let board: Switchboard;
  let seen: string[];
  const entry = (name: string): Entry => ({
    request: (request) => {
      seen.push(`${name} ${request.url}`);
      // As the entries do.
      request.url = '/shortened';
    },
    upgrade: (request) => void seen.push(`${name} upgrade ${request.url}`),
    closeSockets: () => undefined,
  });
  const ask = (method: string, url: string): Asked => {
    const request = Object.assign(new EventEmitter(), { method, url, headers: { host: 'here' } });
    const response = Object.assign(new EventEmitter(), { destroyed: false });
    const asked = [request, response] as unknown as Asked;
    board.door('platform').request(...asked);
    return asked;
  };

  beforeEach(() => {
    seen = [];
    changes = new Claims();
    board = new Switchboard('/base', changes);
    board.lead({ platform: entry('old'), apps: entry('old apps') });
  });

  it('lets all requests and upgrades wait, and passes them to the next entry', () => {
    board.hold('all');
    ask('GET', '/base/apps/sales/');
    ask('GET', '/base/healthz');
    const request = Object.assign(new EventEmitter(), { url: '/base/apps/sales/_stcore/stream', headers: {} });
    board.door('apps').upgrade(request as unknown as IncomingMessage, new PassThrough(), Buffer.alloc(0));
    expect(seen).toEqual([]);
    board.lead({ platform: entry('new'), apps: entry('new apps') });
    expect(seen).toEqual([
      'new /base/apps/sales/',
      'new /base/healthz',
      'new apps upgrade /base/apps/sales/_stcore/stream',
    ]);
  });

  it.each([
    ['POST', '/base/api/apps', true],
    ['POST', '/base/console/apps/sales/config', true],
    ['GET', '/base/console/login?code=x', true],
    ['POST', '/base/git/sales.git/git-receive-pack', true],
    ['POST', '/base/git/sales.git/git-upload-pack', false],
    ['GET', '/base/console/', false],
    ['POST', '/base/apps/sales/_stcore/upload_file/x', false],
    ['POST', '/base/api/server/reload', false],
  ])('where only changes wait, a %s of %s waits: %s', (method, url, waits) => {
    board.hold('changes');
    ask(method, url);
    expect(seen).toHaveLength(waits ? 0 : 1);
    board.lead({ platform: entry('new') });
    expect(seen).toHaveLength(1);
  });

  it('counts changes of the API and the console until they are answered', () => {
    const [, response] = ask('DELETE', '/base/api/apps/sales');
    ask('GET', '/base/api/apps');
    expect(changes.count).toBe(1);
    response.emit('close');
    expect(changes.count).toBe(0);
  });

  it('forgets what its client has given up, and asks again under the URL that arrived', () => {
    board.hold('all');
    const [, response] = ask('GET', '/base/gone');
    Object.assign(response, { destroyed: true });
    board.lead({ platform: entry('new') });
    const asked = ask('GET', '/base/apps/sales/');
    expect(asked[0].url).toBe('/shortened');
    board.again(...asked);
    expect(seen).toEqual(['new /base/apps/sales/', 'new /base/apps/sales/']);
  });
});
