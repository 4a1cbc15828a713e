import { expect, it } from 'vitest';
import { families } from '../../../src/metrics/exposition.js';
import { app, blank, BOX_ID, latencyPlace, pageId } from '../../../src/metrics/fields.js';
import { otlpMetrics } from '../../../src/metrics/otlp.js';

interface Point {
  attributes: { key: string; value: { stringValue: string } }[];
  timeUnixNano: string;
  startTimeUnixNano?: string;
  asDouble?: number;
  count?: string;
  sum?: number;
  bucketCounts?: string[];
  explicitBounds?: number[];
}
interface Metric {
  name: string;
  gauge?: { dataPoints: Point[] };
  sum?: { dataPoints: Point[]; aggregationTemporality: number; isMonotonic: boolean };
  histogram?: { dataPoints: Point[]; aggregationTemporality: number };
}
interface Exported {
  resourceMetrics: { resource: { attributes: Point['attributes'] }; scopeMetrics: { metrics: Metric[] }[] }[];
}

const totals = blank('shop');
totals[app.requests2xx] = 7;
for (const ms of [5, 40, 99_999]) totals[latencyPlace(ms)] = 1;
totals[app.latencyMs] = 100_044;
const exposed = {
  version: '1.2.3',
  apps: [{ id: 'shop', up: true, release: 4 }],
  latest: new Map([
    ['shop', blank('shop')],
    [BOX_ID, blank(BOX_ID)],
  ]),
  totals: new Map([
    ['shop', totals],
    [pageId('shop', '/'), [1, 1, 1]],
  ]),
  sizeOf: () => ({ storage: 2_048, logs: 512 }),
};
const exported = otlpMetrics(families(exposed), {
  ...{ resource: { 'service.name': 'box' }, version: '1.2.3', start: 1_000, now: 2_500 },
}) as Exported;
const metrics = exported.resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
const metric = (name: string): Metric | undefined => metrics.find((one) => one.name === `streamlit_host_${name}`);

it('exports the same metrics as Prometheus gets, but for the version, which is in the resource', () => {
  expect(metrics.map(({ name }) => name)).toEqual(
    families(exposed).flatMap(({ name, type }) => (type === 'info' ? [] : name)),
  );
  expect(exported.resourceMetrics[0]?.resource.attributes).toEqual([
    { key: 'service.name', value: { stringValue: 'box' } },
    { key: 'service.version', value: { stringValue: '1.2.3' } },
  ]);
});

it('writes counters with their beginning, and gauges without one', () => {
  const requests = metric('app_http_requests')?.sum;
  expect(requests).toMatchObject({ aggregationTemporality: 2, isMonotonic: true });
  expect(requests?.dataPoints[0]).toEqual({
    attributes: [
      { key: 'app', value: { stringValue: 'shop' } },
      { key: 'code', value: { stringValue: '2xx' } },
    ],
    startTimeUnixNano: '1000000000',
    timeUnixNano: '2500000000',
    asDouble: 7,
  });
  expect(metric('app_release')?.gauge?.dataPoints[0]).toMatchObject({ timeUnixNano: '2500000000', asDouble: 4 });
  expect(metric('app_release')?.gauge?.dataPoints[0]?.startTimeUnixNano).toBeUndefined();
});

it('writes histograms with a count for each class', () => {
  const [point] = metric('app_first_byte_seconds')?.histogram?.dataPoints ?? [];
  expect(point).toMatchObject({ count: '3', sum: 100.044 });
  expect(point?.bucketCounts).toHaveLength((point?.explicitBounds?.length ?? 0) + 1);
  expect(point?.bucketCounts?.map(Number).reduce((sum, each) => sum + each)).toBe(3);
  expect(point?.bucketCounts?.at(-1)).toBe('1');
  expect(point?.explicitBounds?.[0]).toBe(0.01);
});
