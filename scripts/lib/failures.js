import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A reporter of vitest that writes what failed, and why, to report.json in the working directory. The usual one leaves out what
 * fails before the tests of a suite.
 */
export default class Failures {
  /** @param {import('vitest/node').TestModule[]} modules */
  onTestRunEnd(modules) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const before = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const failed = [
      ...before.flatMap((one) => one.errors().map((error) => line('fullName' in one ? one.fullName : '', error))),
      ...tests.flatMap((test) => (test.result().errors ?? []).map((error) => line(test.fullName, error))),
    ];
    const ran = tests.filter((test) => test.result().state !== 'skipped').length;
    writeFileSync(join(process.cwd(), 'report.json'), JSON.stringify({ tests: tests.length, ran, failed }));
  }
}

/** @param {string} name @param {{ name?: string, message: string }} error */
function line(name, error) {
  const where = name === '' ? 'before the tests' : name;
  return `${where}: ${error.message.split('\n', 1)[0]}`;
}
