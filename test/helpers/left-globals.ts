import * as timers from 'node:timers';
import { afterAll, expect } from 'vitest';

const NAMES = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const;

// vitest.config.ts names this file for the unit tests: their files share threads, and one that leaves a fake timer behind makes
// another one wait in vain.
afterAll(() => {
  const left = NAMES.filter((name) => globalThis[name] !== timers[name]);
  expect(left, 'timers that the file leaves replaced').toEqual([]);
});
