import { expect, it } from 'vitest';
import { follow, readEvents, type ServerEvent } from '../../../src/cli/events.js';
import { unreachable } from '../../../src/cli/failures.js';
import { Refusal } from '../../../src/errors.js';

async function* bytes(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

async function* broken(...parts: string[]): AsyncGenerator<Uint8Array> {
  yield* bytes(...parts);
  throw new Error('aborted');
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const event of readEvents(stream)) found.push(event);
  return found;
}

it('readEvents parses names, ids and multi-line data, and skips comments', async () => {
  const text = 'retry: 2000\n\n: keep-alive\n\ndata: one\ndata: two\nid: 7\n\nevent: end\ndata: {}\n\n';
  expect(await all(bytes(text))).toEqual([
    { event: 'message', data: 'one\ntwo', id: '7' },
    { event: 'end', data: '{}', id: undefined },
  ]);
});

it('readEvents parses the same however the bytes are split', async () => {
  const whole = Buffer.from('data: 売上 🌊\r\nid: 1\r\n\r\ndata: b\rid: 2\r\rdata:c\n\n');
  const expected = await all(bytes(whole));
  expect(expected.map((event) => event.data)).toEqual(['売上 🌊', 'b', 'c']);
  for (let at = 1; at < whole.length; at += 1) {
    expect(await all(bytes(whole.subarray(0, at), whole.subarray(at)))).toEqual(expected);
  }
});

it('readEvents skips an event that was cut off', async () => {
  expect(await all(bytes('data: whole\n\ndata: half'))).toHaveLength(1);
});

it('follow resumes after the last id when the connection was lost, each line once', async () => {
  const asked: (string | undefined)[] = [];
  let lost = 0;
  const streams = [
    broken('data: a\n\ndata: b\nid: 2\n\ndata: c\n\n'),
    bytes('data: c\n\ndata: d\nid: 4\n\n'),
    bytes('event: end\ndata: {}\n\n'),
  ];
  const lines: string[] = [];
  const pieces = follow({
    open: async (lastId) => {
      asked.push(lastId);
      return streams.shift() ?? bytes();
    },
    patienceMs: 1_000,
    pauseMs: 1,
    lost: () => (lost += 1),
  });
  for await (const piece of pieces) {
    lines.push(...piece.map((event) => event.data));
    if (piece.some((event) => event.event === 'end')) break;
  }
  expect(lines).toEqual(['a', 'b', 'c', 'd', '{}']);
  expect(asked).toEqual([undefined, '2', '4']);
  expect(lost).toBe(2);
});

it('follow waits for a server that is away, and gives up when its patience is over', async () => {
  let tries = 0;
  const open = async (): Promise<AsyncIterable<Uint8Array>> => {
    tries += 1;
    if (tries === 1) return bytes('data: a\nid: 1\n\n');
    throw unreachable('gone');
  };
  const pieces = follow({ open, patienceMs: 300, pauseMs: 5 });
  await expect(pieces.next()).resolves.toMatchObject({ done: false });
  await expect(pieces.next()).rejects.toThrow('gone');
  expect(tries).toBeGreaterThan(2);
});

it('follow does not retry what the server refuses', async () => {
  let tries = 0;
  const open = async (): Promise<AsyncIterable<Uint8Array>> => {
    tries += 1;
    if (tries === 1) return bytes('data: a\nid: 1\n\n');
    throw new Refusal('not-found', 'app-not-found', 'There is no such app.');
  };
  const pieces = follow({ open, patienceMs: 10_000, pauseMs: 1 });
  await pieces.next();
  await expect(pieces.next()).rejects.toThrow('There is no such app.');
  expect(tries).toBe(2);
});

it('follow closes its stream when the reader stops', async () => {
  let ended = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (let id = 1; ; id += 1) yield Buffer.from(`data: x\nid: ${id}\n\n`);
    } finally {
      ended = true;
    }
  }
  for await (const _piece of follow({ open: async () => endless(), patienceMs: 0 })) break;
  expect(ended).toBe(true);
});
