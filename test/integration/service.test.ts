import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, expect, inject, test } from 'vitest';
import { isRunning, type ProcessIdentity } from '../../src/runtime/process/proc.js';
import { endWithFile, scratch } from '../helpers/ends.js';
import { ROOT, startHost, until } from '../helpers/host.js';

// The server as docs/operations.md has systemd run it. KillMode=process: the service's own process is told to end, and
// nobody else.

let data: string;

beforeEach(async () => {
  data = await scratch('streamlit-host-service-');
});

async function begin(): Promise<ChildProcess> {
  const manual = await readFile(join(ROOT, 'docs/operations.md'), 'utf8');
  const [program = '', ...args] = (/^ExecStart=(.+)$/m.exec(manual)?.[1] ?? '').split(' ');
  const tools = inject('tools');
  return spawn(program.replace('/usr/bin/node', process.execPath), args, {
    cwd: ROOT,
    env: {
      ...process.env,
      STREAMLIT_HOST_PORT: '0',
      STREAMLIT_HOST_DATA: data,
      STREAMLIT_HOST_PREBUILD: 'off',
      STREAMLIT_HOST_LOGS: join(data, 'logs'),
      PATH: [...(tools.uv === undefined ? [] : [dirname(tools.uv)]), ...tools.redisDirs, process.env.PATH].join(':'),
      REDIS_URL: '',
    },
    stdio: 'ignore',
  });
}

/** The process that the server has written down, once it has; it ends with the file whatever happens. */
async function written(name: string, ready: (record: Record<string, unknown>) => boolean): Promise<ProcessIdentity> {
  const record = await until(`${name} is written`, async () => {
    const found = JSON.parse(await readFile(join(data, 'run', name), 'utf8').catch(() => '{}')) as Record<
      string,
      unknown
    >;
    return ready(found) && (found as unknown as ProcessIdentity);
  });
  endWithFile(() => isRunning(record) && process.kill(record.pid, 'SIGKILL'));
  return record;
}

test('systemd signals the server, whose Redis stops with it', async () => {
  const service = await begin();
  const server = await written('server.json', ({ url }) => typeof url === 'string' && url !== '');
  const redis = await written('redis.json', ({ pid }) => pid !== undefined);
  const exited = once(service, 'exit');
  service.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect([server, redis].filter(isRunning)).toEqual([]);
});

test('a server that is told to stop during its start leaves no Redis behind', async () => {
  const service = await begin();
  const redis = await written('redis.json', ({ pid }) => pid !== undefined);
  const exited = once(service, 'exit');
  service.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(isRunning(redis)).toBe(false);
});

test('a server without its Redis still stops', async () => {
  const host = await startHost({ data, env: { REDIS_URL: 'redis://127.0.0.1:1' } });
  const ended = host.signal('SIGTERM');
  expect(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 25_000, 'it did not end'))])).toBe(0);
});

test.each(['SIGSTOP', 'SIGKILL'] as const)('a server whose Redis went away by %s still stops', async (signal) => {
  const socket = join(data, 'theirs.sock');
  const path = [...inject('tools').redisDirs, process.env.PATH].join(':');
  const redis = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', data], {
    env: { PATH: path },
    stdio: 'ignore',
  });
  endWithFile(() => void redis.kill('SIGKILL'));
  await until('Redis listens', () => existsSync(socket));
  const host = await startHost({ data, env: { REDIS_URL: `unix://${socket}` } });
  redis.kill(signal);
  const ended = host.signal('SIGTERM');
  expect(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 30_000, 'it did not end'))])).toBe(0);
});
