import { describe, expect, it } from 'vitest';
import type { AppStatus } from '../../../src/host/apps.js';
import { newApp } from '../../../src/domain/app/app.js';
import type { Release } from '../../../src/domain/app/release.js';
import { linksOf } from '../../../src/web/links.js';
import {
  presentApp,
  presentFiles,
  presentRelease,
  presentSummary,
  sortApps,
  type AppView,
} from '../../../src/web/presenters.js';
import { releaseOf } from '../../helpers/release.js';

const now = new Date('2026-11-21T12:00:00Z');
const links = linksOf('https://intranet.example/tools/streamlit/');

function release(number: number, state: Release['state'], facts: Partial<Release> = {}): Release {
  return releaseOf(number, state, {
    commit: 'a3f9c01b77de0000000000000000000000000000',
    by: 'marion',
    message: 'Add a slider',
    createdAt: '2026-11-21T11:55:00Z',
    ...facts,
  });
}

function status(
  facts: Partial<AppStatus['app']> = {},
  state: AppStatus['state'] = 'running',
  process?: AppStatus['process'],
): AppStatus {
  return { app: { ...newApp('hello', 'Hello', now), ...facts }, state, process };
}

describe('an app', () => {
  it('without a push offers no actions', () => {
    const view = presentApp(status({}, 'created'), links, now);
    expect(view).toMatchObject({
      canOpen: false,
      canStart: false,
      canStop: false,
      canRestart: false,
      canRedeploy: false,
    });
    expect(view.live).toBeUndefined();
    expect(view.last).toBeUndefined();
    expect(view.memory).toBeUndefined();
  });

  it('that is running can be opened, stopped, restarted and redeployed, and shows its usage', () => {
    const process = {
      state: 'ready',
      release: 1,
      mark: 'm/hello/1/x',
      pid: 7,
      port: 8501,
      startedAt: '2026-11-21T10:00:00Z',
      restarts: 2,
      memoryLimit: 512_000_000,
      cage: { kind: 'landlock', ownUser: false, network: true },
    } as const;
    const view = presentApp(
      status({ live: 1, releases: [release(1, 'live')] }, 'running', process),
      links,
      now,
      () => ({
        memory: 187_300_000,
        cpu: 0.034,
      }),
    );
    expect(view).toMatchObject({ canOpen: true, canStart: false, canStop: true, canRestart: true, canRedeploy: true });
    expect(view).toMatchObject({
      memory: '187 MB',
      memoryLimit: '512 MB',
      cage: 'Landlock',
      cpu: '3 %',
      pid: 7,
      port: 8501,
      restarts: 2,
    });
    expect(view.live?.number).toBe(1);
    expect(view.started?.text).toBe('2 h ago');
  });

  it('that is asleep can be opened, which wakes it, and is counted', () => {
    const asleep = status({ live: 1, releases: [release(1, 'live')] }, 'sleeping');
    expect(presentApp(asleep, links, now)).toMatchObject({ canOpen: true, canStart: false, canStop: true });
    expect(presentSummary([asleep, status()])).toBe('2 apps · 1 running · 1 sleeping');
  });

  it('that is stopped can only be started and redeployed', () => {
    const view = presentApp(
      status({ live: 1, wanted: 'stopped', releases: [release(1, 'live')] }, 'stopped'),
      links,
      now,
    );
    expect(view).toMatchObject({
      canOpen: false,
      canStart: true,
      canStop: false,
      canRestart: false,
      canRedeploy: true,
    });
  });

  it('shows a deploy in progress next to the live release, and offers no second one', () => {
    const view = presentApp(status({ live: 1, releases: [release(1, 'live'), release(2, 'building')] }), links, now);
    expect(view.live?.number).toBe(1);
    expect(view.deploying).toMatchObject({ number: 2, pending: true, took: undefined });
    expect(view.canRedeploy).toBe(false);
    expect(view.canOpen).toBe(true);
  });

  it('shows how long a deploy took and how its commit arrived', () => {
    const ended = release(1, 'failed', { finishedAt: '2026-11-21T11:55:42Z', source: 'upload', reason: 'No app.py.' });
    const view = presentApp(status({ releases: [ended] }, 'failed'), links, now);
    expect(view.last).toMatchObject({
      took: '42 s',
      verb: 'uploaded',
      by: 'marion',
      shortCommit: 'a3f9c01',
      reason: 'No app.py.',
    });
    expect(view.last?.href).toBe('/tools/streamlit/console/apps/hello/deploys/1');
  });
});

