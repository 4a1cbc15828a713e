import type { Principal } from '../../../src/domain/access/principal.js';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PushedApps, type PushedAppsOptions } from '../../../src/apps/pushed-apps.js';
import { Inspector } from '../../../src/deploys/inspect.js';
import type { App } from '../../../src/domain/app/app.js';
import { writeFiles } from '../../helpers/files.js';
import { releaseOf } from '../../helpers/release.js';
import { TestData } from '../../helpers/data.js';
import { direct } from '../../helpers/reader.js';
import { LfsObjects } from '../../../src/store/lfs-objects.js';

let data: TestData;
let pushed: PushedApps;

beforeEach(async () => {
  data = await TestData.open();
  pushed = opened(add);
});
afterEach(() => data.close());

/** Makes an app that has its repository. */
const add = async (app: App): Promise<void> => {
  await data.store.create(app);
  await data.repository(app.id);
};
const opened = (making: PushedAppsOptions['newApps']['add']): PushedApps =>
  new PushedApps({
    ...data,
    newApps: { add: making },
    maintenance: { hold: () => () => undefined },
    room: { demand: () => Promise.resolve(), reserve: () => Promise.resolve(() => undefined) },
    inspector: new Inspector(direct),
  });
const ids = (): string[] => data.store.list().map(({ id }) => id);

it('a push to an unknown app creates it, and deletes it again if nothing was stored', async () => {
  await data.app('blog');
  expect(await pushed.begin('shop', ADA)).toBe(data.paths.repository('shop'));
  expect(ids()).toEqual(['blog', 'shop']);
  await pushed.end('shop');
  expect(ids()).toEqual(['blog']);
  expect(existsSync(data.paths.app('shop'))).toBe(false);
});

it('an app created by a push is kept while another push to it is in progress', async () => {
  await Promise.all([pushed.begin('shop', ADA), pushed.begin('shop', ADA)]);
  await pushed.end('shop');
  expect(ids()).toEqual(['shop']);
  await pushed.end('shop');
  expect(ids()).toEqual([]);
});

it('a push that starts before the previous one is cleaned up keeps the app', async () => {
  let made = 0;
  let go = (): void => undefined;
  pushed = opened(async (app) => {
    made += 1;
    await new Promise<void>((resolve) => (go = resolve));
    await add(app);
  });
  const first = pushed.begin('shop', ADA);
  await expect.poll(() => made).toBe(1);
  const after = [pushed.end('shop'), pushed.begin('shop', ADA)];
  go();
  await Promise.all([first, ...after]);
  expect([ids(), made]).toEqual([['shop'], 1]);
});

it('objects of a push whose git was killed are deleted with the last push, but not while one is received', async () => {
  await data.app('shop', { lastRelease: 1 });
  const { path } = await data.repository('shop');
  const quarantine = join(path, 'objects/tmp_objdir-incoming-x');
  const keep = (): Promise<void> => writeFiles(quarantine, { 'pack/pack-1.pack': '' });
  await Promise.all([keep(), pushed.begin('shop', ADA), pushed.begin('shop', ADA)]);
  await pushed.end('shop');
  expect(existsSync(quarantine)).toBe(true);
  const last = pushed.end('shop');
  const next = pushed.begin('shop', ADA).then(keep);
  await Promise.all([last, next]);
  expect(existsSync(quarantine)).toBe(true);
  await pushed.end('shop');
  expect(existsSync(quarantine)).toBe(false);
});

it('an app created by a push is kept once it has a branch', async () => {
  await pushed.begin('shop', ADA);
  await data.commit('shop', { 'app.py': '' });
  await pushed.end('shop');
  expect(ids()).toEqual(['shop']);
});

it('an app created by a push is kept once it has a release, even a failed one', async () => {
  await pushed.begin('shop', ADA);
  await data.store.update('shop', (app) => ({ ...app, lastRelease: 1, releases: [releaseOf(1, 'failed')] }));
  await pushed.end('shop');
  expect(ids()).toEqual(['shop']);
});

