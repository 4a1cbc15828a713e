import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_LINE } from '../../../src/logs/lines.js';
import { tail } from '../../../src/logs/tail.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tail-'));
  file = join(folder, 'run.log');
});
afterEach(() => rm(folder, { recursive: true }));

it('tail is empty for a missing or empty file', async () => {
  expect(await tail(file, 10)).toEqual({ lines: [], offset: 0, truncated: false });
  await writeFile(file, '');
  expect(await tail(file, 10)).toEqual({ lines: [], offset: 0, truncated: false });
});

it('tail returns the last lines, oldest first, and says whether there are more', async () => {
  await writeFile(file, 'one\ntwo\n\nfour\n');
  expect(await tail(file, 2)).toEqual({ lines: ['', 'four'], offset: 14, truncated: true });
  expect(await tail(file, 4)).toEqual({ lines: ['one', 'two', '', 'four'], offset: 14, truncated: false });
  expect(await tail(file, 0)).toEqual({ lines: [], offset: 14, truncated: true });
});

it('tail returns a last line that is still being written', async () => {
  await writeFile(file, 'one\nhal');
  expect(await tail(file, 5)).toEqual({ lines: ['one', 'hal'], offset: 7, truncated: false });
});

it('tail leaves half a character at the end to the follower', async () => {
  const bytes = Buffer.from('one\nab🎈');
  await writeFile(file, bytes.subarray(0, -2));
  expect(await tail(file, 5)).toEqual({ lines: ['one', 'ab'], offset: 6, truncated: false });
});

it('tail agrees with reading the whole file, for any lines and block boundaries', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'é', '日', '🎈'), maxLength: 200 });
  const part = fc.tuple(line, fc.integer({ min: 1, max: 400 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 6 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 900 }),
      async (parts, closed, count) => {
        const lines = parts.flatMap(([text, times]) => Array.from({ length: times }, () => text));
        if (lines.length > 0 && !closed) lines.push('end');
        const text = lines.join('\n') + (closed && lines.length > 0 ? '\n' : '');
        await writeFile(file, text);
        const found = await tail(file, count);
        expect(found.lines).toEqual(lines.slice(-count));
        expect(found.truncated).toBe(lines.length > count);
        expect(found.offset).toBe(Buffer.byteLength(text));
      },
    ),
    { numRuns: 60 },
  );
});

it('tail truncates lines of megabytes and still finds those before them', async () => {
  await writeFile(file, `first\n${'é'.repeat(1_000_000)}\nlast\n`);
  const { lines, truncated } = await tail(file, 3);
  expect(lines.map((line) => line.slice(0, 5))).toEqual(['first', 'ééééé', 'last']);
  expect(lines[1]).toHaveLength(MAX_LINE);
  expect(truncated).toBe(false);
});

it('tail finds what is before a line that is longer than all that is kept', async () => {
  await writeFile(file, `one\ntwo\n${'x'.repeat(5_000_000)}\nlast\n`);
  const { lines, truncated } = await tail(file, 3);
  expect(lines.map((line) => line.slice(0, 4))).toEqual(['two', 'xxxx', 'last']);
  expect(truncated).toBe(true);
});

it('tail reads no further back than its limit', async () => {
  await writeFile(file, `${'x'.repeat(99)}\n`.repeat(10_000));
  const found = await tail(file, 10_000, { maxBytes: 10_000 });
  expect(found.lines).toHaveLength(100);
  expect(found.truncated).toBe(true);
  // One line without an end, of a terabyte that is not really there.
  await writeFile(file, '');
  await truncate(file, 2 ** 40);
  expect(await tail(file, 5)).toMatchObject({ truncated: true, offset: 2 ** 40 });
});

it("tail returns plain text: no colours, and a progress bar's last state", async () => {
  await writeFile(file, '\u001b[32mgreen\u001b[0m\r\n10%\r50%\r100%\n');
  expect((await tail(file, 5)).lines).toEqual(['green', '100%']);
});
