import { expect, it } from 'vitest';
import { Phases } from '../../../src/deploys/phases.js';

it('a phase lasts until the next one begins, and the last one until now', () => {
  let now = 0;
  const phases = new Phases(() => now);
  expect(phases.list()).toEqual([]);
  phases.begin('checkout');
  now = 40.4;
  phases.begin('environment');
  now = 2_040;
  expect(phases.list()).toEqual([
    { name: 'checkout', ms: 40 },
    { name: 'environment', ms: 2_000 },
  ]);
});

it('a deploy that starts over counts its first phase again', () => {
  let now = 0;
  const phases = new Phases(() => now);
  for (const name of ['checkout', 'environment', 'checkout'] as const) {
    phases.begin(name);
    now += 100;
  }
  expect(phases.list()).toEqual([{ name: 'checkout', ms: 100 }]);
});

it('a phase that continues is the last one, with the time that it took before', () => {
  let now = 0;
  const phases = new Phases(() => now);
  phases.begin('start');
  now = 100;
  phases.begin('check');
  now = 150;
  phases.resume('start');
  now = 180;
  expect(phases.list()).toEqual([
    { name: 'check', ms: 50 },
    { name: 'start', ms: 130 },
  ]);
});
