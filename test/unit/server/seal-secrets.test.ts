import { expect, it } from 'vitest';
import { sealSecrets } from '../../../src/server/seal-secrets.js';
import { newApp } from '../../../src/domain/app/app.js';

it('sealing keeps the secrets of known processes, and encrypts those of every app, even after a failure', async () => {
  const process = {
    release: 2,
    runtime: 'process',
    pid: 1,
    startTime: '1',
    port: 9_000,
    mark: 'm',
    startedAt: '2026-01-01T00:00:00.000Z',
  };
  const steps: unknown[] = [];
  const error = new Error('no key');
  await sealSecrets({
    store: {
      list: () => [{ ...newApp('one', 'One', new Date(0)), processes: [process] }, newApp('two', 'Two', new Date(0))],
    },
    files: { sweep: (running) => Promise.resolve(void steps.push(running)) },
    cookies: {
      seal: (app) => (app === 'one' ? Promise.reject(error) : Promise.resolve(void steps.push(`seal ${app}`))),
    },
    logger: { error: (facts) => void steps.push(facts) },
  });
  expect(steps).toEqual([[{ app: 'one', release: 2, key: '9000' }], { app: 'one', err: error }, 'seal two']);
});
