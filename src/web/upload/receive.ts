import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type koaMulter from '@koa/multer';
import type { Context } from 'koa';
import { ensureFolder } from '../../lib/ensure-folder.js';
import { Refusal } from '../../errors.js';
import { asSentence } from '../../lib/words.js';
import { meter } from './meter.js';
import { formatBytes } from '../../lib/units.js';

/** A file of a form, on disk. */
export interface UploadedFile {
  /** The form's field. */
  field: string;
  /** Its name or path as the sender told it: not to be trusted. */
  name: string;
  /** Where its bytes are. */
  file: string;
  /** bytes */
  size: number;
}

/** A form that was received whole. */
export interface Upload {
  /** The folder that holds its files, and may hold what is made of them. */
  folder: string;
  fields: Record<string, unknown>;
  files: UploadedFile[];
}

export interface UploadOptions {
  /** The folder for work in progress. */
  tmp: string;
  /** The most bytes that all files of one upload may have. */
  maxBytes: number;
  /** Sees the fields that came before the first file, before that is kept; throws to refuse the form. */
  first?: (fields: Record<string, unknown>) => void;
}

/** How long (ms) a sender that was refused may go on before the line is cut. */
const LINGER_MS = 10_000;

const MAX_FILES = 5_000;
const MAX_FIELDS = 100;

/**
 * Receives a multipart form, its files streamed to disk, and gives it to `use`. Whatever happens, also when the sender
 * vanishes, nothing of it is left on disk afterwards.
 * @throws Refusal `upload-too-large` as soon as the limit is passed, not when everything was sent
 * @throws HttpError 400 or 415, MulterError
 */
export async function withUpload<T>(
  ctx: Context,
  options: UploadOptions,
  use: (upload: Upload) => Promise<T>,
): Promise<T> {
  if (ctx.is('multipart/form-data') !== 'multipart/form-data') {
    ctx.throw(415, 'Send the files as multipart/form-data.');
  }
  demandLength(ctx, options.maxBytes + 1_000_000, options.maxBytes);
  return withFolder(options.tmp, async (folder) => use(await receiveForm(ctx, folder, options)));
}

/**
 * Receives a body as one file on disk and gives it to `use`; nothing is left afterwards.
 * @throws Refusal `upload-too-large`
 */
export async function withBody<T>(
  ctx: Context,
  options: UploadOptions,
  use: (file: string, folder: string) => Promise<T>,
): Promise<T> {
  demandLength(ctx, options.maxBytes, options.maxBytes);
  return withFolder(options.tmp, async (folder) => {
    const file = join(folder, 'body');
    const limit = limiter(options.maxBytes);
    try {
      // Read piece by piece: a pipeline that breaks off would take the request's socket away, which the answer still needs.
      const pieces = ctx.req.iterator({ destroyOnReturn: false });
      await pipeline(pieces, meter(limit), createWriteStream(file, { flags: 'wx', mode: 0o600 }), { end: true });
    } catch (error) {
      if (error instanceof Refusal) cutOff(ctx);
      throw error;
    }
    return use(file, folder);
  });
}

