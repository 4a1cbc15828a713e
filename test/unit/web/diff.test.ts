import { describe, expect, it } from 'vitest';
import { Refusal } from '../../../src/errors.js';
import { presentDiff } from '../../../src/web/diff.js';

const same = { added: [], removed: [], changed: [] };
const code = ` app.py | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/app.py b/app.py
index 1..2 100644
--- a/app.py
+++ b/app.py
@@ -1 +1 @@
---- a line of dashes
++ a line with a plus
 the same
`;

describe('the diff of a release', () => {
  it("is classified line by line, and a file's header does not count as a change", () => {
    const { lines, more } = presentDiff({ live: 2, code, config: { vars: same, secrets: same } });
    expect(lines.map(({ kind }) => kind)).toEqual([
      'same',
      'same',
      'same',
      'file',
      'same',
      'same',
      'same',
      'place',
      'removed',
      'added',
      'same',
    ]);
    expect(lines.map(({ text }) => `${text}\n`).join('')).toBe(code);
    expect(more).toBe(0);
  });

  it('is truncated, and says how much is left out', () => {
    const { lines, more } = presentDiff({ live: 2, code, config: { vars: same, secrets: same } }, undefined, 4);
    expect([lines.length, more]).toEqual([4, 7]);
  });

  it('includes the names of changed config, or why they cannot be compared', () => {
    const config = {
      vars: { added: ['A'], removed: [], changed: ['B'] },
      secrets: { added: [], removed: ['db'], changed: [] },
    };
    expect(presentDiff({ live: 2, code: '', config })).toEqual({
      lines: [],
      more: 0,
      config: [
        { word: 'Added', name: 'A', what: 'config var', kind: 'added' },
        { word: 'Changed', name: 'B', what: 'config var', kind: 'changed' },
        { word: 'Removed', name: 'db', what: 'secret', kind: 'removed' },
      ],
      configProblem: undefined,
    });
    const gone = presentDiff({ live: 2, code: '', config: new Refusal('conflict', 'config-missing', 'It is gone.') });
    expect(gone).toMatchObject({ config: [], configProblem: 'It is gone.' });
  });
});
