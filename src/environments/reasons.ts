/** The longest reason, in characters: it must fit into one line of a terminal or two. */
const LONGEST = 240;

type Known = [RegExp, (found: string[]) => string];

/**
 * What explains a failure better than what failed: an index that has let nobody in has "no package", too. How we say it,
 * with what to do next.
 */
const CAUSES: Known[] = [
  [
    /An index(?: URL)? \((\S{1,200})\) (?:could not be queried|returned a) .{0,80}?\b(401|403)\b/,
    ([url, status]) =>
      `the index ${url} refused access (${status}). Put its credentials into the URL as config vars, such as \${INDEX_TOKEN}`,
  ],
  [
    /\b(401|403) (?:Client )?Error: .{0,80}? for url: (\S{1,200})/i,
    ([status, url]) =>
      `${url} refused access (${status}). Put its credentials into the URL as config vars, such as \${INDEX_TOKEN}`,
  ],
  [
    /`(\S{1,80})` is often confused for `(\S{1,80})`/,
    ([wrong, right]) => `${wrong} is not the package's name. Use ${right} instead`,
  ],
  [
    /The '(sklearn)' PyPI package is deprecated, use '(scikit-learn)'/,
    ([wrong, right]) => `${wrong} is not the package's name. Use ${right} instead`,
  ],
  [
    /fatal: could not read Username for '(\S{1,200})'/,
    ([url]) =>
      `${url} asks for a login. If the repository is private, put a token into its URL as a config var, such as \${GIT_TOKEN}`,
  ],
  [/fatal: Authentication failed for '(\S{1,200})'/, ([url]) => `${url} did not accept the credentials of the URL`],
  [
    /(?:remote: Repository not found\.|fatal: repository '(\S{1,200})'? not found)/,
    ([url]) => `the git repository ${url === undefined ? '' : `${url} `}was not found, or needs credentials`,
  ],
  [
    /\b(Permission denied \(publickey[^)]{0,60}\))/,
    () => 'the git server accepted no SSH key. Use an https URL with a token',
  ],
  [/(Host key verification failed)/, () => "the git server's SSH key is not known on this server. Use an https URL"],
  [/(ssh: (?:connect to host|Could not resolve hostname) .{1,160}?: .{1,80}?)(?: fatal:|$)/, ([why]) => `${why}`],
  [/cannot run ssh: No such file or directory/, () => 'SSH is not installed on this server. Use an https URL'],
  [
    /fatal: ((?:unable to access|couldn't find remote ref|Remote branch) .{1,220}?)(?: (?:fatal|hint|error|warning):|$)/,
    ([why]) => `${why}`,
  ],
  [
    /fatal: unable to connect to (\S{1,200}?): |The unauthenticated git protocol on port 9418 is no longer supported/,
    ([host = 'the git server']) => `${host} does not answer git:// URLs. Use a git+https:// URL`,
  ],
  [
    /Git executable not found|Cannot find command 'git'/,
    () => 'git is not installed on this server. Ask the operator to install it',
  ],
  [
    /Cannot find command '(hg|svn|bzr)'/,
    ([tool]) => `${tool} is not installed on this server. Ask the operator to install it`,
  ],
  [
    /(?:error: command '(?:\S*\/)?|(?:\s|^))(gcc|g\+\+|cc|clang|cmake|cargo|rustc|gfortran|pkg-config|pg_config|mysql_config|nvcc)'?(?: failed: No such file or directory|: (?:command )?not found| executable not found|: No such file or directory)/,
    ([tool]) =>
      `a package has no wheel for this Python and needs ${tool}, which is not installed. Use a version with a wheel, or list the tool in packages.txt`,
  ],
  [
    /fatal error: (\S{1,80}\.h(?:pp)?): No such file/,
    ([header]) =>
      `a package has no wheel for this Python and needs the C header ${header}. Use a version with a wheel, or list its Debian package in packages.txt`,
  ],
  [
    /Hash mismatch for `?(\S{1,80}?)`?(?:\s|$)/,
    ([name]) => `the file of ${name} has another hash than the one that is listed`,
  ],
  [
    /THESE PACKAGES DO NOT MATCH THE HASHES.{0,400}?\s(\S{1,80}) from /,
    ([name]) => `the file of ${name} has another hash than the one that is listed`,
  ],
];

/** What uv and pip say when a requirement cannot be met, and how we say it. What is longer than a reason is none. */
const KNOWN: Known[] = [
  [/Because (\S+) was not found in the package registry/, ([name]) => `no package named ${name} was found`],
  [/Because (\S+) was not found in the provided package locations/, ([name]) => `no package named ${name} was found`],
  [
    /Because there (?:is|are) no versions? of (.{1,240}?) and you require/,
    ([name]) => `no version of ${name} was found`,
  ],
  [
    /Because only (.{1,240}?) (?:is|are) available and you require (.{1,240}?), we can conclude/,
    ([there, wanted]) => `only ${there} is available, but ${wanted} is required`,
  ],
  [
    /Because the (?:current Python version|requested Python version) \(([^)]{1,40})\) does not satisfy Python(\S{1,80}?),? and (\S{1,80}) depends/,
    ([python, wanted, name]) => `${name} requires Python ${wanted}, but the app runs on ${python}`,
  ],
  [
    /Package '(\S{1,80})' requires a different Python: (\S{1,40}) not in '(.{1,80}?)'/,
    ([name, python, wanted]) => `${name} requires Python ${wanted}, but the app runs on ${python}`,
  ],
  [
    /Because you require (.{1,240}?) and (?:you require )?(.{1,240}?), we can conclude/,
    ([a, b]) => `the requirements conflict: ${a} and ${b}`,
  ],
  [/Because (.{1,240}?), we can conclude/, ([why]) => `the requirements cannot be met: ${why}`],
  [
    /No matching distribution found for (\S.{0,240}?)(?: ERROR:| \[notice\]|$)/,
    ([name]) => `no version of ${name} was found`,
  ],
  [
    /ERROR: Cannot install (.{1,240}?) because these package versions have conflicting dependencies/,
    ([names]) => `the requirements conflict: ${names}`,
  ],
];

/**
 * Why an install failed, in a few words taken from what uv or pip printed.
 * @param lines its last lines
 */
export function reasonFrom(lines: readonly string[]): string {
  const start = lines.findLastIndex((line) => /^error:|^\s*×|^ERROR:/.test(line));
  // pip says more in the lines before its last one; uv says everything after "error:".
  const block = start === -1 || lines[start]?.startsWith('ERROR:') === true ? lines : lines.slice(start);
  const text = block
    .map((line) => line.replace(/^[\s│├╰─▶×]+/, ''))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim();
  for (const [pattern, say] of [...CAUSES, ...KNOWN]) {
    const found = pattern.exec(text);
    if (found !== null) return shortened(say(found.slice(1)));
  }
  return shortened(start === -1 ? lastOf(block) : summary(block, lines[start] ?? ''));
}

/** The error itself with the last of its causes, or with the last words of the build that failed. */
function summary(block: readonly string[], error: string): string {
  const head = error.replace(/^(error|ERROR):\s*|^\s*×\s*/, '').replace(/:$/, '');
  if (error.startsWith('ERROR:')) return head;
  const printed = block.findLastIndex((line) => /^\s*(\[|--- )stderr/.test(line));
  if (printed !== -1) {
    const hint = block.findIndex((line, index) => index > printed && /^\s*(hint|help):/.test(line));
    return `${head}: ${lastOf(block.slice(printed + 1, hint === -1 ? undefined : hint))}`;
  }
  const cause = block.findLast((line) => /^\s*(cause:|Caused by:|╰─▶|├─▶)/i.test(line));
  return cause === undefined ? head : `${head}: ${cause.replace(/^\s*(cause:|caused by:|╰─▶|├─▶)\s*/i, '')}`;
}

function lastOf(lines: readonly string[]): string {
  return lines.findLast((line) => line.trim() !== '')?.trim() ?? 'the install failed without output';
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
