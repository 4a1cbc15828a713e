// npm run mutate [-- <words of the test or the file>]: takes each defence that test/security/mutations.js lists out of a copy of
// the project, one at a time, and expects its tests to fail. It takes some minutes for all of them.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MUTATIONS, placeOf } from '../test/security/mutations.js';
import { run } from './lib/command.js';
import { main, ROOT, setUp, SetupError } from './lib/setup.js';

/** How long one test file may take, in ms. */
const LIMIT_MS = 600_000;

/** Says what failed also where that was before the first test. */
const REPORTER = join(ROOT, 'scripts/lib/failures.js');

await main(async () => {
  const words = process.argv.slice(2);
  const wanted = MUTATIONS.flatMap(([tests, ...change]) => tests.split(' ').map((test) => [test, ...change])).filter(
    (one) => words.every((word) => one.join('\n').includes(word)),
  );
  if (wanted.length === 0) throw new SetupError('No mutation has these words.');
  await setUp({ data: join(ROOT, 'data'), tools: !wanted.every(([test]) => test.startsWith('unit/')) });
  const copy = copyOfProject();
  const unnoticed = [];
  const skipped = new Set();
  try {
    for (const test of new Set(wanted.map(([of]) => of))) {
      const { failed, ran } = await failuresOf(copy, test);
      if (failed.length > 0) throw new SetupError(`${test} fails as it is, and so would notice nothing:\n${failed[0]}`);
      if (ran === 0) skipped.add(test);
    }
    for (const [test, file, code, instead] of wanted.filter(([of]) => !skipped.has(of))) {
      const { failed } = await withoutDefence({ copy, test, file, code, instead });
      const name = `${test}: ${file}, ${code.split('\n', 1)[0].trim().slice(0, 80)}`;
      console.log(`${failed.length > 0 ? 'noticed  ' : 'UNNOTICED'}  ${name}`);
      for (const title of failed) console.log(`             ${title}`);
      if (failed.length === 0) unnoticed.push(name);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  for (const test of skipped) console.log(`not tried  ${test}: this machine lacks what it needs`);
  console.log(`${wanted.filter(([of]) => !skipped.has(of)).length} changes tried. ${unnoticed.length} unnoticed.`);
  if (unnoticed.length > 0) process.exitCode = 1;
});

/** The project's files as they are now, with the packages and the tools of this one. */
function copyOfProject() {
  const copy = mkdtempSync(join(tmpdir(), 'streamlit-host-mutations-'));
  // Servers that run as somebody else read it.
  chmodSync(copy, 0o755);
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  for (const file of listed
    .toString()
    .split('\0')
    .filter((name) => name !== '' && name !== 'data')) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file));
  }
  for (const folder of ['node_modules', 'data']) symlinkSync(join(ROOT, folder), join(copy, folder));
  return copy;
}

/** Runs a test file without one defence. @returns as `failuresOf` does */
async function withoutDefence({ copy, test, file, code, instead }) {
  const place = join(copy, placeOf(file));
  const before = readFileSync(place, 'utf8');
  if (before.split(code).length !== 2) throw new SetupError(`${file} does not have this once:\n${code}`);
  writeFileSync(
    place,
    before.replace(code, () => instead),
  );
  try {
    return await failuresOf(copy, test);
  } finally {
    writeFileSync(place, before);
  }
}

/** Runs a test file up to its first failure. @returns how many tests were run, and what failed, with the reason */
async function failuresOf(copy, test) {
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--bail=1',
    '--testTimeout=120000',
    `--reporter=${REPORTER}`,
  ];
  const { output } = await run(process.execPath, [...vitest, `test/${test}.test.ts`], { cwd: copy, timeout: LIMIT_MS });
  const found = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { tests: 0 };
  // Without a single test, what failed was the change itself.
  if (found.tests === 0) throw new SetupError(output);
  return found;
}
