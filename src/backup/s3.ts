import { AwsClient } from 'aws4fetch';
import { Refusal } from '../errors.js';
import type { S3Access } from './place.js';

/** How much is sent at once, in bytes; S3 takes no less than 5 MiB, and 10,000 of them. */
const PART = 32 * 1024 * 1024;

/** How long a request may take, in ms: a part over a slow line, or S3 putting parts together. */
const REQUEST_MS = 10 * 60_000;
/** How long removing an upload that failed may take, in ms: it is waited for where the server stops. */
const CLEAN_UP_MS = 5_000;

/** The few things that a backup needs of S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/). */
export class Bucket {
  readonly #client: AwsClient;
  readonly #base: string;
  readonly #name: string;

  constructor(access: S3Access, name: string) {
    this.#client = new AwsClient({
      accessKeyId: access.keyId,
      secretAccessKey: access.secret,
      ...(access.sessionToken === undefined ? {} : { sessionToken: access.sessionToken }),
      region: access.region,
      service: 's3',
    });
    this.#name = name;
    const endpoint = access.endpoint ?? `https://s3.${access.region}.amazonaws.com`;
    this.#base = `${endpoint.replace(/\/+$/, '')}/${name}`;
  }

  /**
   * Uploads a stream of unknown length in parts; what was sent of one that fails, or is given up, is deleted.
   * @throws Refusal `s3-failed`
   */
  async put(key: string, body: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    const begun = await this.#ask('POST', `${this.#path(key)}?uploads`, { signal });
    const id = encodeURIComponent(tagged(begun, 'UploadId')[0] ?? '');
    try {
      const tags: string[] = [];
      for await (const part of inParts(body, PART)) {
        const path = `${this.#path(key)}?partNumber=${tags.length + 1}&uploadId=${id}`;
        const answer = await this.#send('PUT', path, { body: part, signal });
        tags.push(answer.headers.get('etag') ?? '');
      }
      const list = tags.map((tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
      const xml = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`;
      const done = await this.#ask('POST', `${this.#path(key)}?uploadId=${id}`, { body: xml, signal });
      // Also a failure may come with 200 here.
      if (tagged(done, 'ETag').length === 0) throw failed(this.#name, tagged(done, 'Message')[0] ?? 'no answer');
    } catch (error) {
      // The first error is the one that is told.
      const path = `${this.#path(key)}?uploadId=${id}`;
      await this.#ask('DELETE', path, { limitMs: CLEAN_UP_MS }).catch(() => undefined);
      throw error;
    }
  }

  /** @throws Refusal `s3-failed` */
  async get(key: string): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.#send('GET', this.#path(key), { limitMs: undefined });
    if (body === null) throw failed(this.#name, `${key} is empty`);
    return body as ReadableStream<Uint8Array>;
  }

  /** The keys that begin with a prefix, in order; 1,000 at the most. @throws Refusal `s3-failed` */
  async list(prefix: string, signal?: AbortSignal): Promise<string[]> {
    const path = `?list-type=2&prefix=${encodeURIComponent(prefix)}`;
    return tagged(await this.#ask('GET', path, { signal }), 'Key').sort();
  }

  /** @throws Refusal `s3-failed` */
  async remove(key: string): Promise<void> {
    await this.#ask('DELETE', this.#path(key));
  }

  #path(key: string): string {
    return `/${key.split('/').map(encodeURIComponent).join('/')}`;
  }

  async #ask(method: string, path: string, request?: Asked): Promise<string> {
    return (await this.#send(method, path, request)).text();
  }

  async #send(method: string, path: string, request: Asked = {}): Promise<Response> {
    const { body, signal, limitMs } = { limitMs: REQUEST_MS, ...request };
    const ends = [signal, limitMs === undefined ? undefined : AbortSignal.timeout(limitMs)];
    let answer: Response;
    try {
      answer = await this.#client.fetch(`${this.#base}${path}`, {
        method,
        signal: AbortSignal.any(ends.filter((one) => one !== undefined)),
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      throw failed(this.#name, 'it cannot be reached', error);
    }
    if (answer.ok) return answer;
    const text = await answer.text();
    throw failed(this.#name, tagged(text, 'Message')[0] ?? `it answered ${answer.status}`);
  }
}

interface Asked {
  body?: string | Uint8Array<ArrayBuffer> | undefined;
  /** Gives the request up. */
  signal?: AbortSignal | undefined;
  /** How long it may take, with its answer; undefined = as long as bytes come. */
  limitMs?: number | undefined;
}

/** Pieces of one size, of which the last one may be shorter; at least one. */
async function* inParts(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  let sent = false;
  for await (const piece of body) {
    pieces.push(piece);
    length += piece.length;
    if (length < size) continue;
    const all = Buffer.concat(pieces);
    let at = 0;
    for (; length - at >= size; at += size) yield all.subarray(at, at + size);
    sent = true;
    pieces = [all.subarray(at)];
    length -= at;
  }
  if (length > 0 || !sent) yield Buffer.concat(pieces);
}

/** Returns the texts of all elements with this name. S3 escapes the characters of keys. */
function tagged(xml: string, name: string): string[] {
  const texts = [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text = '']) => text);
  return texts.map((text) => text.replace(/&(amp|lt|gt|quot|apos);/g, (_, entity: string) => ENTITIES[entity] ?? ''));
}
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function failed(bucket: string, why: string, cause?: unknown): Refusal {
  const sentence = `The bucket ${bucket} cannot be used: ${why.replace(/\.$/, '')}.`;
  return new Refusal('unavailable', 's3-failed', sentence, { cause });
}
