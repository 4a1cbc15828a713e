import { expect, it } from 'vitest';
import { encodeFrame, FrameReader } from '../../../../src/runtime/swarm/frames.js';

it('frames are put together again, however they were cut', () => {
  const bytes = Buffer.concat([encodeFrame('L', 'one'), encodeFrame('U'), encodeFrame('X', Buffer.from([0, 255]))]);
  for (const size of [1, 2, 3, 5, 7, bytes.length]) {
    const reader = new FrameReader();
    const heard: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      for (const { kind, payload } of reader.read(bytes.subarray(at, at + size)))
        heard.push(kind + payload.toString('hex'));
    expect(heard).toEqual(['L6f6e65', 'U', 'X00ff']);
  }
});

it('a frame that is too large is refused before it is kept', () => {
  const huge = Buffer.from([0x4c, 0x7f, 0xff, 0xff, 0xff]);
  expect(() => new FrameReader().read(huge)).toThrow('a frame of 2147483647 bytes');
});
