/** The longest reason, in characters: it must fit into one line of a terminal or two. */
const LONGEST = 240;

/** What uv and pip say when a requirement cannot be met, and how we say it. What is longer than a reason is none. */
const KNOWN: [RegExp, (found: string[]) => string][] = [
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
  for (const [pattern, say] of KNOWN) {
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
