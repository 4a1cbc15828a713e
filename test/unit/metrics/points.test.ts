import { describe, expect, it } from 'vitest';
import { app, blank, box, BOX_ID, latencyPlace } from '../../../src/metrics/fields.js';
import { latencyQuantile, merge, requestsOf, rollUp } from '../../../src/metrics/points.js';

function values(fields: Partial<Record<keyof typeof app, number>>): number[] {
  const all = blank('shop');
  for (const [name, value] of Object.entries(fields)) all[app[name as keyof typeof app]] = value;
  return all;
}

describe('merge', () => {
  it('adds counters, averages gauges by their samples, and keeps the highest and the last', () => {
    const into = values({ samples: 1, cpuMs: 100, memoryKb: 100, memoryMaxKb: 100, release: 3, pages: 5 });
    merge('shop', into, values({ samples: 3, cpuMs: 20, memoryKb: 200, memoryMaxKb: 210, release: 4, pages: 2 }));
    expect(into).toEqual(values({ samples: 4, cpuMs: 120, memoryKb: 175, memoryMaxKb: 210, release: 4, pages: 5 }));
  });

  it('does not let a span without samples change a gauge', () => {
    const into = values({ samples: 2, memoryKb: 100, release: 3 });
    merge('shop', into, values({ requests2xx: 7 }));
    expect(into).toEqual(values({ samples: 2, memoryKb: 100, release: 3, requests2xx: 7 }));
  });

  it('takes fewer fields of an older version as zero', () => {
    const into = values({ samples: 1, exceptions: 2 });
    merge('shop', into, [1]);
    expect(into).toEqual(values({ samples: 2, exceptions: 2 }));
  });

  it('knows the rules of the machine', () => {
    const into = blank(BOX_ID);
    const from = blank(BOX_ID);
    [from[box.samples], from[box.cores], from[box.loopDelayUs]] = [1, 2, 900];
    merge(BOX_ID, into, from);
    expect([into[box.cores], into[box.loopDelayUs]]).toEqual([2, 900]);
  });
});

describe('rollUp', () => {
  it('sums up spans in larger ones, and leaves out those without any point', () => {
    const points = [0, 1, 2, 9].map((tick) => ({ tick, values: values({ samples: 1, requests2xx: 1 }) }));
    expect(rollUp('shop', points, 3)).toEqual([
      { tick: 0, values: values({ samples: 3, requests2xx: 3 }) },
      { tick: 3, values: values({ samples: 1, requests2xx: 1 }) },
    ]);
  });

  it('puts points in the order of time first', () => {
    const points = [5, 4].map((tick) => ({ tick, values: values({ samples: 1, release: tick }) }));
    expect(rollUp('shop', points, 10)[0]?.values[app.release]).toBe(5);
  });
});

describe('latencyQuantile', () => {
  it('interpolates within the class', () => {
    const all = blank('shop');
    for (const ms of [5, 20, 20, 20]) all[latencyPlace(ms)] = (all[latencyPlace(ms)] ?? 0) + 1;
    expect(latencyQuantile(all, 0.5)).toBeCloseTo(15);
    expect(latencyQuantile(all, 1)).toBe(25);
  });

  it('says no more of the slowest than what is known', () => {
    const all = blank('shop');
    all[latencyPlace(60_000)] = 1;
    expect(latencyQuantile(all, 0.5)).toBe(10_000);
  });

  it('knows nothing without a request', () => {
    expect(latencyQuantile(blank('shop'), 0.5)).toBeUndefined();
  });
});

it('counts requests of all classes', () => {
  expect(requestsOf(values({ requests2xx: 1, requests3xx: 2, requests4xx: 3, requests5xx: 4 }))).toBe(10);
});
