import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineSplitter, MAX_LINE, plainBytes, plainLine } from '../../../src/logs/lines.js';

function split(chunks: Uint8Array[]): string[] {
  const splitter = new LineSplitter();
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

function inChunks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

it('LineSplitter returns the same lines however the bytes are split, even within characters', () => {
  const text = 'déjà vu\n日本語 🎈\r\nplain\n\nlast';
  for (let size = 1; size <= 8; size += 1) {
    expect(split(inChunks(Buffer.from(text), size))).toEqual(['déjà vu', '日本語 🎈', 'plain', '', 'last']);
  }
});

it('LineSplitter returns the same lines for any text and any split', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.nat(0x10ffff).map((code) => String.fromCodePoint(code)), maxLength: 30 })),
      fc.integer({ min: 1, max: 9 }),
      (texts, size) => {
        const bytes = Buffer.from(texts.join('\n'));
        expect(split(inChunks(bytes, size))).toEqual(split([bytes]));
      },
    ),
  );
});

it('LineSplitter keeps only the last state of a progress bar', () => {
  const bar = Array.from({ length: 101 }, (_, percent) => `\r${percent}%`).join('');
  expect(split(inChunks(Buffer.from(`start\n${bar}\nend\r\n`), 7))).toEqual(['start', '100%', 'end']);
});

it('LineSplitter truncates a line of many megabytes and continues with the next', () => {
  const splitter = new LineSplitter();
  const chunk = Buffer.alloc(64 * 1024, 'x');
  for (let count = 0; count < 200; count += 1) expect(splitter.push(chunk)).toEqual([]);
  const [long, next] = splitter.push(Buffer.from('y\nnext\n'));
  expect(long).toHaveLength(MAX_LINE);
  expect(long?.endsWith('x…')).toBe(true);
  expect(next).toBe('next');
});

it('LineSplitter collapses a progress bar of many megabytes without a newline', () => {
  const splitter = new LineSplitter();
  for (let count = 0; count < 20_000; count += 1) splitter.push(Buffer.from(`\r${'#'.repeat(100)} ${count}`));
  expect(splitter.push(Buffer.from('\rdone\n'))).toEqual(['done']);
});

it('plainLine removes colours, titles and every other terminal control, but not tabs', () => {
  expect(plainLine('\u001b[1;31mred\u001b[0m \u001b]0;title\u0007text\u0008\u0000\tend')).toBe('red text\tend');
});

it('plainLine does not split a character', () => {
  const line = plainLine(`${'x'.repeat(MAX_LINE - 2)}${'🎈'.repeat(10)}`);
  expect(line).toBe(`${'x'.repeat(MAX_LINE - 2)}…`);
});

it('plainLine marks a line of which only the beginning was read', () => {
  const line = plainBytes(Buffer.from(`short\u001b[0m${'\u0000'.repeat(200_000)}`));
  expect(line).toBe('short…');
});
