import { expect, it } from 'vitest';
import { mayExit } from '../../../../src/domain/streamlit/script-exit.js';

it.each([
  'import sys\nsys.exit("no database")',
  'if st.button("x"):\n    exit()',
  'quit(1)',
  'raise SystemExit',
  'x = 1; sys . exit (2)',
])('a script that may exit by itself: %j', (code) => {
  expect(mayExit(code)).toBe(true);
});

it.each(['st.stop()', '# sys.exit() is no good here', 'door.exit()', 'on_exit(1)', 'exit = 3', 'except SystemExit:'])(
  'a script that does not exit by itself: %j',
  (code) => {
    expect(mayExit(code)).toBe(false);
  },
);
