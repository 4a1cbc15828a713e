import { expect, it } from 'vitest';
import {
  compactBytes,
  compactSpan,
  formatBytes,
  formatMebibytes,
  formatSeconds,
  formatSpan,
} from '../../../src/lib/units.js';

it.each([
  [0, '0 B'],
  [5, '5 B'],
  [999, '999 B'],
  [1_000, '1 kB'],
  [1_400, '1.4 kB'],
  [9_949, '9.9 kB'],
  [9_960, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1 MB'],
  [187_300_000, '187 MB'],
  [5e15, '5000 TB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

it('a size just over its limit does not read as the limit', () => {
  expect(formatMebibytes(100 * 1024 * 1024)).toBe('100 MB');
  expect(formatMebibytes(100 * 1024 * 1024 + 1)).toBe('101 MB');
  expect(formatMebibytes(1_572_864)).toBe('1.5 MB');
});

it.each([
  [-5, '0 ms'],
  [850, '850 ms'],
  [999.6, '1 s'],
  [4_000, '4 s'],
  [4_200, '4.2 s'],
  [9_970, '10 s'],
  [42_000, '42 s'],
  [59_600, '1 min'],
  [185_000, '3 min 5 s'],
  [600_000, '10 min'],
  [7_200_000, '2 h'],
  [7_800_000, '2 h 10 min'],
])('%d ms are %s', (ms, text) => expect(formatSpan(ms)).toBe(text));

it('a span in seconds keeps its decimal', () => {
  expect(formatSeconds(4_000)).toBe('4.0 s');
  expect(formatSeconds(75_340)).toBe('75.3 s');
});

it.each([
  [0, '0s'],
  [59.9, '59s'],
  [312, '5m12s'],
  [3 * 3_600 + 240, '3h4m'],
  [2 * 86_400 + 5 * 3_600, '2d5h'],
  [-3, '0s'],
])('%d seconds in a table are %s', (seconds, text) => expect(compactSpan(seconds)).toBe(text));

it('memory in a table has one unit and no space', () => {
  expect(compactBytes(58 * 1024 * 1024)).toBe('58MB');
  expect(compactBytes(1_536 * 1024 * 1024)).toBe('1.5GB');
});
