import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { beforeAll, describe, expect, it } from 'vitest';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { fixture, processesWith, pushLive, refOf, serves, Signals, startPush, visit } from '../helpers/pushing.js';

interface AppRecord {
  live: number | null;
  releases: { number: number; commit: string; state: string; environment?: string }[];
}

let host: TestHost;

beforeAll(async () => {
  host = await startHost({ environments: 'own' });
  // Makes the environment that all the apps here share.
  const first = await Project.create(textApp('text:begin'));
  await pushLive(first, host, 'begin');
});

/** An app whose script waits until it is told to go on. */
async function slowScript(text: string): Promise<{ project: Project; signals: Signals }> {
  const signals = await Signals.create();
  const project = await fixture('slow-script');
  await project.commit({ 'signals.txt': signals.text, 'text.txt': text }, text);
  return { project, signals };
}

/** An app whose dependencies wait, while they are built, until they are told to go on. */
async function slowBuild(text: string): Promise<{ project: Project; signals: Signals; commit: string }> {
  const signals = await Signals.create();
  const project = await fixture('slow-build');
  const commit = await project.commit({ 'slow/signals.txt': signals.text, 'text.txt': text }, text);
  return { project, signals, commit };
}

async function record(id: string): Promise<AppRecord> {
  return (await readMeta(host, id)) as unknown as AppRecord;
}

/** True while a build that holds a file open runs. */
async function runs(held: string): Promise<boolean> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process that ends while it is looked at holds nothing.
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => []))
      if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')) === held) return true;
  }
  return false;
}

describe('the newest wins', () => {
  it('a push cancels the build of the previous one, and its pusher is told', async () => {
    const { project, signals, commit } = await slowBuild('text:old');
    const first = startPush(project, host, 'race');
    const builder = (await signals.hasBegun()).said;
    expect(await runs(builder)).toBe(true);
    const newer = await Project.create(textApp('text:new'));
    const second = await newer.git('push', host.remote('race'), 'main');
    expect(second).toMatchObject({ code: 0 });

    const told = await first.done;
    expect(told.code).toBe(1);
    expect(told.output).toContain('! [remote rejected] main -> main (superseded by release 2)');
    expect(await runs(builder)).toBe(false);
    expect(await processesWith(signals.begun)).toEqual([]);
    expect(await serves(host, 'race')).toMatchObject({ release: 2, text: 'text:new' });
    const { releases } = await record('race');
    expect(releases.map(({ state }) => state)).toEqual(['superseded', 'live']);
    expect(releases[0]?.commit).toBe(commit);
    // Even when the old one is told to go on, nothing comes of it.
    await signals.go();
    expect(await serves(host, 'race')).toMatchObject({ release: 2, text: 'text:new' });
  });

  it('only the last of several queued deploys runs', async () => {
    const { project, signals } = await slowScript('text:first');
    const first = startPush(project, host, 'several');
    await signals.hasBegun();
    const later = await Promise.all(
      ['text:second', 'text:third'].map(async (text) => {
        const one = await Project.create(textApp(text));
        return { text, push: await one.git('push', host.remote('several'), 'main') };
      }),
    );
    expect((await first.done).output).toContain('superseded by release');
    const { live, releases } = await record('several');
    expect(live).toBe(3);
    expect(releases.at(-1)).toMatchObject({ number: 3, state: 'live' });
    // Whichever of the two came last; the other one was superseded, or live for a moment before it.
    const winner = later.find(({ push }) => push.code === 0 && !push.output.includes('superseded'));
    expect(winner).toBeDefined();
    expect(later.map(({ text }) => text)).toContain((await serves(host, 'several')).text);
  });
});

