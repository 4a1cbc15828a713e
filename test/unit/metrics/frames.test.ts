import { describe, expect, it } from 'vitest';
import { beginJournal, frame, JOURNAL, readJournal } from '../../../src/metrics/frames.js';

const begin = beginJournal();
const whole = Buffer.concat([begin, frame(Buffer.from('first')), frame(Buffer.from('second'))]);
const texts = (bytes: Buffer): string[] => readJournal(bytes).frames.map(String);

describe('readJournal', () => {
  it('reads all frames', () => {
    expect(readJournal(whole)).toMatchObject({ state: 'whole', good: whole.length });
    expect(texts(whole)).toEqual(['first', 'second']);
  });

  it('loses the last frame alone, wherever a crash has cut it off', () => {
    const first = begin.length + frame(Buffer.from('first')).length;
    for (let length = first + 1; length < whole.length; length += 1) {
      const cut = readJournal(whole.subarray(0, length));
      expect(cut).toMatchObject({ state: 'torn', good: first });
      expect(cut.frames.map(String)).toEqual(['first']);
    }
  });

  it('takes a last frame whose content did not reach the disk as torn', () => {
    const bytes = Buffer.from(whole);
    bytes.fill(0, bytes.length - 3);
    expect(readJournal(bytes).state).toBe('torn');
    expect(texts(bytes)).toEqual(['first']);
  });

  it('stops at damage before the end', () => {
    const bytes = Buffer.from(whole);
    bytes[begin.length + 9] = 0;
    expect(readJournal(bytes)).toMatchObject({ state: 'damaged', frames: [], good: begin.length });
  });

  it('tells a newer version from damage', () => {
    const bytes = Buffer.from(whole);
    bytes[JOURNAL.length - 1] = 200;
    expect(readJournal(bytes)).toMatchObject({ state: 'newer', good: 0 });
    expect(readJournal(Buffer.from('something else')).state).toBe('damaged');
  });
});
