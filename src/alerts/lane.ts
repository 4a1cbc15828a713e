import { z } from 'zod';
import { keyOf, problemSchema, type Problem } from './problems.js';
import { passedOf, ruleNames, type Rule } from './rules.js';

/** How long (ms) is waited for more that belongs into the same message. */
export const GROUP_MS = 5_000;
/** How long (ms) a problem that was told is not told again, though it passed meanwhile. */
export const QUIET_MS = 15 * 60_000;
/** After so many messages in an hour, further ones are this far apart (ms). */
export const BURST = 5;
export const APART_MS = 10 * 60_000;
const HOUR_MS = 60 * 60_000;
/** How many events wait for the next message; further ones are only counted. */
const MAX_EVENTS = 100;

const changeSchema = z.object({
  /** A problem that began, one that has passed, or something that just happened. */
  kind: z.enum(['began', 'passed', 'happened']),
  rule: z.enum(ruleNames),
  of: z.string(),
  text: z.string(),
  /** ms since 1970 */
  at: z.number(),
});

/** Something that people are told. */
export type Change = z.infer<typeof changeSchema>;

export const laneSchema = z.object({
  /** The problems that were told and of which it was not told yet that they have passed. */
  told: z.record(z.string(), problemSchema),
  /** When (ms since 1970) problems were told last. */
  last: z.record(z.string(), z.number()),
  /** What happened and was not told yet. */
  events: z.array(changeSchema),
  /** How many events of each rule happened that there was no place for. */
  missed: z.record(z.string(), z.number()).default({}),
  /** Since when something waits to be told. */
  since: z.number().nullable(),
  /** When the messages of the last hour were sent. */
  sent: z.array(z.number()),
});

/** What a destination was told, and what it has yet to be told. Each has its own, so that none waits for what another gets. */
export type Lane = z.infer<typeof laneSchema>;

export function newLane(): Lane {
  return { told: {}, last: {}, events: [], missed: {}, since: null, sent: [] };
}

/** What is told in one message. */
export interface Told {
  changes: Change[];
  /** How many more events of each rule happened, which are only counted. */
  missed: Readonly<Record<string, number>>;
}

/** Notes something that happened. */
export function note(lane: Lane, change: Change): void {
  if (lane.events.length < MAX_EVENTS) lane.events.push(change);
  else lane.missed[change.rule] = (lane.missed[change.rule] ?? 0) + 1;
}

/**
 * Returns what is to be told now, all in one message; nothing where there is nothing or where it has to wait. It compares what was
 * told with what is wrong, so a problem that comes and goes between two messages is not told at all.
 * @param open the problems of the lane @param now ms since 1970 @param wants whether the destination is told of a rule: what it does not get must not count as a message
 */
export function take(
  lane: Lane,
  open: ReadonlyMap<string, Problem>,
  now: number,
  passed: (key: string) => string | undefined,
  wants: (rule: Rule) => boolean,
): Told | undefined {
  // A clock that was put back must not silence anything.
  lane.sent = lane.sent.filter((at) => at <= now && now - at < HOUR_MS);
  for (const [key, at] of Object.entries(lane.last)) if (at > now || now - at >= QUIET_MS) delete lane.last[key];
  const told = Object.entries(lane.told);
  for (const [key, { rule }] of told) if (!wants(rule)) delete lane.told[key];
  lane.events = lane.events.filter(({ rule }) => wants(rule));
  if (lane.events.length === 0) lane.missed = {};
  const began = [...open.values()].filter(
    (one) => wants(one.rule) && !(keyOf(one) in lane.told) && !(keyOf(one) in lane.last),
  );
  const ended = told.filter(([key, { rule }]) => wants(rule) && !open.has(key));
  if (began.length + ended.length + lane.events.length === 0) {
    lane.since = null;
    return undefined;
  }
  if (lane.since === null || lane.since > now) lane.since = now;
  if (now - lane.since < GROUP_MS) return undefined;
  if (lane.sent.length >= BURST && now - (lane.sent.at(-1) ?? 0) < APART_MS) return undefined;
  const changes: Change[] = [
    ...began.map((one): Change => ({ kind: 'began', rule: one.rule, of: one.of, text: one.text, at: one.since })),
    ...lane.events,
    ...ended.map(([key, { rule, of }]): Change => {
      return { kind: 'passed', rule, of, text: passed(key) ?? passedOf(rule), at: now };
    }),
  ];
  for (const one of began) {
    lane.told[keyOf(one)] = one;
    lane.last[keyOf(one)] = now;
  }
  for (const [key] of ended) delete lane.told[key];
  const { missed } = lane;
  lane.events = [];
  lane.missed = {};
  lane.since = null;
  lane.sent.push(now);
  return { changes, missed };
}
