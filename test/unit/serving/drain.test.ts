import { expect, test } from 'vitest';
import type { Target } from '../../../src/gateway/target.js';
import { drained } from '../../../src/serving/drain.js';

/** An older process with one open page. */
const open = { claims: 1, lastSocketAt: 0, backend: { state: 'ready' } } as Target;

test('one signal ends any number of drains, of which Node does not warn', async () => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listen);
  try {
    const end = new AbortController();
    const limits = { ttlMs: 1_000, limitMs: 60_000 };
    const drains = Array.from({ length: 20 }, () => drained(open, limits, end.signal));
    await new Promise((resolve) => setImmediate(resolve));
    end.abort();
    expect(await Promise.all(drains)).toEqual(drains.map(() => false));
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', listen);
  }
});
