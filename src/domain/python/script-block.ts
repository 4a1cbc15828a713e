const START = /^# \/\/\/ script[ \t]*$/;
const END = '# ///';

/**
 * The TOML of the list of packages that a script has in a comment
 * (https://packaging.python.org/en/latest/specifications/inline-script-metadata/).
 * @returns undefined where it has none; of two, which the specification forbids, the first
 */
export function scriptBlock(source: string): string | undefined {
  const lines = source.split(/\r?\n/);
  const start = lines.findIndex((line) => START.test(line));
  if (start < 0) return undefined;
  const after = lines.slice(start + 1);
  const over = after.findIndex((line) => line !== '#' && !line.startsWith('# '));
  // The last one that the comment reaches ends it: TOML may hold such a line as well.
  const end = after.slice(0, over < 0 ? after.length : over).lastIndexOf(END);
  if (end < 0) return undefined;
  return after
    .slice(0, end)
    .map((line) => line.slice(2))
    .join('\n');
}
