import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expose } from '../../../src/metrics/exposition.js';
import { blank, BOX_ID, pageId } from '../../../src/metrics/fields.js';

it('every metric of the Grafana dashboard is exposed', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/grafana-dashboard.json'), 'utf8');
  const exposed = expose(
    {
      version: '1',
      apps: [{ id: 'shop', up: true, release: 1 }],
      latest: new Map([[BOX_ID, blank(BOX_ID)]]),
      totals: new Map([[pageId('shop', '/'), [1, 1, 1]]]),
      sizeOf: () => ({ storage: 0, logs: 0 }),
    },
    'text',
  );
  const known = new Set(exposed.match(/^streamlit_host_\w+/gm));
  const used = new Set(text.match(/streamlit_host_\w+/g));
  expect(used.size).toBeGreaterThan(15);
  expect([...used].filter((name) => !known.has(name))).toEqual([]);
});
