import { AwsClient } from 'aws4fetch';
import { Refusal } from '../errors.js';
import type { S3Access } from './place.js';

/** How much is sent at once, in bytes; S3 takes no less than 5 MiB, and 10,000 of them. */
const PART = 32 * 1024 * 1024;

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

  /** Uploads a stream of unknown length in parts; what was sent of one that fails is deleted. @throws Refusal `s3-failed` */
  async put(key: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    const begun = await this.#ask('POST', `${this.#path(key)}?uploads`);
    const id = encodeURIComponent(tagged(begun, 'UploadId')[0] ?? '');
    try {
      const tags: string[] = [];
      for await (const part of inParts(body, PART)) {
        const answer = await this.#send('PUT', `${this.#path(key)}?partNumber=${tags.length + 1}&uploadId=${id}`, part);
        tags.push(answer.headers.get('etag') ?? '');
      }
      const list = tags.map((tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
      const xml = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`;
      const done = await this.#ask('POST', `${this.#path(key)}?uploadId=${id}`, xml);
      // Also a failure may come with 200 here.
      if (tagged(done, 'ETag').length === 0) throw failed(this.#name, tagged(done, 'Message')[0] ?? 'no answer');
    } catch (error) {
      // The first error is the one that is told.
      await this.#ask('DELETE', `${this.#path(key)}?uploadId=${id}`).catch(() => undefined);
      throw error;
    }
  }

  /** @throws Refusal `s3-failed` */
  async get(key: string): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.#send('GET', this.#path(key));
    if (body === null) throw failed(this.#name, `${key} is empty`);
    return body as ReadableStream<Uint8Array>;
  }

  /** The keys that begin with a prefix, in order; 1,000 at the most. @throws Refusal `s3-failed` */
  async list(prefix: string): Promise<string[]> {
    return tagged(await this.#ask('GET', `?list-type=2&prefix=${encodeURIComponent(prefix)}`), 'Key').sort();
  }

  /** @throws Refusal `s3-failed` */
  async remove(key: string): Promise<void> {
    await this.#ask('DELETE', this.#path(key));
  }

  #path(key: string): string {
    return `/${key.split('/').map(encodeURIComponent).join('/')}`;
  }

  async #ask(method: string, path: string, body?: string): Promise<string> {
    return (await this.#send(method, path, body)).text();
  }

  async #send(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>): Promise<Response> {
    let answer: Response;
    try {
      answer = await this.#client.fetch(`${this.#base}${path}`, { method, ...(body === undefined ? {} : { body }) });
    } catch (error) {
      throw failed(this.#name, 'it cannot be reached', error);
    }
    if (answer.ok) return answer;
    const text = await answer.text();
    throw failed(this.#name, tagged(text, 'Message')[0] ?? `it answered ${answer.status}`);
  }
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
  return new Refusal('unavailable', 's3-failed', `The bucket ${bucket} refused: ${why.replace(/\.$/, '')}.`, { cause });
}