describe('a release', () => {
  const of = (one: Release, live: number) =>
    presentRelease({ ...newApp('hello', 'Hello', now), live, releases: [one] }, one, links, now);

  it.each([
    ['retired', true],
    ['draining', true],
    ['failed', false],
    ['superseded', false],
    ['cancelled', false],
    ['building', false],
  ] as const)('that is %s can be rolled back to: %s', (state, can) =>
    expect(of(release(1, state), 2).canReturn).toBe(can),
  );

  it('does not say twice that it was cancelled', () => {
    expect(of(release(1, 'cancelled', { reason: 'cancelled' }), 2).reason).toBeUndefined();
    expect(of(release(1, 'superseded', { reason: 'superseded by release 2' }), 2).reason).toBe(
      'Superseded by release 2.',
    );
  });

  it('that is live offers no rollback, and a rollback names the release it restored', () => {
    expect(of(release(2, 'live'), 2).canReturn).toBe(false);
    expect(of(release(3, 'live', { source: 'rollback', of: 1 }), 3).verb).toBe('rolled back to release 1');
  });
});

describe('the summary', () => {
  it('counts the states, with problems last', () => {
    expect(presentSummary([status(), status({}, 'crashed'), status(), status({}, 'stopped')])).toBe(
      '4 apps · 2 running · 1 stopped · 1 crashed',
    );
    expect(presentSummary([status()])).toBe('1 app · 1 running');
  });

  it('counts previews separately', () => {
    const preview = { of: 'hello', branch: 'x', lastUsedAt: now.toISOString() };
    expect(presentSummary([status(), status({ preview }, 'crashed')])).toBe('1 app · 1 running · 1 preview');
  });
});

describe('the list of apps', () => {
  it('is sorted by name, with each app before its previews, by branch', () => {
    const app = (id: string, name: string): AppView => presentApp(status({ id, name }), links, now);
    const preview = (id: string, of: string, branch: string): AppView =>
      presentApp(status({ id, name: 'Anything', preview: { of, branch, lastUsedAt: now.toISOString() } }), links, now);
    const views = [
      preview('b--y', 'b', 'y'),
      app('zoo', 'Alpha'),
      preview('b--x', 'b', 'x'),
      preview('zoo--x', 'zoo', 'x'),
      app('b', 'Beta'),
      app('c', 'beta 2'),
    ];
    expect(sortApps(views).map(({ id }) => id)).toEqual(['zoo', 'zoo--x', 'b', 'b--x', 'b--y', 'c']);
  });
});

describe('files', () => {
  it('are grouped by folder with the root first, and mark the open one', () => {
    const files = [
      { path: 'pages/b.py', size: 10 },
      { path: 'app.py', size: 2_048 },
      { path: 'pages/a.py', size: 5 },
    ];
    const folders = presentFiles(files, 'hello', links, 'pages/a.py');
    expect(folders.map(({ name }) => name)).toEqual(['', 'pages']);
    expect(folders[1]?.files.map(({ name, current }) => [name, current])).toEqual([
      ['a.py', true],
      ['b.py', false],
    ]);
    expect(folders[0]?.files[0]).toMatchObject({
      size: '2 kB',
      href: '/tools/streamlit/console/apps/hello/files/app.py',
    });
  });
});
