import { expect, it } from 'vitest';
import { otlpSettings } from '../../../src/metrics/otlp-settings.js';

function read(env: Record<string, string>) {
  const mistakes: string[] = [];
  return { settings: otlpSettings(env, mistakes), mistakes };
}
const OTEL_EXPORTER_OTLP_ENDPOINT = 'https://otel.example:4318/base/';

it('nothing is exported without an endpoint, whatever else is set', () => {
  expect(read({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toEqual({ settings: undefined, mistakes: [] });
});

it('the path of each signal is added to the endpoint, and headers are decoded', () => {
  expect(
    read({
      OTEL_EXPORTER_OTLP_ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: 'Api-Key=a%20b , x=1=2',
      OTEL_SERVICE_NAME: 'box',
    }),
  ).toEqual({
    settings: {
      metrics: 'https://otel.example:4318/base/v1/metrics',
      logs: 'https://otel.example:4318/base/v1/logs',
      headers: { 'api-key': 'a b', x: '1=2' },
      service: 'box',
      everyMs: 60_000,
    },
    mistakes: [],
  });
});

it('a signal can be left out', () => {
  const { settings } = read({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_LOGS_EXPORTER: 'none' });
  expect(settings?.logs).toBeUndefined();
  expect(settings?.metrics).toBeDefined();
});

it('mistakes are named without the value of a header', () => {
  const { mistakes } = read({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'otel.example:4318',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_HEADERS: 'the-key-alone',
    OTEL_METRIC_EXPORT_INTERVAL: '5',
  });
  expect(mistakes).toHaveLength(4);
  expect(mistakes.join()).not.toContain('the-key-alone');
});
