import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { JobQueue } from '../../../src/lib/job-queue.js';
import { scratch } from '../../helpers/ends.js';

it('a queue without Redis reports that once, keeps nobody waiting, and can be closed', async () => {
  const warned: string[] = [];
  const queue = new JobQueue<string>({
    name: 'jobs',
    connection: { path: join(await scratch('no-redis-'), 'redis.sock') },
    prefix: 'test',
    concurrency: 1,
    work: () => Promise.reject(new Error('there is no job')),
    sweep: () => queue.add('swept', 'one', {}),
    sweepMs: 20,
    closeMs: 20,
    warn: (error) => void warned.push(error),
  });
  queue.begin();
  queue.add('added', 'one', {});
  await vi.waitFor(() => expect(warned).toEqual([expect.stringContaining('ENOENT')]));
  await queue.close();
  queue.add('late', 'one', {});
  expect(warned).toHaveLength(1);
});
