import { expect, it } from 'vitest';
import { cut, harmless, harmlessLine, pad, withoutTime, widthOf } from '../../../src/cli/text.js';

it.each([
  ['hello', 5],
  ['', 0],
  ['売上', 4],
  ['héllo', 5],
  ['he\u0301llo', 5],
  ['한국어', 6],
  ['🌊', 2],
  ['👩‍👩‍👧', 2],
  ['ｆｕｌｌ', 8],
  ['naïve – “x”', 11],
])('%s takes %i columns', (text, columns) => {
  expect(widthOf(text)).toBe(columns);
});

it('pad and cut count columns, not characters', () => {
  expect(pad('売上', 6)).toBe('売上  ');
  expect(pad('7', 3, 'right')).toBe('  7');
  expect(pad('longer', 3)).toBe('longer');
});

it('pad and cut never split a wide character', () => {
  expect(cut('売上報告', 8)).toBe('売上報告');
  expect(cut('売上報告', 6)).toBe('売上…');
  expect(widthOf(cut('売上報告', 6))).toBeLessThanOrEqual(6);
  expect(cut('message', 4)).toBe('mes…');
});

it('a followed deploy shows lines without their time, as git push does', () => {
  expect(withoutTime('[2026-11-26T21:08:22.660Z]    0.0s  Checked out')).toBe('   0.0s  Checked out');
  expect(withoutTime('[not a time] text')).toBe('[not a time] text');
});

it("control characters in others' text cannot move the cursor from a cell", () => {
  expect(harmless('a\x1b[2Jb\nc\u202ed')).toBe('a?[2Jb?c?d');
  expect(harmless('売上 🌊')).toBe('売上 🌊');
});

it('a log line keeps its colours and tabs, and no other control characters', () => {
  expect(harmlessLine('\x1b[31mred\x1b[0m\tx')).toBe('\x1b[31mred\x1b[0m\tx');
  expect(harmlessLine('a\x1b[2Jb\x1b[1;1Hc\x07d\x1b]0;title\x07e')).toBe('abcd]0;titlee');
});
