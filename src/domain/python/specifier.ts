/**
 * Versions and what is asked of them, as far as numbers go: pre-releases and local parts are passed over
 * (https://packaging.python.org/en/latest/specifications/version-specifiers/).
 */

/** The longest condition that is understood, in characters; real ones have a few dozen at most. */
const MAX_CONDITION = 200;

/** One condition, such as `>=3.10` or `==3.11.*`. */
interface Clause {
  operator: string;
  version: number[];
  /** True for `3.11.*`. */
  prefix: boolean;
}

/** True where a text is a list of conditions that we understand; an empty one asks for nothing. */
export function isSpecifier(text: string): boolean {
  return parse(text) !== undefined;
}

/** True where a version such as `3.11.4` meets every condition; false where one cannot be understood. */
export function satisfies(version: string, specifier: string): boolean {
  const found = numbers(version);
  return parse(specifier)?.every((clause) => meets(found, clause)) ?? false;
}

/** True where no version from `floor` on can meet the conditions. */
export function endsBelow(specifier: string, floor: string): boolean {
  const least = numbers(floor);
  return (parse(specifier) ?? []).some(({ operator, version, prefix }) => {
    if (operator === '<') return compare(version, least) <= 0;
    if (operator === '~=') return compare(next(version.slice(0, -1)), least) <= 0;
    if (operator === '==' && prefix) return compare(next(version), least) <= 0;
    return ['==', '===', '<='].includes(operator) && compare(version, least) < 0;
  });
}

/** Orders versions, the older first. */
export function compareVersions(a: string, b: string): number {
  return compare(numbers(a), numbers(b));
}

/**
 * A condition as Poetry writes it (`^1.2`, `~1.2`, `1.2.*`, `1.2`), in the words of everybody else; undefined where it
 * has no such words (https://python-poetry.org/docs/dependency-specification/).
 */
export function fromPoetry(text: string): string | undefined {
  if (text.includes('|')) return undefined;
  // One space for many: no pattern must look for the end of white space again and again.
  const plain = text.trim().replace(/\s+/g, ' ');
  const parts: string[] = [];
  const pattern = new RegExp(POETRY);
  while (pattern.lastIndex < plain.length) {
    const [, sign, version] = pattern.exec(plain) ?? [];
    if (version === undefined || version.length > MAX_CONDITION) return undefined;
    parts.push(...conditionsOf(sign, version));
  }
  return isSpecifier(parts.join(',')) ? parts.join(',') : undefined;
}

/** One condition of Poetry and what ends it; sticky, so that it is looked for at one place only. */
const POETRY = / ?(\^|~=|~|={2,3}|!=|<=|>=|<|>|=)? ?(\*|v?\d[\w.*+!-]*) ?(?:,|(?<= )|$)/y;

function conditionsOf(sign: string | undefined, version: string): string[] {
  const release = numbers(version);
  const plain = version.replace(/^v/, '');
  if (plain === '*') return [];
  if (sign === '^') {
    const first = release.findIndex((part) => part > 0);
    const last = first === -1 ? release.length - 1 : first;
    return [`>=${plain}`, `<${next(release.slice(0, last + 1)).join('.')}`];
  }
  if (sign === '~') return [`>=${plain}`, `<${next(release.slice(0, 2)).join('.')}`];
  return [`${sign === undefined || sign === '=' ? '==' : sign}${plain}`];
}

function parse(text: string): Clause[] | undefined {
  const clauses: Clause[] = [];
  for (const part of text.split(',').map((one) => one.trim())) {
    if (part === '' || part === '*') continue;
    if (part.length > MAX_CONDITION) return undefined;
    const found = /^(===|==|!=|<=|>=|<|>|~=)\s*v?(?:\d+!)?(\d+(?:\.\d+)*)(\.\*)?([a-z0-9._+-]*)$/i.exec(part);
    const [, operator, release, prefix] = found ?? [];
    if (operator === undefined || release === undefined) return undefined;
    if (operator === '~=' && !release.includes('.')) return undefined;
    clauses.push({ operator, version: numbers(release), prefix: prefix !== undefined });
  }
  return clauses;
}

function meets(found: readonly number[], { operator, version, prefix }: Clause): boolean {
  const order = compare(found, version);
  const begins = compare(found.slice(0, version.length), version) === 0;
  if (operator === '==' || operator === '===') return prefix ? begins : order === 0;
  if (operator === '!=') return prefix ? !begins : order !== 0;
  if (operator === '<=') return order <= 0;
  if (operator === '>=') return order >= 0;
  if (operator === '<') return order < 0;
  if (operator === '>') return order > 0;
  return order >= 0 && compare(found.slice(0, version.length - 1), version.slice(0, -1)) === 0;
}

function numbers(version: string): number[] {
  const release = /^v?(?:\d+!)?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '0';
  return release.split('.').map(Number);
}

/** The first version after all that begin like this one. */
function next(version: readonly number[]): number[] {
  return version.map((part, index) => (index === version.length - 1 ? part + 1 : part));
}

/** Missing parts count as 0. */
function compare(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
