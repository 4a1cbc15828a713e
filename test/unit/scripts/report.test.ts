import { expect, it } from 'vitest';
import { closingLine, countTests } from '../../../scripts/lib/report.js';

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
