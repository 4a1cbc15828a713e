/**
 * The counts in what vitest's JSON reporter wrote. A test file that could not even be loaded counts as one failure.
 * @param {string} text
 * @returns {{ passed: number, failed: number, skipped: number } | undefined} undefined where it is not a report
 */
export function countTests(text) {
  const report = parse(text);
  if (report === undefined) return undefined;
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

/**
 * The files that took longest, in seconds, longest first: where to look when the tests take too long.
 * @param {string} text
 * @param {number} most
 */
export function slowestFiles(text, most = 15) {
  return (parse(text)?.testResults ?? [])
    .map(({ name, startTime, endTime }) => ({ name, seconds: Math.round((endTime - startTime) / 1_000) }))
    .filter(({ seconds }) => seconds >= 10)
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, most);
}

/** @returns undefined where the run ended before there was a report */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
