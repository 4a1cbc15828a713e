import { describe, expect, it } from 'vitest';
import { drawPlot, drawSpark, formatValue, scaleOf, tableOf, type Plot } from '../../../src/web/plot.js';

const plot: Plot = {
  title: 'Memory <b>',
  unit: 'bytes',
  times: [0, 300, 600, 900, 1_200],
  lines: [{ name: 'Average', field: 'memory_bytes', values: [1e8, 1.2e8, null, 2e8, null] }],
  marks: [
    { time: 600, label: '7', bad: false },
    { time: 9_000, label: 'never', bad: false },
  ],
};

describe('drawPlot', () => {
  const svg = drawPlot(plot);

  it('interrupts the line where nothing was measured, and shows a single value', () => {
    const line = /<path class="line line-1" d="([^"]+)"/.exec(svg)?.[1] ?? '';
    expect(line.match(/M/g)).toHaveLength(2);
    expect(line.match(/L/g)).toHaveLength(1);
    expect(line).toMatch(/h\.01$/);
    expect(svg).not.toContain('NaN');
  });

  it('tells the last values in words', () => {
    expect(svg).toContain('role="img" aria-label="Memory &#60;b&#62;: Average 200 MB"');
  });

  it('shows the marks that lie within', () => {
    expect(svg).toContain('>7</text>');
    expect(svg).not.toContain('never');
  });

  it('stays within its box', () => {
    for (const [, x, y] of svg.matchAll(/[ML]([\d.]+) ([\d.]+)/g)) {
      expect(Number(x)).toBeLessThanOrEqual(600);
      expect(Number(y)).toBeLessThanOrEqual(180);
    }
  });

  it('can show nothing', () => {
    expect(drawPlot({ ...plot, lines: [{ name: 'Average', field: 'x', values: [null, null] }], times: [] })).toContain(
      '–',
    );
  });
});

describe('scaleOf', () => {
  it('has round steps that hold the highest value', () => {
    expect(scaleOf(182_000_000, 'bytes')).toEqual([0, 5e7, 1e8, 1.5e8, 2e8]);
    expect(scaleOf(0.37, 'share')).toEqual([0, 0.1, 0.2, 0.3, 0.4]);
    expect(scaleOf(0, 'count')).toEqual([0, 1, 2, 3, 4]);
    for (let high = 1; high < 1e9; high *= 1.7) expect(scaleOf(high, 'ms').at(-1)).toBeGreaterThanOrEqual(high * 0.999);
  });

  it('has no halves of a count', () => {
    for (let high = 0; high < 40; high += 1)
      for (const value of scaleOf(high, 'count')) expect(Number.isInteger(value)).toBe(true);
  });
});

it('formats values for people', () => {
  expect(formatValue(0.004, 'share')).toBe('0.4 %');
  expect(formatValue(1.5, 'share')).toBe('150 %');
  expect(formatValue(12_345, 'count')).toBe('12.3k');
  expect(formatValue(1_234, 'ms')).toBe('1.2 s');
  expect(formatValue(null, 'ms')).toBe('–');
});

it('has the highest value of each row in its table, the newest first', () => {
  expect(tableOf(plot, undefined, 3)).toEqual([
    { time: '1970-01-01T00:20:00.000Z', cells: ['–'] },
    { time: '1970-01-01T00:10:00.000Z', cells: ['200 MB'] },
    { time: '1970-01-01T00:00:00.000Z', cells: ['120 MB'] },
  ]);
});

it('draws a tiny plot, and none of nothing', () => {
  expect(drawSpark([null, 1, 2], 'Memory')).toContain('aria-label="Memory"');
  expect(drawSpark([null, null], 'Memory')).toBe('');
});
