import { expect, it } from 'vitest';
import {
  canBecome,
  isPending,
  movesBranch,
  releaseSources,
  releaseStates,
  transition,
  type Release,
} from '../../../../src/domain/app/release.js';
import { releaseOf } from '../../../helpers/release.js';

function release(state: Release['state'], source: Release['source'] = 'push'): Release {
  return releaseOf(3, state, { source, message: 'Hello' });
}

it('a release goes from queued to retired', () => {
  const path = ['queued', 'building', 'starting', 'live', 'draining', 'retired'] as const;
  let one = release('queued');
  for (const state of path.slice(1)) one = transition(one, state);
  expect(one.state).toBe('retired');
});

it('a release starts over after an interruption, and only before it was live', () => {
  expect(releaseStates.filter((state) => canBecome(state, 'queued'))).toEqual(['building', 'starting']);
});

it('a release fails, is superseded or cancelled only before it is live, and that is final', () => {
  for (const end of ['failed', 'superseded', 'cancelled'] as const) {
    expect(releaseStates.filter((state) => canBecome(state, end))).toEqual(['queued', 'building', 'starting']);
    expect(releaseStates.filter((state) => canBecome(end, state))).toEqual([]);
  }
});

it('a release never goes live without having been started', () => {
  expect(canBecome('queued', 'live')).toBe(false);
  expect(canBecome('building', 'live')).toBe(false);
});

it('a release is pending exactly while there is work left', () => {
  expect(releaseStates.filter(isPending)).toEqual(['queued', 'building', 'starting']);
});

it('a release takes facts with its new state, and the previous value is unchanged', () => {
  const before = release('building');
  const after = transition(before, 'failed', { reason: 'no' });
  expect(after).toEqual({ ...before, state: 'failed', reason: 'no' });
  expect(before).toEqual(release('building'));
});

it('a forbidden transition names the release and both states', () => {
  expect(() => transition(release('live'), 'building')).toThrow('release 3: live cannot become building');
});

it('a release moves the branch only if its commit is new', () => {
  expect(releaseSources.filter((source) => movesBranch(release('live', source)))).toEqual(['push', 'upload', 'edit']);
});
