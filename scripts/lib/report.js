/**
 * The counts in what vitest's JSON reporter wrote. A test file that could not even be loaded counts as one failure.
 * @param {string} text
 * @returns {{ passed: number, failed: number, skipped: number } | undefined} undefined where it is not a report
 */
export function countTests(text) {
  let report;
  try {
    report = JSON.parse(text);
  } catch {
    return undefined; // The run ended before there was a report.
  }
  const isBroken = (file) => file.status === 'failed' && file.assertionResults.length === 0;
  const broken = (report.testResults ?? []).filter(isBroken);
  return {
    passed: report.numPassedTests ?? 0,
    failed: (report.numFailedTests ?? 0) + broken.length,
    skipped: (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0),
  };
}

/** The closing line. @param {{ passed: number, failed: number, skipped: number }} counts */
export function closingLine({ passed, failed, skipped }) {
  return `tests: ${passed} passed, ${failed} failed, ${skipped} skipped`;
}
