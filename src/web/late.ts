import type { Middleware } from 'koa';

/** Returns a middleware that is made by the first request that needs it: what its library takes, an idle server does not. */
export function late(make: () => Promise<Middleware>): Middleware {
  let made: Promise<Middleware> | undefined;
  return async (ctx, next) => {
    made ??= make();
    await (
      await made
    )(ctx, next);
  };
}
