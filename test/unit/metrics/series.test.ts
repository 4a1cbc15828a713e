import { describe, expect, it } from 'vitest';
import { app, blank, latencyPlace, type AppField } from '../../../src/metrics/fields.js';
import type { Point } from '../../../src/metrics/points.js';
import { appSeries, ranges, RANGES, timesOf } from '../../../src/metrics/series.js';
import { RESOLUTIONS } from '../../../src/metrics/store.js';

const NOW = 1_000_000 * 3_600_000;
const LAST = NOW / 10_000;

function point(back: number, fields: Partial<Record<AppField, number>>): Point {
  const values = blank('shop');
  for (const [name, value] of Object.entries(fields)) values[app[name as AppField]] = value;
  return { tick: LAST - back, values };
}

describe('ranges', () => {
  it('have a few hundred steps each, and fit to what is kept', () => {
    for (const range of ranges) {
      const times = timesOf(range, NOW);
      expect(times.length).toBeGreaterThan(280);
      expect(times.length).toBeLessThan(400);
      const { step, seconds } = RANGES[range];
      const kept = RESOLUTIONS.findLast((one) => step % one.seconds === 0);
      expect((kept?.seconds ?? 0) * (kept?.blockSpans ?? 0) * (kept?.keepBlocks ?? 0)).toBeGreaterThanOrEqual(seconds);
    }
  });

  it('end with the step in progress', () => {
    expect(timesOf('hour', NOW + 3_000).at(-1)).toBe(NOW / 1_000);
  });
});

describe('appSeries', () => {
  it('knows the difference between nothing and not measured', () => {
    const points = [point(2, { samples: 1, cpuMs: 500, memoryKb: 10, requests2xx: 3, release: 1 })];
    const { columns } = appSeries('hour', NOW, points, new Set([LAST - 2, LAST - 1]));
    const last = <T>(column: readonly T[]): T[] => column.slice(-4);
    expect(last(columns.requests2xx)).toEqual([null, 3, 0, null]);
    expect(last(columns.cpu)).toEqual([null, 0.05, null, null]);
    expect(last(columns.memory)).toEqual([null, 10_240, null, null]);
    expect(columns.cpu).toHaveLength(360);
  });

  it('marks new releases and failed deploys', () => {
    const points = [
      point(9, { samples: 1, release: 4 }),
      point(8, { samples: 1, release: 4, failedDeploys: 1 }),
      point(7, { requests2xx: 1 }),
      point(6, { samples: 1, release: 6 }),
    ];
    expect(appSeries('hour', NOW, points, new Set()).marks).toEqual([
      { time: NOW / 1_000 - 80, release: null, kind: 'failed-deploy' },
      { time: NOW / 1_000 - 60, release: 6, kind: 'release' },
    ]);
  });

  it('sums up the range, and each release', () => {
    const slow = (back: number, ms: number, release: number): Point => {
      const one = point(back, { samples: 1, release, requests2xx: 1, memoryKb: ms, memoryMaxKb: ms, visitors: 1 });
      one.values[latencyPlace(ms)] = 1;
      return one;
    };
    const { total, releases } = appSeries('hour', NOW, [slow(5, 100, 1), slow(4, 300, 2), slow(3, 500, 2)], new Set());
    expect(total).toMatchObject({ visitors: 3, requests: 3, memory: 300 * 1_024, memoryMax: 500 * 1_024, ran: 30 });
    expect(releases.map(({ release, requests }) => [release, requests])).toEqual([
      [2, 2],
      [1, 1],
    ]);
    expect(releases[1]?.latencyP50).toBeLessThan(releases[0]?.latencyP50 ?? 0);
  });

  it('has no average of nothing', () => {
    const { total } = appSeries('day', NOW, [], new Set());
    expect(total).toMatchObject({ cpu: null, memory: null, latencyP50: null, wakeMs: null, requests: 0 });
  });
});