describe('an app for which Git LFS has stored files before its first push', () => {
  beforeEach(async () => {
    await pushed.begin('shop', ADA);
    const content = Buffer.from('some data');
    const oid = createHash('sha256').update(content).digest('hex');
    await new LfsObjects(data.paths.lfs('shop')).keep({ oid, size: content.length }, Readable.from([content]));
    await pushed.end('shop', true);
    expect(ids()).toEqual(['shop']);
  });

  const aDayLater = async (): Promise<void> => {
    const longAgo = new Date(Date.now() - 25 * 60 * 60_000);
    await utimes(data.paths.unpushed('shop'), longAgo, longAgo);
  };

  it('is deleted once that push is refused, also by another server', async () => {
    pushed = opened(add);
    await pushed.begin('shop', ADA);
    await pushed.end('shop', true);
    expect(ids()).toEqual(['shop']);
    await pushed.begin('shop', ADA);
    await pushed.end('shop');
    expect(ids()).toEqual([]);
    expect(existsSync(data.paths.app('shop'))).toBe(false);
  });

  it('is deleted after a day without that push', async () => {
    await pushed.removeUnpushed();
    expect(ids()).toEqual(['shop']);
    await aDayLater();
    await pushed.begin('shop', ADA);
    await pushed.removeUnpushed();
    expect(ids()).toEqual(['shop']);
    await pushed.end('shop', true);
    await aDayLater();
    await pushed.removeUnpushed();
    expect(ids()).toEqual([]);
  });

  it('is kept once it has a branch', async () => {
    await pushed.begin('shop', ADA);
    await data.commit('shop', { 'app.py': '' });
    await pushed.end('shop');
    await pushed.begin('shop', ADA);
    await pushed.end('shop');
    expect(ids()).toEqual(['shop']);
    expect(existsSync(data.paths.unpushed('shop'))).toBe(false);
  });

  it('is kept once a person has set it up', async () => {
    await data.store.update('shop', (app) => ({ ...app, config: 1 }));
    await aDayLater();
    await pushed.removeUnpushed();
    await pushed.begin('shop', ADA);
    await pushed.end('shop');
    expect(ids()).toEqual(['shop']);
  });
});

it('an app for which Git LFS could store nothing is deleted', async () => {
  await pushed.begin('shop', ADA);
  await new LfsObjects(data.paths.lfs('shop'))
    .keep({ oid: 'a'.repeat(64), size: 4 }, Readable.from([Buffer.from('else')]))
    .catch(() => undefined);
  await pushed.end('shop', true);
  expect(ids()).toEqual([]);
});

it('a push never deletes an app that existed before it, even an empty one', async () => {
  await data.app('shop');
  await data.repository('shop');
  await pushed.begin('shop', ADA);
  await pushed.end('shop');
  expect(ids()).toEqual(['shop']);
  expect(existsSync(data.paths.repository('shop'))).toBe(true);
});

it('a push uses an app that someone else creates at the same moment, and does not delete it', async () => {
  pushed = opened(async (app) => {
    await data.app(app.id);
    await add(app);
  });
  expect(await pushed.begin('shop', ADA)).toBe(data.paths.repository('shop'));
  await pushed.end('shop');
  expect(ids()).toEqual(['shop']);
});

it('a pushed commit is inspected, and refused if it cannot become a release', async () => {
  await data.app('shop');
  const good = await data.commit('shop', { 'app.py': 'import streamlit', 'requirements.txt': 'streamlit\n' });
  const bad = await data.commit('shop', { 'notes.txt': '' });
  await pushed.inspect('shop', good, {});
  await expect(pushed.inspect('shop', bad, {})).rejects.toMatchObject({ code: 'no-entrypoint' });
  await expect(pushed.inspect('shop', 'f'.repeat(40), {})).rejects.toMatchObject({ code: 'commit-missing' });
  const repository = await data.repository('shop');
  const tree = await repository.ask(['rev-parse', `${good}^{tree}`]);
  await expect(pushed.inspect('shop', tree, {})).rejects.toMatchObject({ code: 'commit-missing' });
  expect(data.store.get('shop').releases).toEqual([]);
});

const ADA: Principal = { kind: 'person', name: 'ada@example.com', account: 'ada-ada-ada-' };

it('a commit for an in-place app is refused before it is inspected', async () => {
  await data.app('shop', { place: { key: 'shop', dir: '/srv/shop', restartOnCrash: true, watch: false } });
  await expect(pushed.inspect('shop', 'f'.repeat(40), {})).rejects.toMatchObject({ code: 'app-in-place' });
});
