import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { Attached, encodeHead } from '../../../../src/runtime/docker/attached.js';

/** What Docker sends of a container's output. */
function frame(text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(1);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

function connection(): { stream: Duplex; attached: Attached } {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  return { stream, attached: new Attached(stream) };
}

it('a head is its length and its parts, which may hold anything but zeros', () => {
  const head = encodeHead({
    ...{ umask: 0o077, log: '/log', socket: undefined, cwd: '/é', command: ['python', 'a b'] },
    environment: { A: 'x=1\n', B: '' },
  });
  const text = head.subarray(8).toString('utf8');
  expect(Number(head.subarray(0, 8).toString())).toBe(Buffer.byteLength(text));
  expect(text.split('\0')).toEqual(['63', '/log', '', '/é', '2', 'python', 'a b', 'A=x=1\n', 'B=']);
});

it('knows when the first step is done, however the bytes arrive', async () => {
  const { stream, attached } = connection();
  const ready = attached.ready(10_000);
  for (const byte of frame('ready\n')) stream.push(Buffer.from([byte]));
  expect(await ready).toBeUndefined();
});

it('returns what the first step says instead, where the connection ends', async () => {
  const { stream, attached } = connection();
  const ready = attached.ready(10_000);
  stream.push(Buffer.concat([frame('Traceback\n'), frame('PermissionError: /log\n')]));
  stream.push(null);
  expect(await ready).toBe('Traceback\nPermissionError: /log\n');
});

it('does not wait forever', async () => {
  expect(await connection().attached.ready(1)).toBe('it was not ready within 0.001 s');
});
