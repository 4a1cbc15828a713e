// What happens in a round, drawn from the seed and the round's number alone: a round can be repeated without those before it.

/** The apps of a run. */
export const APPS = ['ada', 'bob', 'cyd'] as const;
export type AppName = (typeof APPS)[number];

/** What is under way when something fails. */
export const ACTIVITIES = [
  'push',
  'build',
  'failing-push',
  'preview',
  'upload',
  'edit',
  'restart',
  'stop-and-start',
  'rollback',
  'backup',
  'delete',
  'rename-branch',
  'config',
  'rotate-key',
] as const;
export type Activity = (typeof ACTIVITIES)[number];

/** What fails. */
export const FAULTS = [
  'none',
  'kill-server',
  'kill-server-twice',
  'stop-server',
  'kill-receive-pack',
  'freeze-receive-pack',
  'kill-build',
  'kill-app',
  'freeze-app',
  'freeze-app-and-kill-server',
  'hang-app',
  'kill-redis',
  'freeze-redis',
  'freeze-redis-and-kill-server',
  'hang-redis',
  'reload',
  'reload-and-kill-server',
  'full-disk',
  'full-disk-and-kill-server',
  'no-inodes',
  'no-inodes-and-kill-server',
  'read-only',
  'read-only-and-kill-server',
  'few-files',
  'garbage',
  'unplug',
] as const;
export type Fault = (typeof FAULTS)[number];

/** A round. */
export interface Plan {
  round: number;
  activity: Activity;
  /** The app that it happens to. */
  app: AppName;
  /** Another app that is pushed to at the same time. */
  beside: AppName;
  fault: Fault;
  /** When it fails, as a part of the time that the activity usually takes. */
  at: number;
  /** How long the fault lasts where it has an end, in ms. */
  lastsMs: number;
}

/** Faults that are drawn more often: they are what the promises are about. */
const WEIGHTS: Partial<Record<Fault, number>> = { 'kill-server': 6, 'kill-server-twice': 2, 'full-disk': 2, reload: 2 };

/** The plan of a round. @param seed any whole number @param round 0, 1, 2 … */
export function planRound(seed: number, round: number): Plan {
  const random = randomOf(Math.imul(seed, 0x9e3779b1) ^ Math.imul(round + 1, 0x85ebca6b));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const app = pick(APPS);
  return {
    round,
    activity: pick(ACTIVITIES),
    app,
    beside: pick(APPS.filter((one) => one !== app)),
    fault: pick(FAULTS.flatMap((fault) => Array.from({ length: WEIGHTS[fault] ?? 1 }, () => fault))),
    at: Math.round(random() * 110) / 100,
    lastsMs: Math.round(200 + random() * 1_300),
  };
}

/** In a line. */
export function describe({ round, activity, app, beside, fault, at, lastsMs }: Plan): string {
  return `round ${round}: ${activity} of ${app} beside a push to ${beside}; ${fault} at ${Math.round(at * 100)} % for ${lastsMs} ms`;
}

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
