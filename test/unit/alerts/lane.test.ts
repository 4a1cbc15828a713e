import { expect, it } from 'vitest';
import { APART_MS, BURST, GROUP_MS, newLane, note, QUIET_MS, take, type Change } from '../../../src/alerts/lane.js';
import { Problems } from '../../../src/alerts/problems.js';
import { ruleNames, type Rule } from '../../../src/alerts/rules.js';

const START = 1_800_000_000_000;

/** A lane that a test drives by a clock of its own. */
function drive() {
  const problems = new Problems();
  const lane = newLane();
  const wanted = new Set<Rule>(ruleNames);
  let now = START;
  return {
    problems,
    lane,
    wanted,
    now: () => now,
    set: (to: number) => void (now = to),
    begin: (of: string, rule: 'down' | 'memory' = 'down') => problems.begin(rule, of, `${of} is wrong.`, now),
    end: (of: string, why?: string) => problems.end('down', of, why),
    /** What is told after some time. */
    after: (ms: number): string[] => {
      now += ms;
      const passed = (key: string): string | undefined => problems.passed(key);
      const told = take(lane, problems.open, now, passed, (rule) => wanted.has(rule));
      return told?.changes.map(({ kind, of }) => `${kind} ${of}`) ?? [];
    },
  };
}

const event = (of: string, at: number): Change => ({ kind: 'happened', rule: 'exception', of, text: 'ValueError', at });

it('tells a problem once, and once that it has passed', () => {
  const { begin, end, after } = drive();
  expect(after(0)).toEqual([]);
  begin('shop');
  expect(after(0)).toEqual([]);
  expect(after(GROUP_MS)).toEqual(['began shop']);
  begin('shop');
  expect(after(GROUP_MS)).toEqual([]);
  expect(after(3_600_000)).toEqual([]);
  end('shop');
  expect(after(0)).toEqual([]);
  expect(after(GROUP_MS)).toEqual(['passed shop']);
  expect(after(GROUP_MS)).toEqual([]);
});

it('tells in one message what comes within a few seconds, with what happened', () => {
  const { begin, after, lane, now } = drive();
  begin('one');
  expect(after(0)).toEqual([]);
  begin('two');
  note(lane, event('two', now()));
  expect(after(GROUP_MS)).toEqual(['began one', 'began two', 'happened two']);
});

it('says nothing about a problem that passes before it is told', () => {
  const { begin, end, after } = drive();
  begin('shop');
  expect(after(GROUP_MS / 2)).toEqual([]);
  end('shop');
  expect(after(GROUP_MS)).toEqual([]);
  expect(after(GROUP_MS)).toEqual([]);
});

it('does not tell a problem again that comes and goes, until it was quiet for a while', () => {
  const { begin, end, after } = drive();
  begin('shop');
  after(0);
  expect(after(GROUP_MS)).toEqual(['began shop']);
  end('shop');
  after(0);
  expect(after(GROUP_MS)).toEqual(['passed shop']);
  begin('shop');
  after(0);
  expect(after(60_000)).toEqual([]);
  after(QUIET_MS);
  expect(after(GROUP_MS)).toEqual(['began shop']);
});

it('sends few messages however much goes wrong', () => {
  const { begin, after, lane, now } = drive();
  let messages = 0;
  for (let second = 0; second < 3_600; second += 10) {
    begin(`app-${second}`);
    note(lane, event(`app-${second}`, now()));
    if (after(10_000).length > 0) messages += 1;
  }
  expect(messages).toBeGreaterThan(BURST);
  expect(messages).toBeLessThanOrEqual(BURST + Math.ceil(3_600_000 / APART_MS));
  expect(lane.events.length).toBeLessThanOrEqual(100);
});

it('is not silenced by a clock that is put back', () => {
  const { begin, after, set } = drive();
  for (const app of ['a', 'b', 'c', 'd', 'e']) {
    begin(app);
    after(0);
    expect(after(GROUP_MS)).toEqual([`began ${app}`]);
  }
  set(START - 86_400_000);
  begin('f');
  after(0);
  expect(after(GROUP_MS)).toEqual(['began f']);
});

it('says why a problem passed where that is known', () => {
  const { begin, end, after, lane, problems, now } = drive();
  begin('shop');
  after(0);
  after(GROUP_MS);
  end('shop', 'The app was stopped.');
  after(0);
  const told = take(
    lane,
    problems.open,
    now() + GROUP_MS,
    (key) => problems.passed(key),
    () => true,
  );
  expect(told?.changes).toMatchObject([{ kind: 'passed', text: 'The app was stopped.' }]);
});

it('alerts without a destination do not delay the others', () => {
  const { begin, end, after, lane, now, wanted } = drive();
  wanted.delete('exception');
  wanted.delete('memory');
  for (let round = 0; round < 2 * BURST; round += 1) {
    note(lane, event('shop', now()));
    begin(`app-${round}`, 'memory');
    expect(after(0)).toEqual([]);
    expect(after(GROUP_MS)).toEqual([]);
  }
  begin('shop');
  after(0);
  expect(after(GROUP_MS)).toEqual(['began shop']);
  expect(lane.sent).toHaveLength(1);
  // The destination that was told is gone.
  wanted.delete('down');
  end('shop');
  after(0);
  expect(after(GROUP_MS)).toEqual([]);
  expect(lane.sent).toHaveLength(1);
});

it('events that there was no place for are counted', () => {
  const { lane, now, problems } = drive();
  for (let number = 0; number < 103; number += 1) note(lane, event('shop', now()));
  const all = (): boolean => true;
  const none = (): undefined => undefined;
  take(lane, problems.open, now(), none, all);
  const told = take(lane, problems.open, now() + GROUP_MS, none, all);
  expect(told?.changes).toHaveLength(100);
  expect(told?.missed).toEqual({ exception: 3 });
  expect(lane.missed).toEqual({});
});
