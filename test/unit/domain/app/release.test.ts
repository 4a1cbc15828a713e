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

it('a release goes from the queue to its retirement', () => {
  const path = ['queued', 'building', 'starting', 'live', 'draining', 'retired'] as const;
  let one = release('queued');
  for (const state of path.slice(1)) one = transition(one, state);
  expect(one.state).toBe('retired');
});

it('a release starts over when it was interrupted, and only before it was live', () => {
  expect(releaseStates.filter((state) => canBecome(state, 'queued'))).toEqual(['building', 'starting']);
});

it('a release fails, is superseded or cancelled only before it is live, and never comes back from that', () => {
  for (const end of ['failed', 'superseded', 'cancelled'] as const) {
    expect(releaseStates.filter((state) => canBecome(state, end))).toEqual(['queued', 'building', 'starting']);
    expect(releaseStates.filter((state) => canBecome(end, state))).toEqual([]);
  }
});

it('a release never becomes live without having been started', () => {
  expect(canBecome('queued', 'live')).toBe(false);
  expect(canBecome('building', 'live')).toBe(false);
});

it('a release is pending exactly while there is something to do', () => {
  expect(releaseStates.filter(isPending)).toEqual(['queued', 'building', 'starting']);
});

it('a release takes facts with its state, and leaves the one before as it was', () => {
  const before = release('building');
  const after = transition(before, 'failed', { reason: 'no' });
  expect(after).toEqual({ ...before, state: 'failed', reason: 'no' });
  expect(before).toEqual(release('building'));
});

it('a release says which release and which states where a transition is forbidden', () => {
  expect(() => transition(release('live'), 'building')).toThrow('release 3: live cannot become building');
});

it('a release moves the branch only where its commit is a new one', () => {
  expect(releaseSources.filter((source) => movesBranch(release('live', source)))).toEqual(['push', 'upload', 'edit']);
});
