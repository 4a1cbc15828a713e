import { setTimeout as sleep } from 'node:timers/promises';
import { begin } from './activities.js';
import { fail } from './faults.js';
import { check } from './invariants.js';
import { type Fault, type Plan } from './plan.js';
import { Visitors } from './visitors.js';
import type { World } from './world.js';

/** How long an activity takes that was never seen, in ms. */
const UNKNOWN_MS = 2_000;
/** Faults of which visitors of other apps must notice nothing. */
const UNNOTICED: readonly Fault[] = [
  'none',
  'kill-receive-pack',
  'kill-build',
  'freeze-app',
  'hang-app',
  'kill-redis',
  'freeze-redis',
  'hang-redis',
  'reload',
  'garbage',
  'unplug',
];

/** A round: something is under way, something fails, and then everything must hold again. @returns what does not */
export async function play(world: World, plan: Plan): Promise<string[]> {
  world.begin();
  const begun = performance.now();
  const others = [...world.apps.keys()].filter((id) => id !== plan.app);
  const visitors = new Visitors(world, others);
  const [doing, beside] = [begin(world, plan.activity, plan.app), begin(world, 'push', plan.beside)];
  const done = Promise.all([doing.done, beside.done]);
  let fine = false;
  const whole = done.then(() => (fine = true));
  try {
    await Promise.race([whole, sleep(plan.at * (world.usual.get(plan.activity) ?? UNKNOWN_MS))]);
    const unaware = visitors.failed.length;
    if (await fail(world, plan, doing)) await world.restart();
    if (plan.fault === 'none') {
      await whole;
      world.usual.set(plan.activity, performance.now() - begun);
    }
    return await check(world, {
      plan,
      done,
      isDone: () => fine,
      noticed: () => (UNNOTICED.includes(plan.fault) ? visitors.failed : visitors.failed.slice(0, unaware)),
    });
  } finally {
    await visitors.leave();
    // The next round kills the one process that it knows of.
    if (plan.fault === 'reload') await world.replace();
  }
}
