import { describe, expect, it } from 'vitest';
import { syntaxError } from '../../../../src/domain/streamlit/syntax-error.js';

const FILE = '  File "app.py", line 3';

describe('the syntax error that an output ends with', () => {
  it('is named with its place and what Python says', () => {
    const lines = [
      FILE,
      '    st.write("never seen"',
      '            ^',
      "SyntaxError: '(' was never closed",
      '',
      'later',
    ];
    expect(syntaxError(lines)).toBe("SyntaxError in app.py, line 3: '(' was never closed.");
    expect(syntaxError([FILE, '    f(a b)', 'SyntaxError: invalid syntax. Perhaps you forgot a comma?'])).toBe(
      'SyntaxError in app.py, line 3: invalid syntax. Perhaps you forgot a comma?',
    );
    expect(syntaxError([FILE, '    x = 1', 'IndentationError: unexpected indent'])).toBe(
      'IndentationError in app.py, line 3: unexpected indent.',
    );
  });

  it.each([
    [FILE, '    {', '    ^', 'SyntaxError: invalid syntax', 'ValueError: another one'],
    // Raised by the script itself, or read in a package.
    ['  File "app.py", line 3, in <module>', '    eval("(")', 'SyntaxError: invalid syntax'],
    ['SyntaxError: invalid syntax'],
    ['No output at all'],
    [],
  ])('is not found in %j', (...lines) => {
    expect(syntaxError(lines)).toBeUndefined();
  });
});
