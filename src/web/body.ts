import type { Context } from 'koa';
import { Refusal } from '../errors.js';

/**
 * Reads a body into memory: what is secret must not lie on the disk, not even for a moment.
 * @param most the bytes that it may have
 * @throws Refusal `body-too-large`
 */
export async function readBody(ctx: Context, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const chunks: AsyncIterable<Buffer> = ctx.req.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > most) {
      // The rest is not read, so nothing else can come on this connection.
      ctx.set('Connection', 'close');
      throw new Refusal('too-large', 'body-too-large', `The body is larger than ${most / 1024} KiB.`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/**
 * Demands that something was sent, if only a type or an empty file: what a request without a body replaces would be empty.
 * @throws Refusal `body-missing`
 */
export function demandBody(ctx: Context): void {
  const length = Number(ctx.get('content-length'));
  if (length > 0 || ctx.get('transfer-encoding') !== '' || ctx.get('content-type') !== '') return;
  throw new Refusal(
    'invalid',
    'body-missing',
    'The request has no body, so nothing was changed. To send an empty file, add a Content-Type header.',
  );
}

/** The text that bytes are. @throws Refusal `body-not-text` */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal('invalid', 'body-not-text', 'The body is not valid UTF-8 text.'); // The decoder says no more than that.
  }
}

/**
 * The fields of a form with files, read in memory; a file is its text, and one that was not chosen is empty.
 * @throws Refusal `body-too-large`, `body-not-text`, HttpError 400
 */
export async function readForm(ctx: Context, most: number): Promise<Record<string, string>> {
  const body = await readBody(ctx, most);
  let form: FormData;
  try {
    form = await new Response(new Uint8Array(body), {
      headers: { 'content-type': ctx.get('content-type') },
    }).formData();
  } catch {
    return ctx.throw(400, 'The form is malformed.'); // Its message may show a part of it.
  }
  const fields: [string, string][] = [];
  for (const [name, value] of form) {
    fields.push([name, typeof value === 'string' ? value : textOf(new Uint8Array(await value.arrayBuffer()))]);
  }
  return Object.fromEntries(fields);
}
