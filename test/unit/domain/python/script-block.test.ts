import { expect, it } from 'vitest';
import { scriptBlock } from '../../../../src/domain/python/script-block.js';

it('a script has its list of packages in a comment', () => {
  const source = [
    '#!/usr/bin/env python',
    '# /// script',
    '# requires-python = ">=3.11"',
    '# dependencies = [',
    '#   "streamlit",',
    '# ]',
    '#',
    '# ///',
    'import streamlit',
  ];
  const toml = 'requires-python = ">=3.11"\ndependencies = [\n  "streamlit",\n]\n';
  expect(scriptBlock(source.join('\n'))).toBe(toml);
  expect(scriptBlock(source.join('\r\n'))).toBe(toml);
});

it('a list ends at the last mark that its comment reaches', () => {
  expect(scriptBlock('# /// script\n# a = """\n# ///\n# """\n# ///\n\n# ///\n')).toBe('a = """\n///\n"""');
});

it.each([
  ['none', 'import streamlit\n'],
  ['another kind of block', '# /// pyproject\n# dependencies = []\n# ///\n'],
  ['one without an end', '# /// script\n# dependencies = []\nimport streamlit\n# ///\n'],
  ['one that code interrupts', '# /// script\n#dependencies = []\n# ///\n'],
])('a script may have %s', (_what, source) => {
  expect(scriptBlock(source)).toBeUndefined();
});
