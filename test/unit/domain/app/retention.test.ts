import { expect, it } from 'vitest';
import { newApp, type App } from '../../../../src/domain/app/app.js';
import type { ReleaseState } from '../../../../src/domain/app/release.js';
import { releasesToDrop } from '../../../../src/domain/app/retention.js';
import { releaseOf } from '../../../helpers/release.js';

/** An app whose releases 1, 2, 3 … are in these states. */
function app(...states: ReleaseState[]): App {
  const releases = states.map((state, index) => releaseOf(index + 1, state));
  return { ...newApp('hello', 'Hello', new Date(0)), releases };
}

it('no releases are dropped while few have served, so recent failures can still be read', () => {
  expect(releasesToDrop(app('superseded', 'failed', 'live'), 3)).toEqual([]);
  expect(releasesToDrop(app(), 3)).toEqual([]);
});

it('releases older than the newest that served are dropped, with the failures before them', () => {
  expect(releasesToDrop(app('failed', 'retired', 'failed', 'retired', 'cancelled', 'live'), 2)).toEqual([1, 2, 3]);
});

it('live, draining and pending releases are never dropped', () => {
  expect(releasesToDrop(app('queued', 'draining', 'live', 'retired', 'retired', 'retired'), 1)).toEqual([4, 5]);
  expect(releasesToDrop(app('retired', 'live', 'building', 'starting', 'queued'), 1)).toEqual([1]);
});

it('the older releases in a series of failures are dropped', () => {
  expect(releasesToDrop(app('live', 'failed', 'failed', 'failed', 'failed'), 2)).toEqual([2, 3]);
});
