import { spawn, type ChildProcess } from 'node:child_process';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { RedisProbe } from '../../src/redis/probe.js';
import { endWithFile, scratch } from '../helpers/ends.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { portRange } from '../helpers/ports.js';
import { Project, textApp } from '../helpers/project.js';
import { startPush } from '../helpers/pushing.js';

// A Redis that somebody else runs, and everything that may be wrong with it.

const PASSWORD = 'right-one';
let child: ChildProcess;
let redis: Redis;
let url: string;
let host: TestHost;
let project: Project;

beforeAll(async () => {
  const port = portRange(1).min;
  const dir = await scratch('their-redis-');
  const argv = ['--port', String(port), '--save', '', '--dir', dir, '--requirepass', PASSWORD];
  const path = [...inject('tools').redisDirs, process.env.PATH].join(':');
  child = spawn('redis-server', argv, { env: { PATH: path }, stdio: 'ignore' });
  endWithFile(() => void child.kill('SIGKILL'));
  redis = new Redis(port, '127.0.0.1', { password: PASSWORD });
  redis.on('error', () => undefined); // It is not there yet.
  await until('Redis answers', () => redis.ping().catch(() => undefined));
  url = `redis://:${PASSWORD}@127.0.0.1:${port}`;
  host = await startHost({ env: { REDIS_URL: url } });
  project = await Project.create(textApp('one'));
});
afterAll(() => redis.disconnect());

async function readiness(): Promise<{ status: number; json: unknown }> {
  const answer = await fetch(`${host.url}/readyz`);
  return { status: answer.status, json: await answer.json() };
}
const ready = async (): Promise<boolean> => (await readiness()).status === 200;

/** Changes the password, and cuts the connections that were made with the old one. */
async function setPassword(password: string): Promise<void> {
  await redis.config('SET', 'requirepass', password);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}

it('a push says within 3 s that Redis refuses the password, and goes live once it does not', async () => {
  await until('it is ready', ready);
  await setPassword('another-one');
  const pushing = startPush(project, host, 'waits');
  await pushing.says('Waiting. Redis does not accept the password in REDIS_URL.');
  // Since the deploy was asked for: git has taken its own time before.
  expect(Number(/([\d.]+)s {2}Waiting/.exec(pushing.output)?.[1])).toBeLessThan(3);
  const reasons = [{ part: 'redis', message: 'Redis does not accept the password in REDIS_URL.' }];
  expect(await readiness()).toEqual({ status: 503, json: { status: 'not ready', reasons } });
  expect(await (await host.api('/apps')).json()).toMatchObject({ waits_for: [reasons[0]?.message] });
  const { checks } = (await (await host.api('/server/checks')).json()) as { checks: object[] };
  expect(checks).toContainEqual({ name: 'redis', ok: false, message: reasons[0]?.message });
  await setPassword(PASSWORD);
  const { code, output } = await pushing.done;
  expect(code, output).toBe(0);
  await until('it is ready again', ready);
});

it('two who look at the same time share a connection', async () => {
  const probe = new RedisProbe({ url }, 'test');
  expect(await Promise.all([probe.trouble(), probe.trouble()])).toEqual([undefined, undefined]);
  probe.close();
});

it('a Redis that may delete jobs, or does not answer, is told too, and apps are served meanwhile', async () => {
  await redis.config('SET', 'maxmemory', '100mb');
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await until('the policy is told', async () =>
    JSON.stringify(await readiness()).includes('(maxmemory-policy allkeys-lru)'),
  );
  await redis.config('SET', 'maxmemory-policy', 'noeviction');
  await redis.config('SET', 'maxmemory', '1');
  await until('the limit is told', async () => JSON.stringify(await readiness()).includes('Raise its maxmemory.'));
  await redis.config('SET', 'maxmemory', '0');
  await until('it is ready again', ready);
  child.kill('SIGSTOP');
  await until('the silence is told', async () => JSON.stringify(await readiness()).includes('Redis does not answer.'));
  expect((await fetch(`${host.url}/apps/waits/_stcore/health`)).status).toBe(200);
  expect((await fetch(`${host.url}/healthz`)).status).toBe(200);
  child.kill('SIGCONT');
  await until('it is ready again', ready);
});
