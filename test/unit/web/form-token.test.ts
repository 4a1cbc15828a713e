import { expect, it } from 'vitest';
import { formToken } from '../../../src/web/form-token.js';

it("a form's token is valid for its own path and session only", () => {
  const token = formToken('session', '/apps/shop/stop');
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(token).not.toContain('session');
  const others = [formToken('session', '/apps/shop/start'), formToken('other', '/apps/shop/stop')];
  expect(others).not.toContain(token);
});

it('a path is the same in any encoding, with a query or a trailing slash', () => {
  const token = formToken('session', '/apps/shop/files/a b.py');
  for (const path of ['/apps/shop/files/a%20b.py', '/apps/shop/files/a b.py?done=1', '/apps/shop/files/a b.py/'])
    expect(formToken('session', path)).toBe(token);
});

it('a path that cannot be decoded is used unchanged', () => {
  const token = formToken('session', '/apps/%');
  expect(formToken('session', '/apps/%')).toBe(token);
  expect(formToken('session', '/apps/')).not.toBe(token);
});
