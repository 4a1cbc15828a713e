import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { collectGarbage } from '../../../src/lib/garbage.js';

it('objects that nothing refers to are freed', async () => {
  const unused = new WeakRef({});
  const used = { kept: true };
  const reference = new WeakRef(used);
  // Within one task, both would be kept.
  await setImmediate();
  collectGarbage();
  expect(unused.deref()).toBeUndefined();
  expect(reference.deref()).toBe(used);
});
