import { expect, it } from 'vitest';
import { Trouble } from '../../../src/lib/trouble.js';

const error = (code: string, message: string): Error => Object.assign(new Error(message), { code });

it('the same problem is told once, another one or one that comes back again', () => {
  const trouble = new Trouble();
  expect(trouble.met(error('ENOSPC', 'no room for a.1.draft'))).toBe(true);
  expect(trouble.met(error('ENOSPC', 'no room for a.2.draft'))).toBe(false);
  expect(trouble.met(error('EROFS', 'read-only'))).toBe(true);
  trouble.passed();
  expect(trouble.met(error('EROFS', 'read-only'))).toBe(true);
  expect(trouble.met('something else')).toBe(true);
  expect(trouble.met('something else')).toBe(false);
});
