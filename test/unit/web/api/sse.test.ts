import fc from 'fast-check';
import { expect, test } from 'vitest';
import { format } from '../../../../src/web/api/sse.js';

test('an event is written as browsers parse it', () => {
  expect(format({ data: 'one' })).toBe('data: one\n\n');
  expect(format({ event: 'end', id: 12, data: '{}' })).toBe('event: end\nid: 12\ndata: {}\n\n');
});

test('no line of data can become another field or another event', () => {
  expect(format({ id: 1, data: 'a\nid: 2\r\n\revent: x' })).toBe(
    'id: 1\ndata: a\ndata: id: 2\ndata: \ndata: event: x\n\n',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (data) => {
      const lines = format({ data }).split(/\r\n|\r|\n/);
      expect(lines.slice(-2)).toEqual(['', '']);
      expect(lines.slice(0, -2).every((line) => line.startsWith('data: '))).toBe(true);
      expect(
        lines
          .slice(0, -2)
          .map((line) => line.slice(6))
          .join('\n'),
      ).toBe(data.replace(/\r\n?/g, '\n'));
    }),
  );
});
