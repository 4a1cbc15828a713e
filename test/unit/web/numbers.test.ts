import { describe, expect, it } from 'vitest';
import { presentBytes, presentSpan, presentTime } from '../../../src/web/numbers.js';

const now = new Date('2026-11-21T12:00:00Z');

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [9_949, '9.9 kB'],
    [9_960, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [187_300_000, '187 MB'],
    [5e15, '5000 TB'],
  ])('%d bytes are %s', (bytes, text) => expect(presentBytes(bytes)).toBe(text));

  it.each([
    [-5, '0 ms'],
    [850, '850 ms'],
    [4_200, '4.2 s'],
    [42_000, '42 s'],
    [59_600, '1 min 0 s'],
    [185_000, '3 min 5 s'],
    [7_800_000, '2 h 10 min'],
  ])('%d ms are %s', (ms, text) => expect(presentSpan(ms)).toBe(text));

  it.each([
    ['2026-11-21T12:00:30Z', 'just now'],
    ['2026-11-21T11:59:00Z', '1 min ago'],
    ['2026-11-21T07:00:00Z', '5 h ago'],
    ['2026-11-20T11:00:00Z', 'yesterday'],
    ['2026-11-11T12:00:00Z', '10 days ago'],
    ['2025-01-02T12:00:00Z', '2025-01-02'],
  ])('%s is %s', (iso, text) => expect(presentTime(iso, now).text).toBe(text));
});
