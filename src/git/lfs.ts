import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Principal } from '../domain/access/principal.js';
import { isOid } from '../domain/project/lfs.js';
import { Refusal } from '../errors.js';
import { formatMebibytes } from '../lib/units.js';
import type { LfsObjects } from '../store/lfs-objects.js';

/** What answers are in (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md). */
const TYPE = 'application/vnd.git-lfs+json';
/** The largest list of objects, in bytes, and how many it may name; git-lfs asks for a hundred at a time. */
const MAX_BATCH = 1024 * 1024;
const MAX_OBJECTS = 1_000;

const batchSchema = z.object({
  operation: z.enum(['upload', 'download']),
  transfers: z.array(z.string()).optional(),
  objects: z.array(z.object({ oid: z.string().refine(isOid), size: z.number().int().nonnegative() })).max(MAX_OBJECTS),
  hash_algo: z.literal('sha256').optional(),
});

/** What a request to the store of Git LFS is for. */
export type LfsRoute = { kind: 'batch' } | { kind: 'object'; oid: string } | { kind: 'other' };

export interface LfsOptions {
  /** The store of an app; it need not exist. */
  objects: (app: string) => LfsObjects;
  /** Creates the app named by a first push. */
  begin: (app: string, by: Principal) => Promise<unknown>;
  /** Ends what `begin` began. */
  end: (app: string) => Promise<void>;
  /** Keeps room on the disk for so many bytes until what it returns is called; throws where there is none. */
  reserve: (bytes: number) => Promise<() => void>;
  /** The largest object, in bytes. */
  most: number;
}

/** What of the store a path below `/git/<id>.git/` asks for. Anything else that git-lfs asks for are locks, and it goes on without. */
export function lfsRouteOf(path: string): LfsRoute {
  if (path === 'info/lfs/objects/batch') return { kind: 'batch' };
  const oid = /^info\/lfs\/objects\/([0-9a-f]{64})$/.exec(path)?.[1];
  return oid === undefined ? { kind: 'other' } : { kind: 'object', oid };
}

/**
 * What Git LFS asks for and stores: its batch API, and the "basic" transfer to and from this server
 * (https://github.com/git-lfs/git-lfs/blob/main/docs/api/basic-transfers.md).
 */
export class Lfs {
  readonly #options: LfsOptions;

  constructor(options: LfsOptions) {
    this.#options = options;
  }

  /**
   * Reads which objects a client is about to push or wants.
   * @throws Refusal `lfs-request-invalid`
   */
  async readBatch(request: IncomingMessage): Promise<LfsBatch> {
    return parseBatch(await textOf(request));
  }

  /** Says for each object where it goes, or why not. @param base the address of the store, without a slash at its end */
  async answerBatch(
    request: IncomingMessage,
    response: ServerResponse,
    { app, base, batch }: { app: string; base: string; batch: LfsBatch },
  ): Promise<void> {
    const objects = this.#options.objects(app);
    const { authorization = '' } = request.headers;
    const answers = await Promise.all(
      batch.objects.map(async (object) => {
        const action = { href: `${base}/objects/${object.oid}`, header: { Authorization: authorization } };
        const stored = await objects.has(object);
        if (batch.operation === 'download')
          return stored
            ? { ...object, authenticated: true, actions: { download: action } }
            : { ...object, error: { code: 404, message: 'The content of this file was not pushed.' } };
        const most = this.#options.most;
        if (object.size > most) {
          const message = `The file is ${formatMebibytes(object.size)}; the limit is ${formatMebibytes(most)}.`;
          return { ...object, error: { code: 422, message } };
        }
        if (stored) await objects.renew(object);
        return { ...object, authenticated: true, ...(stored ? {} : { actions: { upload: action } }) };
      }),
    );
    answerJson(request, response, 200, { transfer: 'basic', objects: answers, hash_algo: 'sha256' });
  }

  /** Stores what a client sends. @throws Refusal `lfs-object-invalid`, `lfs-size-missing`, `file-too-large`, `disk-low`, `lfs-no-room` */
  async receive(
    request: IncomingMessage,
    response: ServerResponse,
    { app, oid, by }: { app: string; oid: string; by: Principal },
  ): Promise<void> {
    const { most, reserve, begin, end, objects } = this.#options;
    const { 'content-length': length } = request.headers;
    if (length === undefined) {
      const sentence = 'The size of the file is missing. Turn off chunked uploads in the proxy and push again.';
      throw new Refusal('invalid', 'lfs-size-missing', sentence);
    }
    const size = Number(length);
    if (!Number.isSafeInteger(size) || size > most) {
      const sentence = `The file is too large; the limit is ${formatMebibytes(most)}.`;
      throw new Refusal('too-large', 'file-too-large', sentence);
    }
    const giveBack = await reserve(size);
    try {
      await begin(app, by);
      try {
        // Read piece by piece: the answer still needs the connection where the content is refused.
        await objects(app).keep({ oid, size }, request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>);
      } finally {
        await end(app);
      }
    } finally {
      giveBack();
    }
    response.writeHead(200).end();
  }

  /** Sends an object. @throws Refusal `lfs-object-missing` */
  async send(response: ServerResponse, app: string, oid: string): Promise<void> {
    const file = await this.#options.objects(app).open(oid);
    if (file === undefined)
      throw new Refusal('not-found', 'lfs-object-missing', 'The content of this file was not pushed.');
    await pipeline(file.createReadStream(), response);
  }
}

export type LfsBatch = z.infer<typeof batchSchema>;

/** Returns what a client asks for in one request. @throws Refusal `lfs-request-invalid` */
export function parseBatch(text: string): LfsBatch {
  const parsed = batchSchema.safeParse(parse(text));
  if (parsed.success && (parsed.data.transfers?.includes('basic') ?? true)) return parsed.data;
  throw new Refusal('invalid', 'lfs-request-invalid', 'The request of Git LFS is not one that this server knows.');
}

/** Answers in the form that git-lfs reads and shows. */
export function answerJson(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
  request.resume();
  response.writeHead(status, { 'content-type': TYPE });
  response.end(JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BATCH) break;
    chunks.push(chunk);
  }
  return bytes > MAX_BATCH ? '' : Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The schema refuses it.
  }
}
