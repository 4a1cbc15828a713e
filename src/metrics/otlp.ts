import type { Family } from './exposition.js';

/** Who exports, and when. Times in ms since 1970. */
export interface OtlpFacts {
  /** The attributes of the resource, such as `service.name`. */
  resource: Readonly<Record<string, string>>;
  version: string;
  /** Since when counters count. */
  start: number;
  now: number;
}

/** Cumulative, as the counters of a server that runs are. */
const CUMULATIVE = 2;

/**
 * Writes metrics as OTLP has them in JSON, where whole numbers of 64 bits are texts.
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function otlpMetrics(families: readonly Family[], { resource, version, start, now }: OtlpFacts): object {
  const times = { startTimeUnixNano: nanos(start), timeUnixNano: nanos(now) };
  const point = ({ labels, value }: Family['samples'][number]): object => ({
    ...{ attributes: attributesOf(labels), timeUnixNano: times.timeUnixNano, asDouble: value },
  });
  const metrics = families.flatMap(({ name, type, help, samples }): object[] => {
    if (samples.length === 0 || type === 'info') return [];
    const common = { name, description: help };
    switch (type) {
      case 'gauge':
        return [{ ...common, gauge: { dataPoints: samples.map(point) } }];
      case 'counter': {
        const dataPoints = samples.map((sample) => ({ ...point(sample), startTimeUnixNano: times.startTimeUnixNano }));
        return [{ ...common, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } }];
      }
      case 'histogram': {
        const dataPoints = histograms(samples).map((each) => ({ ...each, ...times }));
        return [{ ...common, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } }];
      }
    }
  });
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributesOf({ ...resource, 'service.version': version }) },
        scopeMetrics: [{ scope: { name: 'streamlit-host', version }, metrics }],
      },
    ],
  };
}

/** Attributes as OTLP has them. */
export function attributesOf(values: Readonly<Record<string, string>>): object[] {
  return Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

/** A time (ms since 1970) as OTLP has it. */
export function nanos(ms: number): string {
  return `${Math.round(ms)}000000`;
}

/** Prometheus counts up to each bound, OTLP between two. */
function histograms(samples: Family['samples']): object[] {
  const byApp = new Map<string, Family['samples']>();
  for (const sample of samples) {
    const { app = '' } = sample.labels;
    byApp.set(app, [...(byApp.get(app) ?? []), sample]);
  }
  return [...byApp].map(([app, own]) => {
    const of = (suffix: string): Family['samples'] => own.filter((sample) => sample.suffix === suffix);
    const upTo = of('_bucket').map(({ value }) => value);
    return {
      attributes: attributesOf({ app }),
      count: String(of('_count')[0]?.value ?? 0),
      sum: of('_sum')[0]?.value ?? 0,
      bucketCounts: upTo.map((value, place) => String(value - (upTo[place - 1] ?? 0))),
      explicitBounds: of('_bucket').flatMap(({ labels }) => (labels.le === '+Inf' ? [] : Number(labels.le))),
    };
  });
}
