import type { Context } from 'koa';
import { about } from './audited.js';
import { signedIn } from './auth.js';

/**
 * Writes down who asked for values. It comes before the values are told.
 * @param what whose values: "config vars", "secrets"
 * @param name of the one that was asked for, where it was not all of them
 */
export function noteRevealed(
  logger: { info(facts: object, text: string): void },
  ctx: Context,
  app: string,
  what: string,
  name?: string,
): void {
  const facts = { app, by: signedIn(ctx).principal.name, ip: ctx.ip, ...(name === undefined ? {} : { name }) };
  about(ctx, `reveal ${name ?? what}`);
  logger.info(facts, `the ${what} of an app were revealed`);
}
