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
      [
        'error: Git operation failed',
        '  cause: failed to fetch into: /cache/git-v0/db/1',
        '  cause: process did not exit successfully: `git fetch` (exit status: 128)',
        '         --- stderr',
        '         fatal: unable to connect to github.com:',
        '         github.com[0: 192.0.2.1]: errno=Connection timed out',
      ],
      'github.com does not answer git:// URLs. Use a git+https:// URL',
    ],
    [
      [
        'fatal: remote error:',
        '  The unauthenticated git protocol on port 9418 is no longer supported.',
        'Please see https://github.blog/2021-09-01-improving-git-protocol-security-github/ for more information.',
      ],
      'the git server does not answer git:// URLs. Use a git+https:// URL',
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
    [
      [
        'error: No solution found when resolving dependencies',
        `  cause: Because six was not found in the package registry and you require six${UNSATISFIABLE}`,
        '',
        'hint: An index URL (https://pypi.corp/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)',
      ],
      'the index https://pypi.corp/simple refused access (401). Put its credentials into the URL as config vars, such as ${INDEX_TOKEN}',
    ],
    [
      [
        'error: No solution found when resolving dependencies',
        `  cause: Because six was not found in the package registry and you require six${UNSATISFIABLE}`,
        '',
        'hint: An index (https://pypi.corp/simple) returned a 403 Forbidden error. Check that the index URL is correct and the credentials are valid.',
      ],
      'the index https://pypi.corp/simple refused access (403). Put its credentials into the URL as config vars, such as ${INDEX_TOKEN}',
    ],
    [
      [
        'ERROR: HTTP error 401 while getting https://h/x.whl',
        'ERROR: 401 Client Error: Unauthorized for url: https://h/x.whl',
      ],
      'https://h/x.whl refused access (401). Put its credentials into the URL as config vars, such as ${INDEX_TOKEN}',
    ],
    [
      [
        'error: Failed to build `sklearn==0.0.post12`',
        '  cause: The build backend returned an error',
        '  cause: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit status: 1)',
        '',
        '         [stderr]',
        "         The 'sklearn' PyPI package is deprecated, use 'scikit-learn'",
        '         More information is available at',
        '         https://github.com/scikit-learn/sklearn-pypi-package',
        '',
        'hint: `sklearn` is often confused for `scikit-learn`. Did you mean to install `scikit-learn` instead?',
      ],
      "sklearn is not the package's name. Use scikit-learn instead",
    ],
    [
      [
        'error: Git operation failed',
        '  cause: failed to clone into: cache/uv/git-v2/db/5c42391f8587027b',
        "  cause: process didn't exit successfully: `/usr/bin/git fetch --force --update-head-ok 'ssh://git@127.0.0.1:9/x.git' '+HEAD:refs/remotes/origin/HEAD'` (exit status: 128)",
        '         --- stderr',
        '         ssh: connect to host 127.0.0.1 port 9: Connection refused',
        '         fatal: Could not read from remote repository.',
        '',
        '         Please make sure you have the correct access rights',
        '         and the repository exists.',
      ],
      'ssh: connect to host 127.0.0.1 port 9: Connection refused',
    ],
    [
      [
        'error: Git operation failed',
        '         --- stderr',
        '         git@host: Permission denied (publickey).',
        '         fatal: Could not read from remote repository.',
      ],
      'the git server accepted no SSH key. Use an https URL with a token',
    ],
    [
      [
        'error: Git operation failed',
        '         --- stderr',
        "         fatal: could not read Username for 'https://github.com': terminal prompts disabled",
      ],
      'https://github.com asks for a login. If the repository is private, put a token into its URL as a config var, such as ${GIT_TOKEN}',
    ],
    [
      [
        'error: Git operation failed',
        '         --- stderr',
        "         fatal: unable to access 'https://host/x.git/': Could not resolve host: host",
      ],
      "unable to access 'https://host/x.git/': Could not resolve host: host",
    ],
    [
      [
        'error: Git operation failed',
        '         --- stderr',
        "         fatal: couldn't find remote ref refs/heads/gone",
      ],
      "couldn't find remote ref refs/heads/gone",
    ],
    [
      [
        'error: Failed to build `psycopg2==2.9`',
        '         [stderr]',
        '         Error: pg_config executable not found.',
        '         pg_config is required to build psycopg2 from source.',
      ],
      'a package has no wheel for this Python and needs pg_config, which is not installed. Use a version with a wheel, or list the tool in packages.txt',
    ],
    [
      [
        'error: Failed to build `x==1`',
        '         [stderr]',
        "         error: command 'gcc' failed: No such file or directory",
      ],
      'a package has no wheel for this Python and needs gcc, which is not installed. Use a version with a wheel, or list the tool in packages.txt',
    ],
    [
      [
        'error: Failed to build `x==1`',
        '         [stderr]',
        '         src/x.c:1:10: fatal error: mysql.h: No such file or directory',
        '         compilation terminated.',
      ],
      'a package has no wheel for this Python and needs the C header mysql.h. Use a version with a wheel, or list its Debian package in packages.txt',
    ],
    [
      ["ERROR: Package 'x' requires a different Python: 3.11.7 not in '>=3.12'"],
      'x requires Python >=3.12, but the app runs on 3.11.7',
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
