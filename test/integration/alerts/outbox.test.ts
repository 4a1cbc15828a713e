import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it, vi } from 'vitest';
import { Alerts } from '../../../src/alerts/alerts.js';
import { DELAYS } from '../../../src/alerts/outbox.js';
import { adminToken } from '../../../src/domain/access/principal.js';
import { newApp } from '../../../src/domain/app/app.js';
import type { ErrorKind } from '../../../src/metrics/errors.js';
import { startRedis, type RedisServer } from '../../../src/redis/server.js';

// Each destination is sent its own messages in order, whatever becomes of the others.

const shop = newApp('shop', 'Shop', new Date(0));
const usual = [...DELAYS];
/** Longer than a message waits for others, and than a try that is not answered. */
const patience = { timeout: 30_000, interval: 50 };

interface Post {
  id: string;
  texts: string[];
  at: number;
  status: number | undefined;
}

/** A receiver of webhooks. @param answer the status of a try, or nothing for ever */
async function receive(answer: (post: Post) => number | undefined) {
  const posts: Post[] = [];
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { alerts } = (JSON.parse(body) as { data: { alerts: { text: string }[] } }).data;
      const post: Post = {
        id: String(request.headers['webhook-id']),
        texts: alerts.map((each) => each.text),
        at: performance.now(),
        status: undefined,
      };
      post.status = answer(post);
      posts.push(post);
      if (post.status === undefined) held.push(response);
      else response.writeHead(post.status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return { posts, held, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

const servers: ReturnType<typeof createServer>[] = [];
const mails: string[] = [];
const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onData(stream, _session, done) {
    void text(stream).then((mail) => {
      mails.push(mail);
      done();
    });
  },
});

let folder: string;
let redis: RedisServer;
let alerts: Alerts;
let raise: (message: string) => void;
let warned: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-'));
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  redis = await startRedis({
    dir: join(folder, 'redis'),
    runDir: join(folder, 'run'),
    binaryDirs: inject('tools').redisDirs,
    path: process.env.PATH ?? '',
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
});
afterAll(async () => {
  await redis.stop();
  await new Promise<void>((resolve) => smtp.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async ({ task }) => {
  warned = [];
  mails.length = 0;
  const files = new Map<string, string>();
  alerts = new Alerts({
    folder: join(folder, task.id),
    vault: {
      read: (owner, name) => Promise.resolve(files.get(`${owner}/${name}`)),
      write: (owner, name, content) => {
        if (content === undefined) files.delete(`${owner}/${name}`);
        else files.set(`${owner}/${name}`, content);
        return Promise.resolve();
      },
    },
    apps: { list: () => [shop], find: (id) => (id === 'shop' ? shop : undefined), subscribe: () => () => undefined },
    serving: { process: () => undefined },
    diskFloor: 0,
    mail: { url: `smtp://127.0.0.1:${(smtp.server.address() as AddressInfo).port}`, from: 'apps@host.example' },
    urlOf: () => 'http://host.example/',
    redis: { connection: redis.connection, prefix: task.id },
    logger: { warn: (facts, sentence) => void warned.push(`${JSON.stringify(facts)} ${sentence}`) },
  });
  const ends = { subscribe: () => () => undefined };
  await alerts.begin({
    happenings: ends,
    recorder: ends,
    errors: {
      subscribe: (listener) => {
        raise = (message) => listener('shop', { ...kind, message }, true);
        return () => undefined;
      },
    },
  });
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await alerts.close();
  DELAYS.splice(0, DELAYS.length, ...usual);
});

const kind = { type: 'ValueError', file: '', line: 0, lastRelease: 1 } as ErrorKind;
const add = (address: string) => alerts.add('shop', { kind: 'webhook', address }, adminToken('token'), true);
const deliveriesTo = async (destination: string) =>
  (await alerts.of('shop')).deliveries.filter((one) => one.destination === destination);
const messagesOf = ({ texts }: Post): string[] => texts.map((one) => /ValueError: (\w+)/.exec(one)?.[1] ?? one);

it('destinations that never answer delay no other one', async () => {
  const away = await receive(() => undefined);
  const good = await receive(() => 204);
  const hanging = [];
  for (let count = 0; count < 8; count += 1) hanging.push(await add(`${away.address}${count}`));
  const { id } = await add(good.address);
  await alerts.add('shop', { kind: 'email', address: 'ada@example.com' }, adminToken('token'), true);
  raise('first');
  await vi.waitFor(() => expect([away.posts.length, good.posts.length, mails.length]).toEqual([8, 1, 1]), patience);
  // Nobody waited until the others were given up for this time.
  expect((good.posts[0]?.at ?? Infinity) - (away.posts[0]?.at ?? 0)).toBeLessThan(5_000);
  expect(away.held.every((response) => !response.destroyed)).toBe(true);
  expect(mails[0]).toContain('ValueError: first');
  await vi.waitFor(
    async () => expect(await deliveriesTo(id)).toMatchObject([{ state: 'delivered', tries: 1 }]),
    patience,
  );
  for (const each of hanging) expect(await deliveriesTo(each.id)).toMatchObject([{ state: 'waiting', tries: 1 }]);

  // And the next messages come at once as well.
  raise('second');
  await vi.waitFor(() => expect([good.posts.length, mails.length]).toEqual([2, 2]), patience);
  expect(good.posts.map(messagesOf)).toEqual([['first'], ['second']]);
});

it('all alerts while a destination is away come in one message after the one that failed', async () => {
  let isAway = true;
  const slow = await receive(() => (isAway ? undefined : 200));
  const { id } = await add(slow.address);
  raise('first');
  await vi.waitFor(() => expect(slow.posts).toHaveLength(1), patience);
  for (const [message, waiting] of [
    ['second', 1],
    ['third', 2],
  ] as const) {
    raise(message);
    await vi.waitFor(async () => {
      const [newest] = await deliveriesTo(id);
      expect(newest).toMatchObject({ state: 'waiting', tries: 0 });
      expect(newest?.message.changes).toHaveLength(waiting);
    }, patience);
  }
  expect(await deliveriesTo(id)).toHaveLength(2);
  isAway = false;
  for (const response of slow.held) if (!response.destroyed) response.writeHead(200).end();
  await vi.waitFor(
    async () => expect((await deliveriesTo(id)).map(({ state }) => state)).toEqual(['delivered', 'delivered']),
    patience,
  );
  const tries = slow.posts.filter(({ texts }) => texts.length === 1);
  expect(new Set(tries.map((post) => post.id)).size).toBe(1);
  expect(messagesOf(slow.posts.at(-1) ?? { id: '', texts: [], at: 0, status: 0 })).toEqual(['second', 'third']);
  expect(slow.posts).toHaveLength(tries.length + 1);
});

it('a message that nobody takes is tried again later each time and given up aloud, and the next one is sent', async () => {
  DELAYS.splice(0, DELAYS.length, 300, 600);
  const broken = await receive(({ texts }) => (texts.some((one) => one.includes('second')) ? 200 : 503));
  const { id } = await add(broken.address);
  raise('first');
  await vi.waitFor(async () => {
    expect(await deliveriesTo(id)).toMatchObject([
      { state: 'failed', tries: 3, problem: 'It answered with status 503.' },
    ]);
  }, patience);
  const [first = 0, second = 0, third = 0] = broken.posts.map(({ at }) => at);
  expect(second - first).toBeGreaterThan(280);
  expect(third - second).toBeGreaterThan(580);
  expect(warned).toEqual([
    `{"app":"shop","destination":"${id}","problem":"It answered with status 503."} An alert was given up after 3 tries.`,
  ]);
  raise('second');
  await vi.waitFor(
    async () => expect((await deliveriesTo(id))[0]).toMatchObject({ state: 'delivered', tries: 1 }),
    patience,
  );
  expect(broken.posts.map(({ status }) => status)).toEqual([503, 503, 503, 200]);
});
