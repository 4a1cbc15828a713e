import { expect, it } from 'vitest';
import { createMask } from '../../../src/logs/mask.js';
import { maskStream } from '../../../src/logs/mask-stream.js';

async function masked(text: string, size: number): Promise<string> {
  const bytes = Buffer.from(text);
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  };
  let whole = '';
  for await (const part of maskStream(pieces(), createMask(['hunter2', 'schlüssel']))) whole += part;
  return whole;
}

it.each([1, 2, 3, 5, 7, 1_000])('a stream is masked in pieces of any size: %i bytes', async (size) => {
  expect(await masked('a hunter2\nb schlüssel\r\n\nhunter2 end', size)).toBe('a ••••\nb ••••\r\n\n•••• end');
});

it('a stream is masked in bounded memory if a line never ends', async () => {
  const text = `${'x'.repeat(524_284)}hunter2${'y'.repeat(600_000)}hunter2`;
  expect(await masked(text, 65_536)).toBe(text.replaceAll('hunter2', '••••'));
});

it('a stream may be empty', async () => {
  expect(await masked('', 10)).toBe('');
});
