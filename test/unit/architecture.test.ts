import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { drawnTable } from '../helpers/map.js';

interface Rule {
  name: string;
  comment?: string;
}

/** What the linter lets each room import, as its rules say. */
function lintTable(): Map<string, string[]> {
  const { forbidden } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as { forbidden: Rule[] };
  const table = new Map<string, string[]>();
  for (const { name, comment } of forbidden) {
    const [, room, list] = /^(\S+) may import itself(.*)$/.exec(comment ?? '') ?? [];
    if (room !== undefined && name === `${room}-imports`) table.set(room, list?.match(/[\w-]+/g) ?? []);
  }
  return table;
}

it('the map in docs/architecture.md and the linter allow the same imports', async () => {
  const lint = lintTable();
  const drawn = await drawnTable();
  expect([...drawn.keys()].sort()).toEqual(['server', ...lint.keys()].filter((room) => room !== 'lib').sort());
  expect(lint.size).toBeGreaterThan(15);
  for (const [room, list] of drawn) {
    // Two rows say it in words: the server may import anything, the CLI types alone.
    if (room === 'server' || room === 'cli') continue;
    const allowed = lint.get(room)?.filter((one) => one !== 'lib');
    expect(list?.slice().sort(), room).toEqual(allowed?.slice().sort());
  }
});
