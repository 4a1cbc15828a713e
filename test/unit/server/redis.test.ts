import { expect, it } from 'vitest';
import { openRedis } from '../../../src/server/redis.js';
import { Paths } from '../../../src/store/paths.js';
import { createLogger } from '../../../src/logger.js';

it.each([
  ['unix:///run/redis.sock', { path: '/run/redis.sock' }],
  ['redis://:secret@redis.example:6379/2', { url: 'redis://:secret@redis.example:6379/2' }],
])('the Redis at %s is used as it is, with keys that name this server', async (redisUrl, connection) => {
  const paths = new Paths('/nowhere');
  const redis = await openRedis({ config: { redisUrl, path: '' }, paths, mark: 'abc', logger: createLogger('silent') });
  expect(redis.queues).toEqual({ connection, prefix: 'streamlit-host:abc' });
  // It is somebody else's: there is nothing to stop or to leave.
  await redis.stop();
  await redis.leave();
  redis.close();
});
