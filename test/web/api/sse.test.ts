import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newApp } from '../../../src/domain/app/app.js';
import { adminToken } from '../../../src/domain/access/principal.js';
import { format } from '../../../src/web/api/sse.js';
import { startWeb, type TestWeb } from '../../helpers/web.js';

test('an event is written as browsers parse it', () => {
  expect(format({ data: 'one' })).toBe('data: one\n\n');
  expect(format({ event: 'end', id: 12, data: '{}' })).toBe('event: end\nid: 12\ndata: {}\n\n');
});

test('no line of data can become another field or another event', () => {
  expect(format({ id: 1, data: 'a\nid: 2\r\n\revent: x' })).toBe(
    'id: 1\ndata: a\ndata: id: 2\ndata: \ndata: event: x\n\n',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (data) => {
      const lines = format({ data }).split(/\r\n|\r|\n/);
      expect(lines.slice(-2)).toEqual(['', '']);
      expect(lines.slice(0, -2).every((line) => line.startsWith('data: '))).toBe(true);
      expect(
        lines
          .slice(0, -2)
          .map((line) => line.slice(6))
          .join('\n'),
      ).toBe(data.replace(/\r\n?/g, '\n'));
    }),
  );
});

describe('a stream to a token', () => {
  let web: TestWeb;
  let account: string;
  let token: { id: string; secret: string };

  beforeEach(async () => {
    web = await startWeb();
    // Only what is looked at now and then: the rest must go on.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const added = await web.people.add({ email: 'ada@example.com', password: 'correct horse' }, adminToken('token'));
    account = added.account.id;
    for (const id of ['shop', 'other'])
      web.apps.put({ ...newApp(id, id, new Date(0)), roles: { [`person:${account}`]: 'developer' } });
    await writeFile(join(web.folder, 'shop.log'), 'one\n');
    const made = await web.tokens.make(account, { name: 'CI', scope: 'read', apps: ['shop'] });
    token = { id: made.token.id, secret: made.secret };
  });
  afterEach(async () => {
    vi.useRealTimers();
    await web.close();
  });

  /** Opens a stream, and resolves once its first event is there. */
  async function open(path: string): Promise<{ text: () => string; ended: Promise<unknown> }> {
    const request = get(`${web.url}/api${path}`, {
      headers: { authorization: `Bearer ${token.secret}` },
      agent: false,
    });
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    let text = '';
    const ended = new Promise((resolve) => answer.once('close', resolve));
    answer.on('error', () => undefined);
    answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await vi.waitFor(() => expect(text).toContain('data: '));
    return { text: () => text, ended };
  }

  test('shows only the apps that the token is for', async () => {
    const stream = await open('/events');
    web.apps.put({ ...web.apps.get('other').app, description: 'changed' });
    web.apps.put({ ...web.apps.get('shop').app, description: 'changed' });
    await vi.waitFor(() => expect(stream.text()).toContain('event: app'));
    expect(stream.text()).not.toContain('other');
  });

  test.each(['/events', '/apps/shop/logs?follow=1'])('%s ends once the token is revoked', async (path) => {
    const stream = await open(path);
    vi.advanceTimersByTime(1_000);
    await web.tokens.revoke({ account }, token.id);
    vi.advanceTimersByTime(1_000);
    await stream.ended;
    expect(web.apps.listeners).toBe(0);
  });

  test('a followed log ends once the role that it needs is taken away', async () => {
    const stream = await open('/apps/shop/logs?follow=1');
    web.apps.put({ ...web.apps.get('shop').app, roles: { [`person:${account}`]: 'viewer' } });
    vi.advanceTimersByTime(1_000);
    await stream.ended;
    expect(stream.text()).toContain('data: one');
  });
});
