import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../helpers/host.js';
import { describe as tell, planRound } from './plan.js';
import { play } from './round.js';
import { World } from './world.js';

const SEED = Number(process.env.CHAOS_SEED ?? 1);
const ROUNDS = Number(process.env.CHAOS_ROUNDS ?? 30);
/** After how many violations the run goes on. */
const GO_ON = Number(process.env.CHAOS_GO_ON ?? 0);
/** The one round that is played, where one is. */
const ONLY = process.env.CHAOS_ONLY === undefined ? undefined : Number(process.env.CHAOS_ONLY);

it(`${ROUNDS} rounds in which something fails leave everything as promised`, { timeout: 0 }, async () => {
  const world = await World.create();
  for (const app of world.apps.values()) await world.openPage(app);
  const rounds = ONLY === undefined ? Array.from({ length: ROUNDS }, (_, round) => round) : [ONLY];
  const violations: string[] = [];
  for (const round of rounds) {
    const plan = planRound(SEED, round);
    const begun = performance.now();
    const wrong = await play(world, plan).catch((error: unknown) => [String((error as Error).stack)]);
    console.log(`${Math.round(performance.now() - begun)} ms, ${tell(plan)}`);
    if (wrong.length === 0) continue;
    const command = `npm run test:chaos -- --seed ${SEED}`;
    const again = `Repeat it with: ${command} --only ${round}, or after all rounds before it: ${command} --rounds ${round + 1}`;
    violations.push([tell(plan), ...wrong, again, `Kept in ${await keep(world, round)}`].join('\n  '));
    console.log(violations.at(-1));
    // What follows a violation proves nothing; to look for others, it may be tried.
    if (violations.length > GO_ON) break;
  }
  expect(violations).toEqual([]);
});

/** Keeps the data folder, without what can be built again, and what the server printed. */
async function keep(world: World, round: number): Promise<string> {
  const folder = join(ROOT, 'test/artifacts', `chaos-${SEED}-${round}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const left = ['environments', 'builds', 'tools', 'run/app', 'run/hooks.sock', 'redis/redis.sock'].map((name) =>
    join(world.data, name),
  );
  const filter = (from: string): boolean => !left.includes(from) && !from.endsWith('.sock');
  await cp(world.data, join(folder, 'data'), { recursive: true, verbatimSymlinks: true, filter }).catch(
    (error: unknown) => console.log(`the data folder could not be kept: ${String(error)}`),
  );
  await writeFile(join(folder, 'server.log'), world.log);
  return folder;
}
