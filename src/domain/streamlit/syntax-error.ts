import { asSentence } from '../../lib/words.js';

/** How many lines lie between the place of a syntax error and its message at most: the code, and a mark below it. */
const MOST_BETWEEN = 3;

/**
 * Describes the syntax error that an app's output ends with.
 * @param lines with tracebacks shortened, so that a place is one in the project
 * @returns a sentence; undefined where the app failed for another reason
 * @see https://docs.python.org/3/library/exceptions.html#SyntaxError
 */
export function syntaxError(lines: readonly string[]): string | undefined {
  const at = lines.findLastIndex((line) => /^\s*[\w.]*(?:Error|Exception)\b/.test(line));
  const [, kind, what] = /^\s*(SyntaxError|IndentationError|TabError): (.+)$/.exec(lines[at] ?? '') ?? [];
  if (kind === undefined || what === undefined) return undefined;
  const above = lines.slice(Math.max(0, at - MOST_BETWEEN), at).findLast((line) => /^\s*File "/.test(line));
  const [, file, line] = /^\s*File "([^"]+)", line (\d+)$/.exec(above ?? '') ?? [];
  return file === undefined ? undefined : asSentence(`${kind} in ${file}, line ${line}: ${what}`);
}
