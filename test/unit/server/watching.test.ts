import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Problems } from '../../../src/alerts/problems.js';
import { Watch } from '../../../src/alerts/watch.js';
import { newApp } from '../../../src/domain/app/app.js';
import { endInTurn } from '../../../src/lib/ends.js';
import { Errors } from '../../../src/metrics/errors.js';
import { endsOf } from '../../../src/server/watching.js';

it('an exception that is found in the last look before the end is still alerted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'life-'));
  const errors = new Errors(folder, () => undefined);
  const shop = newApp('shop', 'Shop', new Date(0));
  const told: string[] = [];
  const watch = new Watch({
    apps: { list: () => [shop], find: () => shop },
    serving: { process: () => undefined },
    problems: new Problems(),
    happened: ({ text }) => told.push(text),
    diskFloor: 0,
  });
  const silent = { subscribe: () => () => undefined };
  watch.begin({ errors, happenings: silent, recorder: silent });
  let ended = 0;
  const ends = endsOf({
    measuring: { close: () => errors.add('shop', { type: 'KeyError', message: 'x', lines: [] }, 4, 0) },
    alerts: { close: async () => watch.close() },
    drains: { close: async () => void (ended += 1) },
  });
  await endInTurn(ends, (error) => {
    throw error;
  });
  expect(told).toEqual(['KeyError: x in release 4.']);
  expect(ended).toBe(1);
  await rm(folder, { recursive: true, force: true });
});
