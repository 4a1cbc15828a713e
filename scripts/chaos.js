// npm run test:chaos [-- --rounds <number>] [-- --seed <number>] [-- --only <round>]
//   Lets things fail while clients push and visit, and checks after each round that what is promised holds. A failure names the
//   seed and the round that repeat it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './lib/setup.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    only: { type: 'string' },
  },
});
for (const name of ['rounds', 'seed', 'only']) {
  if (values[name] !== undefined && !/^\d{1,10}$/.test(values[name])) {
    console.error(`--${name} must be a whole number.`);
    process.exit(2);
  }
}
console.log(
  `Letting things fail in ${values.only === undefined ? `${values.rounds} rounds` : `round ${values.only}`}, with --seed ${values.seed} …`,
);
const { status } = spawnSync(
  process.execPath,
  [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--project=chaos', 'test/chaos/chaos.test.ts'],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      CHAOS_ROUNDS: values.rounds,
      CHAOS_SEED: values.seed,
      ...(values.only !== undefined && { CHAOS_ONLY: values.only }),
    },
  },
);
process.exitCode = status ?? 1;
