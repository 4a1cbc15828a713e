import { expect, it } from 'vitest';
import { closingLine, countTests, slowestFiles } from '../../../scripts/lib/report.js';

it('the last line of npm test counts passed, failed, skipped and to-do tests', () => {
  const report = { numPassedTests: 7, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1, testResults: [] };
  const counts = countTests(JSON.stringify(report));
  expect(counts).toEqual({ passed: 7, failed: 1, skipped: 3 });
  expect(closingLine({ passed: 7, failed: 1, skipped: 3 })).toBe('tests: 7 passed, 1 failed, 3 skipped');
});

it('the last line of npm test counts a test file that could not be loaded as a failure, and a failed test once', () => {
  const testResults = [
    { status: 'failed', assertionResults: [] },
    { status: 'failed', assertionResults: [{ status: 'failed' }] },
    { status: 'passed', assertionResults: [{ status: 'passed' }] },
  ];
  const report = { numPassedTests: 1, numFailedTests: 1, testResults };
  expect(countTests(JSON.stringify(report))).toEqual({ passed: 1, failed: 2, skipped: 0 });
});

it('the last line of npm test says so if no report was written', () => {
  expect(countTests('')).toBeUndefined();
  expect(countTests('{"numPassed')).toBeUndefined();
});

it('npm test names the files that took ten seconds and longer, the slowest first', () => {
  const file = (name: string, seconds: number) => ({ name, startTime: 5_000, endTime: 5_000 + seconds * 1_000 });
  const report = JSON.stringify({ testResults: [file('a', 12.4), file('b', 9), file('c', 90), file('d', 30)] });
  expect(slowestFiles(report, 2)).toEqual([
    { name: 'c', seconds: 90 },
    { name: 'd', seconds: 30 },
  ]);
  expect(slowestFiles(report)).toHaveLength(3);
  expect(slowestFiles('')).toEqual([]);
});
