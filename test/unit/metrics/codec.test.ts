import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeColumns, decodeRow, encodeColumns, encodeRow, Reader, Writer } from '../../../src/metrics/codec.js';

const figures = fc.array(
  fc.oneof(
    fc.constant(0),
    fc.nat(200),
    fc.maxSafeNat().map((number) => number % 2 ** 50),
  ),
  { minLength: 5, maxLength: 5 },
);

describe('Writer and Reader', () => {
  it('keep whole numbers of any size, and texts', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), fc.string(), fc.integer(), (numbers, text, signed) => {
        const writer = new Writer(1);
        for (const number of numbers) writer.number(number);
        writer.text(text);
        writer.signed(signed);
        const reader = new Reader(Buffer.from(writer.done()));
        for (const number of numbers) expect(reader.number()).toBe(number);
        expect(reader.text()).toBe(Buffer.from(text).toString());
        expect(reader.signed()).toBe(signed);
        expect(reader.done).toBe(true);
      }),
    );
  });

  it('write fractions, negative and infinite numbers as whole numbers', () => {
    const writer = new Writer();
    for (const odd of [-5, Number.NaN, 2.6, Infinity]) writer.number(odd);
    const reader = new Reader(writer.done());
    expect([reader.number(), reader.number(), reader.number(), reader.number()]).toEqual([
      0,
      0,
      3,
      Number.MAX_SAFE_INTEGER,
    ]);
  });

  it('refuse what ends early', () => {
    expect(() => new Reader(Buffer.from([0x80])).number()).toThrow('ends early');
    expect(() => new Reader(Buffer.from([5, 1])).bytes()).toThrow('ends early');
  });
});

describe('rows', () => {
  it('keep the figures of consecutive spans, and where there are none', () => {
    fc.assert(
      fc.property(fc.array(fc.option(figures, { nil: undefined })), (row) => {
        const writer = new Writer();
        encodeRow(row, writer);
        const expected = row.flatMap((values, place) =>
          // Of a span in which all is zero, there is nothing to keep.
          values === undefined || values.every((value) => value === 0) ? [] : [{ tick: 100 + place, values }],
        );
        expect(decodeRow(Buffer.from(writer.done()), 100, 5)).toEqual(expected);
      }),
    );
  });

  it('leave out fields that only a newer version knows', () => {
    const writer = new Writer();
    encodeRow([[1, 2, 3]], writer);
    expect(decodeRow(writer.done(), 0, 2)).toEqual([{ tick: 0, values: [1, 2] }]);
  });
});

describe('columns', () => {
  const points = fc.array(fc.record({ tick: fc.integer({ min: 0, max: 2 ** 40 }), values: figures }));

  it('keep all points', () => {
    fc.assert(
      fc.property(points, (all) => {
        expect(decodeColumns(encodeColumns(all), 5)).toEqual(all);
      }),
    );
  });

  it('take hardly any room for what hardly changes', () => {
    const quiet = Array.from({ length: 360 }, (_, tick) => ({
      tick,
      values: [1, 10 + (tick % 2), 182_000, 182_000, 2],
    }));
    expect(encodeColumns(quiet).length).toBeLessThan(80);
  });
});
