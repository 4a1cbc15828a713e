import { beforeEach, describe, expect, it } from 'vitest';
import { FrameReader } from '../../../src/gateway/frame-reader.js';

let heard: string[];
beforeEach(() => (heard = []));

/** A reader of messages that begin with "+", of which only the second character tells. */
function reader(): FrameReader {
  return new FrameReader(
    (beginning) => (beginning.length < 2 ? undefined : beginning[1] === 43),
    (message) => void heard.push(message.toString()),
  );
}

/** A frame as a server sends it. */
function frame(content: string | Buffer, { first = 0x82, mask = false } = {}): Buffer {
  const payload = Buffer.from(content);
  const bit = mask ? 0x80 : 0;
  const { length } = payload;
  const size =
    length < 126
      ? Buffer.from([length | bit])
      : length < 65_536
        ? Buffer.from([126 | bit, length >> 8, length & 0xff])
        : Buffer.concat([Buffer.from([127 | bit]), sizeOf(length)]);
  return Buffer.concat([Buffer.from([first]), size, Buffer.alloc(mask ? 4 : 0), payload]);
}

function sizeOf(length: number): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(length));
  return size;
}

const LARGE = Buffer.alloc(100_000, '+');
const STREAM = Buffer.concat([
  frame('a+one'),
  frame('a-two'),
  frame(''),
  frame('x'),
  frame(`b+${'y'.repeat(1_000)}`),
  frame(LARGE),
  frame('ping', { first: 0x89 }),
  frame('c+end'),
]);

describe('push', () => {
  it.each([1, 2, 3, 7, 100, 4_096, STREAM.length])('finds the same messages in pieces of %d bytes', (size) => {
    const frames = reader();
    for (let at = 0; at < STREAM.length; at += size) frames.push(STREAM.subarray(at, at + size));
    expect(heard).toEqual(['a+one', `b+${'y'.repeat(1_000)}`, 'c+end']);
    expect(frames.take()).toBe(7);
    expect(frames.take()).toBe(0);
  });

  it('reads no message that is compressed, masked or in parts, and counts it once', () => {
    const frames = reader();
    frames.push(frame('a+compressed', { first: 0xc2 }));
    frames.push(frame('a+masked', { mask: true }));
    frames.push(frame('a+begun', { first: 0x02 }));
    frames.push(frame('a+continued', { first: 0x80 }));
    frames.push(frame('a+whole'));
    expect(heard).toEqual(['a+whole']);
    expect(frames.take()).toBe(4);
  });

  it('waits for no more of a message than it may hold', () => {
    const frames = new FrameReader(
      () => undefined,
      (message) => void heard.push(message.toString()),
    );
    frames.push(frame('?'.repeat(10_000)).subarray(0, 9_000));
    frames.push(Buffer.from('?'.repeat(1_004)));
    frames.push(frame('next'));
    expect(heard).toEqual([]);
    expect(frames.take()).toBe(2);
  });

  it('lives with a length that no message can have', () => {
    const frames = reader();
    frames.push(Buffer.from([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]));
    for (let more = 0; more < 3; more += 1) frames.push(Buffer.alloc(1_000_000));
    expect(frames.take()).toBe(1);
  });
});
