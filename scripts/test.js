// npm test [-- --unit] [-- --all] [-- --only-tests] [-- vitest's own arguments]: set-up, types, lint, then the tests.
//   --unit        the unit tests only, which need neither a browser nor Redis
//   --all         also those that take minutes each (LONG in vitest.config.ts), and 30 rounds of the chaos test
//   --only-tests  without types and lint
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run } from './lib/command.js';
import { ensureDebianPackages } from './lib/debian.js';
import { closingLine, countTests, slowestFiles } from './lib/report.js';
import { main, ROOT, setUp, SetupError } from './lib/setup.js';

const CHECKS = [
  { name: 'types', args: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json'] },
  {
    name: 'types of the browser tests',
    args: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'test/browser/tsconfig.json'],
  },
  { name: 'lint', args: ['node_modules/eslint/bin/eslint.js', '.'] },
  {
    name: 'imports',
    args: ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', 'src'],
    // What it says, with exit code 0, where it cannot read TypeScript: a check that looks at nothing passes nothing.
    not: /\(0 modules/,
  },
];

await main(async () => {
  const args = process.argv.slice(2);
  const unit = take(args, '--unit');
  const all = take(args, '--all');
  const onlyTests = take(args, '--only-tests');
  // Ctrl-C reaches the children too; they tidy up, and we end when they have.
  process.on('SIGINT', () => undefined);
  await setUp({ data: join(ROOT, 'data'), tools: !unit });
  const missing = unit ? [] : await ensureDebianPackages({ env: process.env, say: (line) => console.log(line) });
  if (missing.length > 0) throw new SetupError(missing.join('\n'));

  const failed = onlyTests ? [] : await runChecks();
  const counts = await runTests([...projects(unit, all, args), ...args]);
  if (counts.code !== 0 || counts.passed + counts.failed === 0) failed.push('tests');
  if (failed.length > 0) {
    process.exitCode = 1;
    console.log(`Failed: ${failed.join(', ')}.`);
  }
  console.log(closingLine(counts));
});

/** Who names a file wants just that one, however long it takes. Vitest takes each pattern for itself, so "not this" twice is all. */
function projects(unit, all, args) {
  if (unit) return ['--project=unit'];
  if (args.some((arg) => !arg.startsWith('-'))) return [];
  return ['unit', 'web', 'fuzz', 'integration', 'browser', ...(all ? ['long', 'chaos'] : [])].map(
    (name) => `--project=${name}`,
  );
}

/** Runs the checks, two at a time: none of them uses more than one core. @returns the names of those that failed */
async function runChecks() {
  const failed = [];
  const left = [...CHECKS];
  const worker = async () => {
    for (let check = left.shift(); check !== undefined; check = left.shift()) {
      const { code, output } = await run(process.execPath, check.args, { cwd: ROOT });
      console.log(`Checked ${check.name}.`);
      process.stdout.write(output);
      if (code !== 0 || check.not?.test(output) === true) failed.push(check.name);
    }
  };
  console.log('Checking types, lint and imports …');
  await Promise.all([worker(), worker()]);
  return failed;
}

/** Every test as vitest prints it, and the counts of its report. */
async function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'streamlit-host-test-'));
  try {
    const report = join(folder, 'report.json');
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'];
    // Longer than any continuous integration waits: what hangs is ended by its own time-out.
    const options = { cwd: ROOT, show: true, timeout: 3_600_000 };
    const { code } = await run(process.execPath, [...vitest, `--outputFile.json=${report}`, ...args], options);
    const text = readReport(report);
    const slowest = slowestFiles(text).map(({ name, seconds }) => `${seconds} s ${relative(join(ROOT, 'test'), name)}`);
    if (slowest.length > 0) console.log(`Slowest files: ${slowest.join(', ')}.`);
    const counts = countTests(text);
    return { code, ...(counts ?? { passed: 0, failed: 0, skipped: 0 }) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

function take(args, name) {
  const at = args.indexOf(name);
  if (at >= 0) args.splice(at, 1);
  return at >= 0;
}
