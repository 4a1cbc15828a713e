import { hostname } from 'node:os';
import { OtlpSink } from '../drains/otlp-sink.js';
import { otlpMetrics } from '../metrics/otlp.js';
import { OtlpExport } from '../metrics/otlp-export.js';
import type { Metrics } from '../metrics/metrics.js';
import type { Logger } from '../logger.js';
import type { OtlpSettings } from '../metrics/otlp-settings.js';
import type { Apps } from '../host/apps.js';

/** What the metrics say of the server and its apps beside what was measured. */
export function exposedApps(apps: Pick<Apps, 'list'>): { id: string; up: boolean; release: number | null }[] {
  return apps.list().map(({ app, state }) => ({ id: app.id, up: state === 'running', release: app.live }));
}

/** The export of metrics, which has not begun; undefined where none is set. */
export function openOtlpExport(options: {
  otlp: OtlpSettings | undefined;
  metrics: Pick<Metrics, 'families'>;
  apps: Pick<Apps, 'list'>;
  version: string;
  logger: Logger;
}): OtlpExport | undefined {
  const { otlp, metrics, apps, version, logger } = options;
  if (otlp?.metrics === undefined) return undefined;
  const start = Date.now();
  const resource = { 'service.name': otlp.service, 'host.name': hostname() };
  return new OtlpExport({
    ...{ url: otlp.metrics, headers: otlp.headers, everyMs: otlp.everyMs, logger },
    metrics: () =>
      otlpMetrics(metrics.families({ version, apps: exposedApps(apps) }), {
        ...{ resource, version, start, now: Date.now() },
      }),
  });
}

/** Where the lines of all apps are exported to. */
export function otlpSinks(otlp: OtlpSettings | undefined): OtlpSink[] {
  return otlp?.logs === undefined ? [] : [new OtlpSink(otlp.logs, otlp.headers)];
}
