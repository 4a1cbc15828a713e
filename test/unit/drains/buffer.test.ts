import { expect, it } from 'vitest';
import {
  BATCH_LINES,
  LineBuffer,
  MAX_CHARACTERS,
  MAX_LINES,
  type Batch,
  type LogLine,
} from '../../../src/drains/buffer.js';

const line = (text: string): LogLine => ({ app: 'shop', release: 1, at: 0, text });
const many = (count: number): LogLine[] => Array.from({ length: count }, (_, number) => line(`line ${number}`));
const shown = ({ lines, dropped }: Batch) => ({ first: lines[0]?.text, count: lines.length, dropped });

it('gives lines back in their order, in batches', () => {
  const buffer = new LineBuffer();
  expect(buffer.isEmpty).toBe(true);
  buffer.push(many(BATCH_LINES + 2));
  expect(shown(buffer.take())).toEqual({ first: 'line 0', count: BATCH_LINES, dropped: 0 });
  expect(shown(buffer.take())).toEqual({ first: `line ${BATCH_LINES}`, count: 2, dropped: 0 });
  expect(buffer.isEmpty).toBe(true);
});

it('drops the oldest lines where there are too many, and counts them once', () => {
  const buffer = new LineBuffer();
  buffer.push(many(MAX_LINES + 7));
  expect(shown(buffer.take())).toEqual({ first: 'line 7', count: BATCH_LINES, dropped: 7 });
  expect(buffer.take().dropped).toBe(0);
});

it('drops the oldest lines where they are too long', () => {
  const buffer = new LineBuffer();
  for (let number = 0; number < 1_000; number += 1) buffer.push([line('x'.repeat(8_000))]);
  let characters = 0;
  let dropped = 0;
  let count = 0;
  while (!buffer.isEmpty) {
    const batch = buffer.take();
    for (const { text } of batch.lines) characters += text.length;
    dropped += batch.dropped;
    count += batch.lines.length;
  }
  expect(characters).toBeLessThanOrEqual(MAX_CHARACTERS);
  expect(count + dropped).toBe(1_000);
});

it('puts back what could not be sent, before what came meanwhile, with its count', () => {
  const buffer = new LineBuffer();
  buffer.push(many(MAX_LINES + 1));
  const batch = buffer.take();
  buffer.push(many(3));
  buffer.putBack(batch);
  // There is room for all but the three that came.
  expect(shown(buffer.take())).toEqual({ first: 'line 4', count: BATCH_LINES, dropped: 4 });
});
