import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  APP_ID,
  appSchema,
  appState,
  findRelease,
  idFromName,
  newApp,
  parseAppId,
  pendingRelease,
  printable,
  type App,
} from '../../../../src/domain/app/app.js';
import type { ReleaseState } from '../../../../src/domain/app/release.js';
import { Refusal } from '../../../../src/errors.js';
import { releaseOf } from '../../../helpers/release.js';

function app(states: ReleaseState[], more: Partial<App> = {}): App {
  const releases = states.map((state, index) => releaseOf(index + 1, state));
  return { ...newApp('hello', 'Hello', new Date(0)), releases, lastRelease: releases.length, ...more };
}

it.each(['ab', 'a1', '1a', 'a-b', `a${'b'.repeat(61)}c`])('the id of an app may be %s', (id) => {
  expect(parseAppId(id)).toBe(id);
});

it.each(['', 'a', '-ab', 'ab-', 'Ab', 'a_b', 'a.b', 'a/b', '..', 'ä', 'a b', 'a'.repeat(64), 'ab\n', 'a\0b'])(
  'the id of an app may not be %j',
  (id) => {
    expect(() => parseAppId(id)).toThrow(Refusal);
    expect(() => parseAppId(id)).toThrow('is not a valid app id. Use 2 to 63 of a-z, 0-9 and "-"');
  },
);

it.each(['api', 'console', 'git', 'apps'])('the id of an app may not be the reserved word %s', (id) => {
  expect(() => parseAppId(id)).toThrow(`The app id "${id}" is reserved. Choose another one.`);
});

it.each([
  ['Sales Report', 'sales-report'],
  ['  Ärger & Größe  ', 'arger-gro-e'],
  ['売上', 'app'],
  ['🚀', 'app'],
  ['a', 'a-app'],
  ['API', 'api-app'],
  ['---', 'app'],
  ['x'.repeat(80), 'x'.repeat(50)],
])('the id of an app is derived from the name %j', (name, id) => {
  expect(idFromName(name)).toBe(id);
});

it('the id of an app is valid for any name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 120 }), (name) => {
      expect(parseAppId(idFromName(name))).toMatch(APP_ID);
    }),
  );
});

it.each([
  [app([]), undefined, 'created'],
  [app(['queued']), undefined, 'deploying'],
  [app(['failed', 'building']), undefined, 'deploying'],
  [app(['failed']), undefined, 'failed'],
  [app(['cancelled']), undefined, 'failed'],
  [app(['live'], { live: 1 }), 'ready', 'running'],
  [app(['live'], { live: 1 }), 'starting', 'starting'],
  [app(['live'], { live: 1 }), undefined, 'starting'],
  [app(['live'], { live: 1 }), 'crashed', 'crashed'],
  [app(['live'], { live: 1, wanted: 'stopped' }), undefined, 'stopped'],
  [app(['live'], { live: 1, wanted: 'stopped' }), 'ready', 'stopped'],
  // A deploy that fails or goes on changes nothing of what serves.
  [app(['live', 'failed'], { live: 1 }), 'ready', 'running'],
  [app(['live', 'building'], { live: 1 }), 'ready', 'running'],
] as const)('the state of an app is derived from its releases and its process: case %#', (one, process, state) => {
  expect(appState(one, process)).toBe(state);
});

it('an in-place app that should not run is stopped, however its last start ended', () => {
  const place = { key: 'a', dir: '/a', restartOnCrash: true, watch: false };
  expect(appState(app(['failed'], { place, wanted: 'stopped' }), undefined)).toBe('stopped');
  expect(appState(app(['failed'], { place }), undefined)).toBe('failed');
  expect(appState(app(['failed'], { wanted: 'stopped' }), undefined)).toBe('failed');
});

it('the releases of an app are found by their number', () => {
  expect(findRelease(app(['retired', 'live']), 2)?.state).toBe('live');
  expect(findRelease(app(['live']), 7)).toBeUndefined();
  expect(findRelease(app(['live']), null)).toBeUndefined();
});

it('the releases of an app have at most one pending one that counts: the newest', () => {
  expect(pendingRelease(app(['building', 'queued', 'failed']))?.number).toBe(2);
  expect(pendingRelease(app(['live', 'failed']))).toBeUndefined();
});

it('the record of an app is read back as written', () => {
  const one = app(['retired', 'live'], { live: 2 });
  expect(appSchema.parse(JSON.parse(JSON.stringify(one)))).toEqual(one);
});

it('the record of an app is refused with an invalid id', () => {
  expect(appSchema.safeParse({ ...app([]), id: '../x' }).success).toBe(false);
});

it('an outside name in a sentence loses control characters, and is shortened', () => {
  expect(printable('a\u001b[31mb\nc\u202ed')).toBe('a?[31mb?c?d');
  expect(printable('y'.repeat(200))).toHaveLength(80);
  expect(printable('Größe 売上 (1).csv')).toBe('Größe 売上 (1).csv');
});
