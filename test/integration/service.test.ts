import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, expect, inject, test } from 'vitest';
import { isRunning, type ProcessIdentity } from '../../src/runtime/proc.js';
import { endWithFile, scratch } from '../helpers/ends.js';
import { ROOT, until } from '../helpers/host.js';

// The server as a service: its own process is told to end, and nobody else.

let data: string;

beforeEach(async () => {
  data = await scratch('streamlit-host-service-');
});

function begin(): ChildProcess {
  const tools = inject('tools');
  return spawn(process.execPath, ['scripts/start.js'], {
    cwd: ROOT,
    env: {
      ...process.env,
      STREAMLIT_HOST_PORT: '0',
      STREAMLIT_HOST_DATA: data,
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
    const found = JSON.parse(await readFile(join(data, 'run', name), 'utf8').catch(() => '{}')) as Record<string, unknown>;
    return ready(found) && (found as unknown as ProcessIdentity);
  });
  endWithFile(() => isRunning(record) && process.kill(record.pid, 'SIGKILL'));
  return record;
}

test('a server that is told to end while it starts leaves no Redis behind', async () => {
  const service = begin();
  const redis = await written('redis.json', ({ pid }) => pid !== undefined);
  const exited = once(service, 'exit');
  service.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(isRunning(redis)).toBe(false);
});
