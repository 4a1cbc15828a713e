import { expect, it } from 'vitest';
import { folderOf, queuedRelease, type DeployRequest, type Found } from '../../../src/deploys/request.js';
import { system } from '../../../src/domain/access/principal.js';
import { newApp } from '../../../src/domain/app/app.js';
import { releaseOf } from '../../helpers/release.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const LIVE = releaseOf(4, 'live', { config: 3, fresh: '2026-02-01T00:00:00.000Z' });
const APP = { ...newApp('shop', 'Shop', NOW), live: 4, lastRelease: 6, releases: [LIVE], config: 7 };

const request = (facts: Partial<DeployRequest> = {}): DeployRequest => ({
  ...{ app: 'shop', commit: 'a'.repeat(40), branch: 'main', by: system('ada'), source: 'push' },
  ...facts,
});
const found = (facts: Partial<Found> = {}): Found => ({
  ...{ message: 'Change', previous: undefined, folder: undefined, layout: undefined, now: NOW },
  ...facts,
});

it("a push becomes the next release, with the app's newest config and the packages of the live release", () => {
  expect(queuedRelease(request(), APP, found({ previous: 'b'.repeat(40), message: 'x'.repeat(300) }))).toEqual({
    number: 7,
    commit: 'a'.repeat(40),
    branch: 'main',
    source: 'push',
    by: 'ada',
    message: 'x'.repeat(200),
    state: 'queued',
    createdAt: NOW.toISOString(),
    config: 7,
    previous: 'b'.repeat(40),
    fresh: LIVE.fresh,
  });
});

it('a request for fresh packages gets those of its own moment', () => {
  expect(queuedRelease(request({ fresh: true }), APP, found()).fresh).toBe(NOW.toISOString());
});

it('a rollback has the config, the layout, the packages and the environment of the release that it rolls back to', () => {
  const layout = { root: 'web', entrypoint: 'main.py' };
  const of = releaseOf(2, 'retired', { config: 1, layout, entrypoint: 'main.py', environment: 'e1' });
  const release = queuedRelease(request({ source: 'rollback', of }), APP, found({ layout: { root: 'other' } }));
  expect(release).toMatchObject({ number: 7, of: 2, config: 1, layout, entrypoint: 'main.py', environment: 'e1' });
  expect(release.fresh).toBeUndefined();
});

it('a release of a folder says which one, also when it is repeated', () => {
  const folder = { dir: '/srv/apps/shop' };
  expect(folderOf(request({ folder: { ...folder, why: 'changed' } }))).toEqual(folder);
  expect(folderOf(request({ of: releaseOf(2, 'retired', { folder }) }))).toEqual(folder);
  expect(folderOf(request())).toBeUndefined();
});
