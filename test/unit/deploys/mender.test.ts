import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Mender, type MenderOptions } from '../../../src/deploys/mender.js';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { AppStore } from '../../../src/store/apps.js';
import { Paths } from '../../../src/store/paths.js';
import { releaseOf } from '../../helpers/release.js';

let paths: Paths;
let store: AppStore;
let steps: string[];
/** What runs. */
let running: Set<string>;
let broken: string | undefined;
/** What else is unfinished. */
let unfinished: NonNullable<MenderOptions['unfinished']>;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'mender-')));
  store = new AppStore(paths);
  await store.load();
  [steps, running, broken, unfinished] = [[], new Set(), undefined, {}];
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

function mender(): Mender {
  const serving: MenderOptions['serving'] = {
    processes: (id) => (running.has(id) ? [{} as never] : []),
    record: async (id) => {
      if (id === broken) throw new Error('no room');
      steps.push(`record ${id}`);
    },
    scale: async (id) => void steps.push(`scale ${id}`),
    start: async ({ id }) => void running.add((steps.push(`start ${id}`), id)),
  };
  return new Mender({
    store,
    serving,
    unfinished,
    logger: { info: () => undefined, warn: (_, text) => void steps.push(text) },
  });
}

const live = (id: string, more: Partial<App> = {}): App => ({
  ...newApp(id, id, new Date(0)),
  live: 1,
  releases: [releaseOf(1, 'live')],
  ...more,
});

it('the mender starts apps that should run and do not, once, and nothing else', async () => {
  for (const app of [live('wanted'), live('stopped', { wanted: 'stopped' }), live('asleep', { asleep: true })])
    await store.create(app);
  await store.create(newApp('new', 'new', new Date(0)));
  const one = mender();
  await one.look();
  await one.look();
  expect(steps.filter((step) => step.startsWith('start'))).toEqual(['start wanted']);
});

it('the mender checks every app, and logs once what cannot be corrected', async () => {
  for (const id of ['bad', 'good']) await store.create(live(id));
  broken = 'bad';
  const one = mender();
  await one.look();
  await one.look();
  expect(
    steps.filter((step) => step === 'an app is not in its desired state and cannot be corrected yet'),
  ).toHaveLength(1);
  expect(steps.filter((step) => step === 'record good')).toHaveLength(2);
});

it('the mender tries what is unfinished at every look, each for itself, and logs once what is wrong', async () => {
  unfinished = {
    'cannot be deleted yet': () => Promise.reject(new Error('read-only')),
    'never logged': async () => void steps.push('finish'),
  };
  const one = mender();
  await one.look();
  await one.look();
  expect(steps).toEqual(['cannot be deleted yet', 'finish', 'finish']);
});