async function withFolder<T>(tmp: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(tmp, `upload-${randomBytes(8).toString('hex')}`);
  await ensureFolder(tmp);
  await mkdir(folder, { mode: 0o700 });
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function receiveForm(ctx: Context, folder: string, { maxBytes, first }: UploadOptions): Promise<Upload> {
  const { default: multer } = await import('@koa/multer');
  // The library waits for the end of whatever it is given, and the one of a sender who has left was before.
  if (ctx.req.destroyed) throw Object.assign(new Error('the client disconnected'), { code: 'ECONNRESET' });
  const storage = new LimitedStorage(folder, maxBytes, first);
  const options = {
    storage: storage as unknown as koaMulter.StorageEngine,
    preservePath: true,
    defParamCharset: 'utf8',
    limits: {
      fileSize: maxBytes,
      files: MAX_FILES,
      fields: MAX_FIELDS,
      parts: MAX_FILES + MAX_FIELDS,
      fieldNameSize: 100,
      fieldSize: 64 * 1_024,
      fieldNestingDepth: 1,
      fieldArrayIndexLimit: 0,
      headerPairs: 50,
    },
  };
  const parsing = multer(options).any()(ctx, async () => undefined) as Promise<unknown>;
  // The library reads a refused form to its end before it says so; a sender of gigabytes is answered at once instead.
  parsing.catch(() => undefined);
  try {
    await Promise.race([parsing, storage.exceeded]);
  } catch (error) {
    if (error instanceof Refusal) cutOff(ctx);
    // What the form's parser says has no class of its own, and it is about the form; a full disk is not.
    if (error instanceof Error && error.constructor === Error && !('syscall' in error))
      ctx.throw(400, `The form cannot be read. ${asSentence(error.message)}`);
    throw error;
  }
  const request = ctx.request as unknown as { body?: Record<string, unknown>; files?: koaMulter.File[] };
  // A form without files has shown none of its fields yet.
  first?.(request.body ?? {});
  const files = (request.files ?? []).map(({ fieldname, originalname, path, size }) => ({
    field: fieldname,
    name: originalname,
    file: path,
    size,
  }));
  return { folder, fields: { ...request.body }, files };
}

/** Keeps a form's files under numbers of its own, and counts the bytes of all of them together. */
class LimitedStorage {
  /** Rejects once the limit is passed or the form is refused; never resolves. */
  readonly exceeded: Promise<never>;
  readonly #folder: string;
  readonly #limit: (bytes: number) => void;
  readonly #first: UploadOptions['first'];
  #fail: (error: unknown) => void = () => undefined;
  #count = 0;

  constructor(folder: string, maxBytes: number, first: UploadOptions['first']) {
    this.#folder = folder;
    this.#first = first;
    const limit = limiter(maxBytes);
    this.exceeded = new Promise<never>((_resolve, fail) => (this.#fail = fail));
    this.exceeded.catch(() => undefined);
    this.#limit = (bytes) => {
      try {
        limit(bytes);
      } catch (error) {
        this.#fail(error);
        throw error;
      }
    };
  }

  _handleFile(req: IncomingMessage, file: { stream: Readable }, done: (error: unknown, info?: object) => void): void {
    try {
      if (this.#count === 0) this.#first?.((req as { body?: Record<string, unknown> }).body ?? {});
    } catch (error) {
      file.stream.resume();
      this.#fail(error);
      return done(error);
    }
    const path = join(this.#folder, `part-${this.#count++}`);
    let size = 0;
    const count = (bytes: number): void => {
      size += bytes;
      this.#limit(bytes);
    };
    pipeline(file.stream, meter(count), createWriteStream(path, { flags: 'wx', mode: 0o600 })).then(
      () => done(null, { path, size }),
      (error: unknown) => done(error),
    );
  }

  _removeFile(_req: IncomingMessage, file: { path?: string }, done: (error: unknown) => void): void {
    if (file.path === undefined) return done(null);
    rm(file.path, { force: true }).then(() => done(null), done);
  }
}

/** @throws Refusal where the sender itself says that it is too much */
function demandLength(ctx: Context, most: number, said: number): void {
  const length = Number(ctx.get('content-length') || 0);
  if (length <= most) return;
  cutOff(ctx);
  throw tooLarge(said);
}

function limiter(maxBytes: number): (bytes: number) => void {
  let total = 0;
  return (bytes) => {
    total += bytes;
    if (total > maxBytes) throw tooLarge(maxBytes);
  };
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(
    'too-large',
    'upload-too-large',
    `The upload exceeds the ${formatBytes(maxBytes)} limit. Leave out files the app does not need.`,
  );
}

/**
 * Sees to it that a sender who goes on after the refusal does not do so for ever. The line is not cut at once: data
 * that meets a closed socket is answered with a reset, and the answer would be lost with it.
 */
function cutOff(ctx: Context): void {
  const { req, res } = ctx;
  res.once('finish', () => {
    if (req.complete) return;
    req.resume();
    const timer = setTimeout(() => req.socket.destroy(), LINGER_MS);
    timer.unref();
    req.once('close', () => clearTimeout(timer));
    req.once('end', () => clearTimeout(timer));
  });
}
