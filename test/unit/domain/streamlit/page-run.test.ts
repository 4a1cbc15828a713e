import { describe, expect, it } from 'vitest';
import { hear, rerun } from '../../../../src/domain/streamlit/page-run.js';
import { field } from '../../../../src/domain/streamlit/proto.js';

/** A field that is a number. */
const number = (at: number, value: number): Buffer => Buffer.from([at * 8, value]);
const page = (hash: string, name: string, ...more: Buffer[]): Buffer =>
  Buffer.concat([field(1, hash), field(2, name), ...more]);

describe('a run of a page', () => {
  it("is requested by the page's hash, or without one", () => {
    expect(rerun('')).toEqual(Buffer.from([11 * 8 + 2, 0]));
    expect(rerun('ab')).toEqual(Buffer.from([11 * 8 + 2, 4, 3 * 8 + 2, 2, 0x61, 0x62]));
  });

  it('lists the pages from the navigation or the older message, without links elsewhere', () => {
    const pages = [
      page('h1', 'Home', number(4, 1)),
      page('h2', 'Más'),
      page('h3', 'Docs', field(8, 'https://example.com')),
    ];
    const expected = {
      pages: [
        { hash: 'h1', name: 'Home', path: '', first: true },
        { hash: 'h2', name: 'Más', path: '', first: false },
      ],
    };
    expect(hear(field(23, Buffer.concat(pages.map((one) => field(2, one)))))).toEqual(expected);
    expect(hear(field(4, Buffer.concat(pages.map((one) => field(8, one)))))).toEqual(expected);
  });

  it('recognises a single page as the first one, which is not marked then', () => {
    expect(hear(field(23, field(2, page('h1', ''))))).toEqual({
      pages: [{ hash: 'h1', name: '', path: '', first: true }],
    });
  });

  it('has ended once it does not rerun by itself', () => {
    expect(hear(number(6, 0))).toEqual({ finished: true });
    expect(hear(number(6, 1))).toEqual({ finished: true });
    expect(hear(number(6, 2))).toEqual({});
  });

  it('shows an exception or a failure to load; a warning is neither', () => {
    const exception = Buffer.concat([
      field(1, 'ValueError'),
      field(2, 'no such\ncolumn'),
      field(3, 'File "a.py", line 2'),
    ]);
    const lines = ['File "a.py", line 2', 'ValueError: no such', 'column'];
    expect(hear(field(5, field(3, field(8, exception))))).toEqual({ exception: lines });
    expect(hear(field(10, field(3, exception)))).toEqual({ exception: lines });
    expect(hear(field(5, field(3, field(8, Buffer.concat([exception, number(5, 1)])))))).toEqual({});
    expect(hear(field(5, field(3, field(1, 'text'))))).toEqual({});
  });

  it('shows a syntax error as Python does', () => {
    const lines = ['File "app.py", line 3', '  f(', '   ^', "SyntaxError: '(' was never closed"];
    const exception = Buffer.concat([
      field(1, 'SyntaxError'),
      field(2, lines.join('\n')),
      field(3, 'File "ast.py", line 2'),
    ]);
    expect(hear(field(10, field(3, exception)))).toEqual({ exception: ['File "ast.py", line 2', ...lines] });
  });

  it.each([Buffer.alloc(0), Buffer.from([0xff]), Buffer.from([0x2a, 0xff, 0xff, 0xff]), Buffer.alloc(64, 0xff)])(
    'ignores garbage: %#',
    (bytes) => {
      expect(hear(bytes)).toEqual({});
    },
  );
});
