/**
 * `sys.exit(…)`, `exit(…)`, `quit(…)` and `raise SystemExit`, outside of a comment; a method of that name is something else. A
 * line ends wherever "^" begins one: else each would be read to the end of the file.
 */
const EXIT = /^[^#\n\r\u2028\u2029]*?(?:(?<![\w.])(?:sys\s*\.\s*exit|exit|quit)\s*\(|\braise\s+SystemExit\b)/m;

/**
 * True where a script may leave by Python's own means. Streamlit does not notice: the run never ends, for a visitor's
 * page as for a check (its threads catch `Exception`, of which `SystemExit` is none:
 * https://docs.python.org/3/library/threading.html#threading.excepthook).
 */
export function mayExit(code: string): boolean {
  return EXIT.test(code);
}
