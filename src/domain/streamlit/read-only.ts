/** What Python raises where a file cannot be written, with the path that was tried. */
const NOT_WRITABLE =
  /^(?:PermissionError: \[Errno 13\] Permission denied|OSError: \[Errno 30\] Read-only file system): '([^']{1,300})'|^sqlite3\.OperationalError: attempt to write a readonly database/;

/**
 * Where an app has tried to write to its own files, which are the same for all pages and gone with the next release.
 * @param lines what it printed
 * @returns the path as the app wrote it, or "its files" where that is not said; undefined where it did something else
 */
export function readOnlyWrite(lines: readonly string[]): string | undefined {
  const found = lines.map((line) => NOT_WRITABLE.exec(line.trim())).findLast((one) => one !== null);
  return found === undefined || found === null ? undefined : (found[1] ?? 'its files');
}
