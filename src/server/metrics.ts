import { join } from 'node:path';
import { isUnwritable } from '../errors.js';
import type { Logger } from '../logger.js';
import { BoxReader } from '../metrics/box.js';
import { Happenings } from '../metrics/happenings.js';
import { Metrics } from '../metrics/metrics.js';
import { Recorder } from '../metrics/recorder.js';
import { MetricsStore } from '../metrics/store.js';
import { Visitors } from '../metrics/visitors.js';
import type { Paths } from '../store/paths.js';
import type { Composed } from './compose.js';

/** What is measured, from its begin to its end. */
export interface Measuring {
  metrics: Metrics;
  /** Opens the store and begins to measure. One server at a time may have it open. */
  begin(): Promise<void>;
  /** Writes what is left, and lets go of the store. */
  close(): Promise<void>;
}

/** Composes what measures the apps and the machine. Nothing is read or written before it begins. */
export function openMetrics(options: {
  paths: Paths;
  composed: Pick<Composed, 'store' | 'serving' | 'runtime' | 'traffic' | 'ping'>;
  logger: Logger;
}): Measuring {
  const { paths, composed, logger } = options;
  const warn = (text: string): void => logger.warn(text);
  const store = new MetricsStore(paths.metrics, warn);
  const happenings = new Happenings({ store: composed.store, serving: composed.serving });
  const visitors = new Visitors(join(paths.metrics, 'visitors.json'), warn);
  const box = new BoxReader({ folder: paths.data, ping: () => composed.ping() });
  const recorder = new Recorder({
    ...{ store, happenings, visitors, box, warn },
    ...{ apps: composed.store, runtime: composed.runtime, traffic: composed.traffic },
  });
  let begun = false;
  return {
    metrics: new Metrics({ store, recorder, apps: composed.store }),
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
      recorder.begin();
      begun = true;
    },
    async close() {
      if (begun) {
        await recorder.close();
        happenings.close();
        await store.close();
        box.close();
      }
    },
  };
}
