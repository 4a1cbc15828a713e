import { describe, expect, it } from 'vitest';
import { codeOf, ExceptionReader, raisedAt } from '../../../../src/domain/streamlit/exceptions.js';

const SIMPLE = `2026-11-21 23:30:34.300 Uncaught app execution
Traceback (most recent call last):
  File "app.py", line 6, in <module>
    load()
  File "lib/data.py", line 4, in load
    raise ValueError("no")
ValueError: no`.split('\n');

const CHAINED = `Traceback (most recent call last):
  File "app.py", line 3, in read
    open("x")
FileNotFoundError: [Errno 2] No such file or directory: 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "app.py", line 5, in read
    raise RuntimeError("cannot read") from error
RuntimeError: cannot read`.split('\n');

const types = (lines: readonly string[]): string[] => {
  const reader = new ExceptionReader();
  return [...reader.push(lines), ...reader.end()].map(({ type }) => type);
};

describe('ExceptionReader', () => {
  it('finds an exception with its message and its traceback, once something follows it', () => {
    const reader = new ExceptionReader();
    expect(reader.push(SIMPLE)).toEqual([]);
    expect(reader.push(['2026-11-21 23:30:35 something else'])).toEqual([
      { type: 'ValueError', message: 'no', lines: SIMPLE.slice(1) },
    ]);
    expect(reader.end()).toEqual([]);
  });

  it('finds it wherever the lines are split', () => {
    for (let at = 0; at <= SIMPLE.length; at += 1) {
      const reader = new ExceptionReader();
      const found = [...reader.push(SIMPLE.slice(0, at)), ...reader.push(SIMPLE.slice(at)), ...reader.end()];
      expect(found).toHaveLength(1);
    }
  });

  it('is not done within a traceback', () => {
    const reader = new ExceptionReader();
    reader.push(SIMPLE.slice(0, 4));
    expect(reader.end()).toEqual([]);
    reader.push(SIMPLE.slice(4));
    expect(reader.end()).toHaveLength(1);
  });

  it('takes exceptions that follow from each other as one, of the last type', () => {
    expect(types([...CHAINED, 'next'])).toEqual(['RuntimeError']);
    const reader = new ExceptionReader();
    const [found] = [...reader.push(CHAINED), ...reader.end()];
    expect(found?.lines).toEqual(CHAINED);
  });

  it('counts each of several', () => {
    expect(types([...SIMPLE, ...SIMPLE, ...CHAINED])).toEqual(['ValueError', 'ValueError', 'RuntimeError']);
  });

  it('knows types of packages, and exceptions without a message', () => {
    const frame = ['Traceback (most recent call last):', '  File "app.py", line 1, in <module>', '    x()'];
    expect(types([...frame, 'sqlalchemy.exc.OperationalError: gone', ...frame, 'KeyboardInterrupt'])).toEqual([
      'sqlalchemy.exc.OperationalError',
      'KeyboardInterrupt',
    ]);
  });

  it('is not led astray by what another thread prints in between, nor by ordinary lines', () => {
    expect(types(['Traceback (most recent call last):', '2026-11-21 an ordinary line', 'ValueError: no'])).toEqual([]);
    expect(types(['ValueError: nothing before it'])).toEqual([]);
  });

  it('keeps the beginning and the end of a traceback without end', () => {
    const frames = Array.from({ length: 5_000 }, (_, place) => `  File "app.py", line ${place}, in f`);
    const reader = new ExceptionReader();
    reader.push(['Traceback (most recent call last):', ...frames, 'RecursionError: too deep']);
    const [found] = reader.end();
    expect(found?.lines.length).toBeLessThanOrEqual(80);
    expect(found?.lines[0]).toBe('Traceback (most recent call last):');
    expect(found?.lines.at(-1)).toBe('RecursionError: too deep');
    expect(found?.lines.filter((line) => line === '  …')).toHaveLength(1);
  });
});

it('tells where an exception was raised', () => {
  expect(raisedAt(SIMPLE)).toEqual({ file: 'lib/data.py', line: 4, function: 'load' });
  expect(codeOf(SIMPLE)).toBe('raise ValueError("no")');
  expect(raisedAt(CHAINED)?.line).toBe(5);
  expect(raisedAt(['SyntaxError: invalid'])).toBeUndefined();
});
