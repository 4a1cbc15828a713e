import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { beforeEach, expect, it } from 'vitest';
import { digestOf, Registry, RegistryError } from '../../../../src/runtime/swarm/registry.js';
import { endWithFile } from '../../../helpers/ends.js';

/** A registry that keeps what it gets in memory, and refuses what it is told to. */
const blobs = new Map<string, Buffer>();
const manifests = new Map<string, Buffer>();
let refused: { method: string; status: number; body: string } | undefined;
let asked: string[];
let upload = Buffer.alloc(0);

const server = createServer((request, response) => {
  const { method = '', url = '' } = request;
  const { pathname, searchParams } = new URL(url, 'http://registry');
  const [kind = '', name = ''] = pathname.replace('/v2/apps/images/', '').split('/');
  asked.push(`${method} ${kind}`);
  const answer = (status: number, headers: Record<string, string> = {}, body = ''): void =>
    void response.writeHead(status, headers).end(body);
  const take = async (message: IncomingMessage): Promise<void> => {
    if (method === refused?.method) return answer(refused.status, {}, refused.body);
    const content = await buffer(message);
    if (method === 'HEAD') return answer(blobs.has(name) ? 200 : 404);
    // It knows itself by another name.
    if (method === 'POST') return answer(202, { location: 'http://inside:5000/v2/apps/images/uploads/1?state=a' });
    if (method === 'PATCH') {
      upload = content;
      return answer(202, { location: '/v2/apps/images/uploads/1?state=b' });
    }
    if (method === 'PUT' && kind === 'uploads') {
      const whole = content.length > 0 ? content : upload;
      const digest = searchParams.get('digest') ?? '';
      if (digestOf(whole) !== digest) return answer(400);
      blobs.set(digest, whole);
      return answer(201);
    }
    if (method === 'PUT') {
      manifests.set(name, content);
      return answer(201);
    }
    answer(405);
  };
  take(request).catch(() => response.destroy());
}).listen(0, '127.0.0.1');
await once(server, 'listening');
endWithFile(() => once(server.close(), 'close'));
const { port } = server.address() as { port: number };
const registry = new Registry(`127.0.0.1:${port}/apps`, 'images', false);

beforeEach(() => {
  blobs.clear();
  [refused, asked] = [undefined, []];
});

async function* parts(...texts: string[]): AsyncIterable<Buffer> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

it('puts what it learns the digest of at its end, and what is there only once', async () => {
  expect(registry.name).toBe(`127.0.0.1:${port}/apps/images`);
  const blob = await registry.stream(parts('one', 'two'));
  const digest = `sha256:${createHash('sha256').update('onetwo').digest('hex')}`;
  expect(blob).toEqual({ digest, size: 6 });
  expect(blobs.get(digest)?.toString()).toBe('onetwo');
  expect([await registry.has(blob), await registry.has({ digest: 'sha256:00' })]).toEqual([true, false]);
  asked = [];
  expect(await registry.put(Buffer.from('onetwo'))).toEqual(blob);
  expect(asked).toEqual(['HEAD blobs']);
  expect(await registry.tag('t', { layers: [] })).toBe(digestOf(Buffer.from('{"layers":[]}')));
  expect(manifests.get('t')?.toString()).toBe('{"layers":[]}');
  // This one deletes nothing.
  expect(await registry.forget(digest)).toBe(false);
});

it('says why it was refused, also in the middle of a large blob', async () => {
  refused = { method: 'PATCH', status: 507, body: '{"errors":[{"code":"DENIED","message":"no space left"}]}' };
  let given = 0;
  async function* large(): AsyncIterable<Buffer> {
    for (; given < 1_000; given += 1) yield await Promise.resolve(Buffer.alloc(256 * 1024));
  }
  await expect(registry.stream(large())).rejects.toThrow('it answered 507, no space left');
  expect(given).toBeLessThan(1_000);
  refused = { method: 'POST', status: 401, body: 'who are you' };
  await expect(registry.put(Buffer.from('x'))).rejects.toThrow(new RegistryError('it answered 401'));
});

it('reports a registry that does not answer, and content that cannot be read', async () => {
  const nowhere = new Registry('127.0.0.1:1', 'images', false);
  await expect(nowhere.has({ digest: 'sha256:00' })).rejects.toThrow(/ECONNREFUSED/);
  async function* broken(): AsyncIterable<Buffer> {
    yield await Promise.resolve(Buffer.from('x'));
    throw new Error('the disk is broken');
  }
  await expect(registry.stream(broken())).rejects.toThrow('the disk is broken');
  expect(blobs.size).toBe(0);
});
