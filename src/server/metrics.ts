import { join } from 'node:path';
import { isUnwritable } from '../errors.js';
import { endInTurn } from '../lib/ends.js';
import type { Logger } from '../logger.js';
import { BoxReader } from '../metrics/box.js';
import { Errors } from '../metrics/errors.js';
import { Happenings } from '../metrics/happenings.js';
import { LogWatch } from '../metrics/log-watch.js';
import { Metrics } from '../metrics/metrics.js';
import { app as fields } from '../metrics/fields.js';
import { Recorder } from '../metrics/recorder.js';
import { Sizes } from '../metrics/sizes.js';
import { MetricsStore } from '../metrics/store.js';
import { Visitors } from '../metrics/visitors.js';
import type { OtlpSettings } from '../metrics/otlp-settings.js';
import type { Paths } from '../store/paths.js';
import type { Composed } from './compose.js';
import { openOtlpExport } from './otlp.js';

/** What is measured, from its begin to its end. */
export interface Measuring {
  metrics: Metrics;
  errors: Errors;
  /** What reports it as it happens. */
  happenings: Happenings;
  recorder: Recorder;
  /** Opens the store and begins to measure. One server at a time may have it open. */
  begin(): Promise<void>;
  /** Writes what is left, and lets go of the store. */
  close(): Promise<void>;
}

/** Composes what measures the apps and the machine. Nothing is read or written before it begins. */
export function openMetrics(options: {
  paths: Paths;
  composed: Pick<Composed, 'store' | 'serving' | 'runtime' | 'traffic' | 'masks' | 'ping' | 'host'>;
  /** Where metrics are exported to. */
  otlp: OtlpSettings | undefined;
  version: string;
  logger: Logger;
}): Measuring {
  const { paths, composed, logger } = options;
  const warn = (text: string): void => logger.warn(text);
  const store = new MetricsStore(paths.metrics, warn);
  const happenings = new Happenings({ store: composed.store, serving: composed.serving });
  const visitors = new Visitors(join(paths.metrics, 'visitors.json'), warn);
  const box = new BoxReader({ folder: paths.data, ping: () => composed.ping() });
  const sizes = new Sizes({ apps: composed.store, paths, warn });
  const recorder = new Recorder({
    ...{ store, happenings, visitors, box, sizes, warn },
    ...{ apps: composed.store, runtime: composed.runtime, traffic: composed.traffic },
  });
  const errors = new Errors(paths.metricErrors, warn);
  const logWatch = new LogWatch({
    ...{ paths, errors, apps: composed.store },
    mask: (app) => composed.masks.of(app),
    count: (app, exceptions) => recorder.count(app, 'exceptions', exceptions),
  });
  let looking = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      await logWatch.look();
      await errors.flush();
    } catch (error) {
      logger.warn({ err: error }, 'The logs of apps could not be searched for exceptions.');
    }
  };
  const metrics = new Metrics({ store, recorder, sizes, apps: composed.store, warn });
  const { otlp, version } = options;
  const otlpExport = openOtlpExport({ otlp, metrics, apps: composed.host.apps, version, logger });
  let begun = false;
  return {
    metrics,
    errors,
    happenings,
    recorder,
    async begin() {
      try {
        await store.open(Date.now());
        await visitors.open(Date.now());
      } catch (error) {
        if (isUnwritable(error)) throw error;
        logger.error({ err: error }, 'Metrics are not recorded, because their folder cannot be used.');
        return;
      }
      box.begin();
      happenings.begin();
      logWatch.begin();
      recorder.subscribe((figures) => {
        looking = looking.then(look);
        sizes.look([...figures.keys()].filter((id) => (figures.get(id)?.[fields.samples] ?? 0) > 0));
      });
      happenings.subscribe(({ kind, app }) => {
        if (kind === 'removed') looking = looking.then(() => errors.clear(app)).catch(() => undefined); // It is not shown.
      });
      recorder.begin();
      otlpExport?.begin();
      begun = true;
    },
    async close() {
      if (!begun) return;
      const ends = [
        () => otlpExport?.close(),
        () => recorder.close(),
        () => sizes.close(),
        () => looking,
        () => happenings.close(),
        () => store.close(),
        () => box.close(),
      ];
      await endInTurn(ends, (error) => logger.error({ err: error }, 'Metrics could not be closed.'));
    },
  };
}
