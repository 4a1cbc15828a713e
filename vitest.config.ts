import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Files in memory: unit tests would wait for the disk at every atomic write. */
const MEMORY = '/dev/shm';
const IN_MEMORY: Record<string, string> = existsSync(MEMORY) ? { TMPDIR: MEMORY } : {};

/**
 * What asks the same question of many versions, cages or places, needs another engine or a disk of its own, or waits for time to
 * pass: it takes minutes and is seldom the first to fail. `npm test` leaves these out, .ci/run does not.
 */
const LONG = [
  'test/browser/{accessibility,plots,public-apps,sleep,streamlit-versions}.test.ts',
  'test/integration/{docker,runtime-docker,runtime-swarm,swarm}*.test.ts',
  'test/integration/{deploys-under-load,disk-full,few-files,frozen-process,limits,start-on-a-full-disk,system-packages}.test.ts',
  'test/integration/{guesses,older-version,pip-forms,restore-s3,schemathesis,service}.test.ts',
  'test/integration/alerts/outbox.test.ts',
  'test/integration/environments/own-project.test.ts',
  'test/integration/metrics/metrics.test.ts',
  'test/security/{connections,same-origin,tenant}.test.ts',
];

/** For tests that run a server, with real programs around it. */
const HOST = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  globalSetup: ['test/helpers/global-setup.ts'],
  setupFiles: ['test/helpers/ends.ts'],
};

export default defineConfig({
  test: {
    // Each file has a server of its own; two at once keep two cores busy and leave each other's time-outs alone.
    maxWorkers: 2,
    // A provider of the tests is what it says that it must not be: without a database, and with default settings.
    onConsoleLog: (text) => !text.includes('oidc-provider '),
    experimental: { fsModuleCache: true },
    projects: [
      // No module has a state of its own, so all files may share their threads: most of the time went into starting them.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          // They wait for the disk and for password hashes a third of their time.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          setupFiles: ['test/helpers/left-globals.ts'],
          env: IN_MEMORY,
        },
      },
      // The console and the API behind real sockets, over a host of which each part is set by the test.
      {
        test: {
          name: 'web',
          include: ['test/web/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          setupFiles: ['test/helpers/left-globals.ts'],
          env: IN_MEMORY,
        },
      },
      { test: { name: 'fuzz', include: ['test/fuzz/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/security/**/*.test.ts'],
          exclude: LONG,
          ...HOST,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          exclude: LONG,
          ...HOST,
        },
      },
      { test: { name: 'long', include: LONG, ...HOST } },
      // Always the same rounds, unless `npm run test:chaos` asks for others. After the rest: it measures how long things take.
      { test: { name: 'chaos', include: ['test/chaos/**/*.test.ts'], sequence: { groupOrder: 2 }, ...HOST } },
    ],
  },
});
