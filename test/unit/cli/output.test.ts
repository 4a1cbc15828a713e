import { expect, it } from 'vitest';
import { tableLines, type Column } from '../../../src/cli/output.js';
import { widthOf } from '../../../src/cli/text.js';

interface Row {
  name: string;
  port: number | null;
  note: string;
}

const columns: Column<Row>[] = [
  { title: 'name', value: (row) => row.name, colour: () => 'bold' },
  { title: 'port', value: (row) => row.port },
  { title: 'note', value: (row) => row.note },
];
const rows: Row[] = [
  { name: '売上', port: 8501, note: 'one' },
  { name: 'hello', port: null, note: '' },
];
const plain = { columns: undefined, paint: (_colour: string, text: string) => text };

it('tableLines aligns wide characters, numbers to the right, and shows "-" for missing values', () => {
  expect(tableLines(rows, columns, plain)).toEqual(['NAME   PORT  NOTE', '売上   8501  one', 'hello     -  -']);
});

it('tableLines colours cells without moving them', () => {
  const painted = tableLines(rows, columns, {
    columns: undefined,
    paint: (colour, text) => (colour === 'bold' ? `<${text}>` : text),
  });
  expect(painted[1]).toBe('<売上 >  8501  one');
});

it('tableLines cuts only the last column, at the edge of the terminal', () => {
  const long = [{ name: 'a', port: 1, note: 'x'.repeat(100) }];
  const [, line = ''] = tableLines(long, columns, { ...plain, columns: 40 });
  expect(widthOf(line)).toBe(40);
  expect(line.endsWith('…')).toBe(true);
  expect(tableLines(long, columns, plain)[1]).toContain('x'.repeat(100));
});

it('tableLines keeps every row on one line, whatever its cells contain', () => {
  const lines = tableLines([{ name: 'a\nb', port: 1, note: '\x1b[2J' }], columns, plain);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toBe('a?b      1  ?[2J');
});