describe('a cancelled deploy', () => {
  it('ends, its pusher is told, and the live release keeps serving', async () => {
    const live = await Project.create(textApp('text:stays'));
    await pushLive(live, host, 'cancelled');
    const before = await serves(host, 'cancelled');
    const { project, signals } = await slowBuild('text:never');
    const push = startPush(project, host, 'cancelled', '+main');
    const builder = (await signals.hasBegun()).said;
    const cancel = (): Promise<Response> => host.api('/apps/cancelled/deploys/2/cancel', { method: 'POST' });
    expect((await cancel()).ok).toBe(true);
    const told = await push.done;
    expect(told.code).toBe(1);
    expect(told.output).toContain('(the deploy was cancelled)');
    expect(await runs(builder)).toBe(false);
    expect((await cancel()).ok).toBe(true);
    expect(await serves(host, 'cancelled')).toEqual(before);
  });

  it('ends when its app is deleted', async () => {
    const { project, signals } = await slowBuild('text:never');
    const push = startPush(project, host, 'deleted');
    const builder = (await signals.hasBegun()).said;
    expect((await host.api('/apps/deleted?confirm=deleted', { method: 'DELETE' })).status).toBe(204);
    expect((await push.done).code).toBe(1);
    expect(await runs(builder)).toBe(false);
    expect((await host.api('/apps/deleted')).status).toBe(404);
    expect(existsSync(join(host.data, 'apps', 'deleted'))).toBe(false);
  });

  it('cannot start while its app is being deleted: the pusher is told, and no process is left', async () => {
    // What does not end when it is asked to holds up the deletion for a few seconds.
    const project = await Project.create({
      'requirements.txt': 'streamlit\n',
      'app.py': `import subprocess, sys
import streamlit as st

@st.cache_resource
def stubborn():
    return subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])

stubborn()
st.text("text:going")
`,
    });
    expect(await project.git('push', host.remote('going'), 'main')).toMatchObject({ code: 0 });
    await project.commit({}, 'Again');
    const deletion = host.api('/apps/going?confirm=going', { method: 'DELETE' });
    await until('it is being stopped', async () => (await host.app('going')).state === 'stopped');
    const push = await project.git('push', host.remote('going'), 'main');
    expect([push.code, push.output]).toEqual([1, expect.stringContaining('going is being deleted')]);
    expect((await deletion).status).toBe(204);
    expect(await processesWith(join(host.data, 'apps', 'going', 'storage'))).toEqual([]);
  });
});

describe('a client that disconnects', () => {
  it('does not stop the deploy, which goes live and moves the branch', async () => {
    const { project, signals } = await slowScript('text:alone');
    const commit = (await project.git('rev-parse', 'HEAD')).output.trim();
    const push = startPush(project, host, 'vanished');
    await signals.hasBegun();
    await push.kill();
    expect(await refOf(host, 'vanished')).toBeUndefined();
    await signals.go();
    await until('it is live', async () => (await host.app('vanished')).state === 'running');
    expect(await until('the branch moves', () => refOf(host, 'vanished'))).toBe(commit);
    expect(await visit(host, 'vanished')).toContain('text:alone');
    await until(
      'no git is left',
      async () => (await processesWith(`${join(host.data, 'apps', 'vanished')}/repo.git`)).length === 0,
    );
    const again = await project.git('push', host.remote('vanished'), 'main');
    expect(again.code).toBe(0);
    expect(again.output).toContain('Everything up-to-date');
  });
});

describe('many deploys at once', () => {
  it('put eight new apps live, each on its own socket', async () => {
    const ids = Array.from({ length: 8 }, (_, number) => `crowd-${number}`);
    const outcomes = await Promise.all(
      ids.map(async (id) => {
        const project = await Project.create(textApp(`text:${id}`));
        return project.git('push', host.remote(id), 'main');
      }),
    );
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 0 });
    const apps = await Promise.all(ids.map((id) => host.app(id)));
    expect(apps.map((app) => app.state)).toEqual(ids.map(() => 'running'));
    expect(new Set(apps.map((app) => app.pid)).size).toBe(8);
    for (const id of ids) expect(await serves(host, id)).toMatchObject({ text: `text:${id}` });
    // Each of them is a process for nothing from here on.
    await Promise.all(ids.map((id) => host.api(`/apps/${id}?confirm=${id}`, { method: 'DELETE' })));
  });
});

