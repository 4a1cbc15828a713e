// npm run fuzz [-- --count <inputs for each parser>] [-- --seed <number>] [-- --only <words in the parser's name>]
//   Gives every parser of pushed, uploaded, sent and printed bytes many odd inputs. A failure names the seed that repeats it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './lib/setup.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    only: { type: 'string' },
  },
});
for (const name of ['count', 'seed']) {
  if (!/^\d{1,10}$/.test(values[name])) {
    console.error(`--${name} must be a whole number.`);
    process.exit(2);
  }
}
console.log(`Trying ${values.count} inputs for each parser, with --seed ${values.seed} …`);
const { status } = spawnSync(
  process.execPath,
  [
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project=fuzz',
    '--reporter=verbose',
    ...(values.only === undefined ? [] : ['--testNamePattern', values.only.replace(/[^\w -]/g, '.')]),
  ],
  { cwd: ROOT, stdio: 'inherit', env: { ...process.env, FUZZ_COUNT: values.count, FUZZ_SEED: values.seed } },
);
process.exitCode = status ?? 1;
