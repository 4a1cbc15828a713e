import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parsePlace } from '../../../src/backup/place.js';
import { Bucket } from '../../../src/backup/s3.js';

const MIB = 1024 * 1024;
/** What the service was asked, and the sizes of the parts that came. */
let asked: string[];
let parts: number[];
let server: Server;
let bucket: Bucket;
/** Answers in the place of the service. */
let fail: ((asked: string) => string | undefined) | undefined;

beforeEach(async () => {
  [asked, parts, fail] = [[], [], undefined];
  server = createServer((request, response) => {
    let size = 0;
    request.on('data', (chunk: Buffer) => (size += chunk.length));
    request.on('end', () => {
      const what = `${request.method} ${request.url}`;
      asked.push(what);
      const problem = fail?.(what);
      if (problem !== undefined) return response.writeHead(403).end(`<Error><Message>${problem}</Message></Error>`);
      expect(request.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=key\//);
      if (request.method === 'PUT') parts.push(size);
      response.setHeader('etag', `"${parts.length}"`);
      if (request.url?.endsWith('?uploads=') === true || request.url?.endsWith('?uploads') === true)
        return response.end('<UploadId>up/1</UploadId>');
      if (request.url?.includes('list-type') === true)
        return response.end('<Key>b/2&amp;3.tar.gz</Key><Key>b/1.tar.gz</Key>');
      response.end('<ETag>done</ETag>');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  bucket = new Bucket({ keyId: 'key', secret: 'secret', region: 'eu-west-1', endpoint }, 'ours');
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

async function* chunks(number: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < number; at += 1) yield await Promise.resolve(Buffer.alloc(MIB));
}

it('a stream is sent in parts of one size, of which the last one is shorter', async () => {
  await bucket.put('b/one.tar.gz', chunks(70));
  expect(parts).toEqual([32 * MIB, 32 * MIB, 6 * MIB]);
  expect(asked.at(-1)).toBe('POST /ours/b/one.tar.gz?uploadId=up%2F1');
});

it('an upload that fails leaves no parts behind, and its error has the reason', async () => {
  fail = (what) => (what.startsWith('PUT') ? 'Access Denied' : undefined);
  await expect(bucket.put('one', chunks(1))).rejects.toMatchObject({
    code: 's3-failed',
    message: 'The bucket ours cannot be used: Access Denied.',
  });
  expect(asked.at(-1)).toBe('DELETE /ours/one?uploadId=up%2F1');
});

it('keys are listed in their order', async () => {
  expect(await bucket.list('b/')).toEqual(['b/1.tar.gz', 'b/2&3.tar.gz']);
});

it.each([
  ['s3://ours', { bucket: 'ours', key: '' }],
  ['s3://ours/', { bucket: 'ours', key: '' }],
  ['s3://ours/daily/here/', { bucket: 'ours', key: 'daily/here' }],
  ['s3://Ours', undefined],
  ['s3://ours/../theirs', undefined],
  ['/srv/backups', undefined],
])('%s is the place %o', (text, place) => expect(parsePlace(text)).toEqual(place));