describe('Redis', () => {
  it('can be killed during a deploy', async () => {
    const { project, signals } = await slowScript('text:redis');
    const push = startPush(project, host, 'redis');
    await signals.hasBegun();
    const killed = await redisPid();
    process.kill(killed, 'SIGKILL');
    await until('another Redis runs', async () => (await redisPid().catch(() => killed)) !== killed);
    await signals.go();
    expect(await push.done).toMatchObject({ code: 0 });
    expect(await visit(host, 'redis')).toContain('text:redis');
    // And the next push does not wait for what Redis remembers of the one before.
    await project.commit(textApp('text:after'), 'After');
    const begun = Date.now();
    await pushLive(project, host, 'redis');
    expect(Date.now() - begun).toBeLessThan(20_000);
    expect(await visit(host, 'redis')).toContain('text:after');
  });

  it('can lose all its data between a push and its deploy', async () => {
    // Both hands are full, so that the third one waits.
    const busy = await Promise.all(['text:a', 'text:b'].map(slowScript));
    const first = startPush(busy[0]!.project, host, 'busy-a');
    const second = startPush(busy[1]!.project, host, 'busy-b');
    await Promise.all(busy.map(({ signals }) => signals.hasBegun()));
    const project = await Project.create(textApp('text:forgotten'));
    const waiting = startPush(project, host, 'forgotten');
    await until(
      'it waits',
      async () => (await host.api('/apps/forgotten')).ok && (await host.app('forgotten')).state === 'deploying',
    );
    const redis = new Redis({ path: join(host.data, 'redis', 'redis.sock') });
    try {
      await redis.flushall();
    } finally {
      redis.disconnect();
    }
    await Promise.all(busy.map(({ signals }) => signals.go()));
    for (const push of [first, second, waiting]) expect(await push.done).toMatchObject({ code: 0 });
    expect(await visit(host, 'forgotten')).toContain('text:forgotten');
  });
});

describe('a server that ends during a deploy', () => {
  it('by SIGTERM tells the pusher, and the next server finishes it', async () => {
    const { project, signals } = await slowScript('text:resumed');
    const commit = (await project.git('rev-parse', 'HEAD')).output.trim();
    const push = startPush(project, host, 'resumed');
    await signals.hasBegun();
    expect(await host.signal('SIGTERM')).toBe(0);
    const told = await push.done;
    expect(told.code).toBe(1);
    expect(told.output).toContain('(the server is stopping; the deploy continues once it is back)');
    expect((await record('resumed')).releases[0]?.state).toBe('queued');
    host = await startHost({ data: host.data });
    await signals.go();
    await until('its branch shows it', async () => (await refOf(host, 'resumed')) === commit);
    await until('it is live', async () => (await host.app('resumed')).state === 'running', 30_000);
    expect(await serves(host, 'resumed')).toMatchObject({ release: 1, text: 'text:resumed', ref: commit });
    // What was live before serves too.
    expect(await serves(host, 'begin')).toMatchObject({ text: 'text:begin' });
  });

  it('by SIGKILL during a build resumes it at the next start, and nothing of the old build is left', async () => {
    const before = await serves(host, 'begin');
    const { project, signals, commit } = await slowBuild('text:survived');
    const push = startPush(project, host, 'survived');
    const builder = (await signals.hasBegun()).said;
    await host.signal('SIGKILL');
    expect((await push.done).code).not.toBe(0);
    host = await startHost({ data: host.data });
    // The app that served went on doing so, in the same process.
    expect(await serves(host, 'begin')).toEqual(before);
    await until('it is built again', async () => (await readFile(signals.begun, 'utf8')) !== builder);
    expect(await runs(builder)).toBe(false);
    await signals.go();
    // The branch follows a moment after the swap.
    await until('its branch shows it', async () => (await refOf(host, 'survived')) === commit);
    await until('it is live', async () => (await host.app('survived')).state === 'running');
    expect(await serves(host, 'survived')).toMatchObject({ release: 1, text: 'text:survived', ref: commit });
    expect(await processesWith(signals.begun)).toEqual([]);
    const again = await project.git('push', host.remote('survived'), 'main');
    expect(again).toMatchObject({ code: 0 });
    await project.commit({ 'text.txt': 'text:next', 'requirements.txt': 'streamlit\n' }, 'Next');
    await pushLive(project, host, 'survived');
    expect(await serves(host, 'survived')).toMatchObject({ release: 2, text: 'text:next' });
  });

  it('between the swap and the branch leaves the branch to the next server, which moves it', async () => {
    const repository = join(host.data, 'apps', 'survived', 'repo.git');
    const { releases } = await record('survived');
    await host.stop({ keepData: true });
    const back = await run(
      'git',
      ['-C', repository, 'update-ref', 'refs/heads/main', releases[0]?.commit ?? ''],
      tmpdir(),
    );
    expect(back.code).toBe(0);
    host = await startHost({ data: host.data });
    expect(await refOf(host, 'survived')).toBe(releases[1]?.commit);
    await until('it runs', async () => (await host.app('survived')).state === 'running');
    expect(await serves(host, 'survived')).toMatchObject({ release: 2, text: 'text:next' });
  });
});

async function redisPid(): Promise<number> {
  return (JSON.parse(await readFile(join(host.data, 'run', 'redis.json'), 'utf8')) as { pid: number }).pid;
}
