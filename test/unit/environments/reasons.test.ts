import { describe, expect, it } from 'vitest';
import { reasonFrom } from '../../../src/environments/reasons.js';

const UNSATISFIABLE = ', we can conclude that your requirements are unsatisfiable.';

describe('reasonFrom', () => {
  it.each([
    [
      [
        'error: No solution found when resolving dependencies',
        `  cause: Because streamlitt was not found in the package registry and you require streamlitt${UNSATISFIABLE}`,
      ],
      'no package named streamlitt was found',
    ],
    [
      [
        'error: No solution found when resolving dependencies',
        `  cause: Because there is no version of six==99.0 and you require six==99.0${UNSATISFIABLE}`,
      ],
      'no version of six==99.0 was found',
    ],
    [
      // uv before 0.9 draws a tree and breaks its lines.
      [
        '  × No solution found when resolving dependencies:',
        '  ╰─▶ Because there is no version of six==99 and you require six==99, we can',
        '      conclude that your requirements are unsatisfiable.',
      ],
      'no version of six==99 was found',
    ],
    [
      [
        'error: No solution found when resolving dependencies',
        `  cause: Because you require six>=1.16 and six<1.0${UNSATISFIABLE}`,
      ],
      'the requirements conflict: six>=1.16 and six<1.0',
    ],
    [
      [
        'error: No solution found',
        `  cause: Because tensorflow==1.0.0 has no wheels with a matching Python ABI tag (e.g., \`cp311\`) and you require tensorflow==1.0${UNSATISFIABLE}`,
        '',
        'hint: You require CPython 3.11',
      ],
      'the requirements cannot be met: tensorflow==1.0.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and you require tensorflow==1.0',
    ],
    [
      [
        "error: Couldn't parse requirement in `requirements.txt` at position 0",
        '  cause: Expected a quoted string or a valid marker name, found `bad`',
        '         six ; bad',
        '               ^^^',
      ],
      "Couldn't parse requirement in `requirements.txt` at position 0: Expected a quoted string or a valid marker name, found `bad`",
    ],
    [
      [
        'error: Failed to fetch: https://index.invalid/simple/six/',
        '  cause: client error (Connect)',
        '  cause: failed to lookup address information: Name or service not known',
      ],
      'Failed to fetch: https://index.invalid/simple/six/: failed to lookup address information: Name or service not known',
    ],
    [
      [
        'error: Failed to build `bad`',
        '  cause: The build backend returned an error',
        '  cause: Call to `setuptools` failed (exit status: 1)',
        '',
        '         [stderr]',
        '         Traceback',
        '         boom',
        '',
        'hint: try harder',
      ],
      'Failed to build `bad`: boom',
    ],
    [
      [
        'Collecting nope',
        'ERROR: Could not find a version that satisfies the requirement nope (from versions: none)',
        'ERROR: No matching distribution found for nope',
      ],
      'no version of nope was found',
    ],
    [['something', 'else', ''], 'else'],
    [[], 'the install failed without output'],
  ])('of %j is short', (lines, reason) => {
    expect(reasonFrom(lines)).toBe(reason);
  });

  it('never fills the screen', () => {
    expect(reasonFrom([`error: ${'x'.repeat(10_000)}`])).toHaveLength(240);
  });
});
