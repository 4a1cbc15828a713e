import type { Release } from '../../src/domain/app/release.js';

/** A release as a record has it: pushed by Ada, and otherwise as a test says. */
export function releaseOf(number: number, state: Release['state'], facts: Partial<Release> = {}): Release {
  return {
    number,
    commit: 'c'.repeat(40),
    branch: 'main',
    source: 'push',
    by: 'ada',
    message: '',
    state,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...facts,
  };
}
