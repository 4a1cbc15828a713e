import { describe, expect, it } from 'vitest';
import { presentTime } from '../../../src/web/numbers.js';

const now = new Date('2026-11-21T12:00:00Z');

describe('numbers for people', () => {
  it.each([
    ['2026-11-21T12:00:30Z', 'just now'],
    ['2026-11-21T11:59:00Z', '1 min ago'],
    ['2026-11-21T07:00:00Z', '5 h ago'],
    ['2026-11-20T11:00:00Z', 'yesterday'],
    ['2026-11-11T12:00:00Z', '10 days ago'],
    ['2025-01-02T12:00:00Z', '2025-01-02'],
  ])('%s is %s', (iso, text) => expect(presentTime(iso, now).text).toBe(text));
});
