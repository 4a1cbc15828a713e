import type { Context } from 'koa';
import type { z } from 'zod';
import { messageOf } from '../../errors.js';
import { asSentence } from '../../lib/words.js';
import { late } from '../late.js';
import { parseInput } from './schemas.js';

/** Reads a JSON body as a schema has it; no body is `{}`. @throws Refusal, HttpError 400, 413 or 415 */
export type ReadJson = <S extends z.ZodType>(ctx: Context, schema: S) => Promise<z.infer<S>>;

export function jsonReader(): ReadJson {
  const parse = late(async () => {
    const { bodyParser } = await import('@koa/bodyparser');
    // It knows only some types that end in +json, and would take the others for no body.
    return bodyParser({ enableTypes: ['json'], jsonLimit: '64kb', detectJSON: () => true });
  });
  return async (ctx, schema) => {
    const empty =
      ctx.get('content-type') === '' && ctx.get('transfer-encoding') === '' && Number(ctx.get('content-length')) === 0;
    // Koa: null = there is no body, false = it is of another type, or of none.
    if (!empty && ctx.is('json', '+json') === false) ctx.throw(415, 'Send the body as application/json.');
    try {
      await parse(ctx, async () => undefined);
    } catch (error) {
      if (error instanceof SyntaxError) ctx.throw(400, `The body is not valid JSON. ${asSentence(messageOf(error))}`);
      // What the readers refuse themselves says so; all else comes from unpacking it.
      const refused = error instanceof Error && 'expose' in error;
      if (!refused && ctx.get('content-encoding') !== '')
        ctx.throw(415, 'The body has an unsupported encoding. Send it uncompressed or as gzip.');
      throw error;
    }
    return parseInput(schema, (ctx.request as { body?: unknown }).body ?? {});
  };
}
