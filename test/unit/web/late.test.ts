import type { Context } from 'koa';
import { expect, it } from 'vitest';
import { late } from '../../../src/web/late.js';

it('a late middleware is made by the first request, once for all', async () => {
  let made = 0;
  const seen: string[] = [];
  const middleware = late(async () => {
    made += 1;
    return async (ctx, next) => {
      seen.push(ctx.path);
      await next();
    };
  });
  expect(made).toBe(0);
  const visit = (path: string): Promise<unknown> =>
    middleware({ path } as Context, async () => void seen.push(`after ${path}`)) as Promise<unknown>;
  await Promise.all([visit('/one'), visit('/two')]);
  expect(made).toBe(1);
  expect(seen.toSorted()).toEqual(['/one', '/two', 'after /one', 'after /two']);
});

it('a late middleware passes errors on', async () => {
  const middleware = late(async () => async () => {
    throw new Error('It failed.');
  });
  await expect(middleware({} as never, async () => undefined)).rejects.toThrow('It failed.');
});
