import { expect, it } from 'vitest';
import { troubleOf, troubleOfMemory } from '../../../src/redis/probe.js';

it.each([
  ['WRONGPASS invalid username-password pair or user is disabled.', 'Redis does not accept the password in REDIS_URL.'],
  ['NOAUTH Authentication required.', 'Redis does not accept the password in REDIS_URL.'],
  ['ERR AUTH <password> called without any password configured', 'Redis does not accept the password in REDIS_URL.'],
  ["NOPERM this user has no permissions to run the 'set' command", 'The user in REDIS_URL may not write to Redis.'],
  [
    "OOM command not allowed when used memory > 'maxmemory'.",
    'Redis has reached its memory limit and accepts no more jobs. Raise its maxmemory.',
  ],
  ['MISCONF Redis is configured to save RDB snapshots', 'Redis cannot write to its disk and accepts no more jobs.'],
  [
    "READONLY You can't write against a read only replica.",
    'The Redis in REDIS_URL is a replica, which cannot be written to.',
  ],
  ['LOADING Redis is loading the dataset in memory', 'Redis is still loading its data.'],
  ['connect ECONNREFUSED 10.1.2.3:6379', 'Redis does not answer.'],
])('of "%s" an operator is told: %s', (error, told) => {
  expect(troubleOf(`Error\n${error}`)).toBe(told);
});

it('an eviction policy that can delete jobs is trouble, one that cannot is none', () => {
  const memory = (policy: string, limit: number): string =>
    `# Memory\r\nmaxmemory:${limit}\r\nmaxmemory_human:x\r\nmaxmemory_policy:${policy}\r\n`;
  expect(troubleOfMemory(memory('allkeys-lru', 1_000))).toBe(
    'Redis deletes jobs when its memory is full (maxmemory-policy allkeys-lru). Set maxmemory-policy to noeviction.',
  );
  for (const fine of [memory('allkeys-lru', 0), memory('volatile-lru', 1_000), memory('noeviction', 1_000), ''])
    expect(troubleOfMemory(fine)).toBeUndefined();
});
