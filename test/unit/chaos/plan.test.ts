import { expect, it } from 'vitest';
import { ACTIVITIES, FAULTS, planRound } from '../../chaos/plan.js';
import { strangeLines } from '../../chaos/server-log.js';

const plans = Array.from({ length: 500 }, (_, round) => planRound(1, round));

it('plans a round from its seed and number alone', () => {
  expect(plans.map(({ round }) => planRound(1, round))).toEqual(plans);
  expect(planRound(2, 0)).not.toEqual(planRound(1, 0));
});

it('lets everything fail, during everything, within 500 rounds', () => {
  expect(new Set(plans.map(({ fault }) => fault))).toEqual(new Set(FAULTS));
  expect(new Set(plans.map(({ activity }) => activity))).toEqual(new Set(ACTIVITIES));
  expect(plans.every(({ app, beside }) => app !== beside)).toBe(true);
});

it('tells an error that nobody foresaw from one that the fault explains', () => {
  const line = (level: number, type?: string, message = ''): string =>
    JSON.stringify({ level, ...(type && { err: { type, message } }) });
  const full = line(50, 'Error', 'ENOSPC: no space left on device');
  expect(strangeLines(full, 'full-disk')).toEqual([]);
  expect(strangeLines(full, 'kill-server')).toEqual([full]);
  const lines = [line(30), line(40, 'Error'), line(50, 'Refusal'), 'To log in, open'];
  expect(strangeLines(lines.join('\n'), 'none')).toEqual([]);
  const strange = [line(40, 'TypeError'), '    at file:///dist/main.js:1:1', '(node:7) Warning: odd'];
  expect(strangeLines(strange.join('\n'), 'none')).toEqual(strange);
});
