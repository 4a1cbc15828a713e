import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

let host: TestHost;

beforeAll(async () => void (host = await startHost()));

/** An app that is live, with what its releases and pages do. */
async function live(id: string): Promise<{
  project: Project;
  /** Commits this text and pushes it live. */
  release: (text: string, ...options: string[]) => Promise<void>;
  stateOf: (number: number) => Promise<string>;
  /** Opens a page on a release. */
  open: (number: number) => Promise<StreamlitClient>;
}> {
  const project = await Project.create(textApp('text:one'));
  await pushLive(project, host, id);
  return {
    project,
    async release(text, ...options) {
      await project.commit(textApp(text), text);
      const pushed = await project.git('push', ...options, host.remote(id), 'main');
      expect(pushed.code, pushed.output).toBe(0);
    },
    stateOf: async (number) =>
      ((await (await host.api(`/apps/${id}/deploys/${number}`)).json()) as { state: string }).state,
    async open(number) {
      const client = await StreamlitClient.connect(`${host.url}/apps/${id}/`, { path: `/apps/${id}/~${number}` });
      onTestFinished(() => client.close());
      await client.run();
      return client;
    },
  };
}

it('an older release stays for its open pages; "git push -o drain=0" stops it at once, and they move on', async () => {
  const { open, release, stateOf } = await live('stays');
  const page = await open(1);
  await release('text:two');
  expect(await stateOf(1)).toBe('draining');
  expect(page.isOpen).toBe(true);
  await release('text:three', '-o', 'drain=0');
  await until('release 2, which nobody looks at, has ended', async () => (await stateOf(2)) === 'retired');
  // Said of the release before it; the oldest goes on as it was promised.
  expect(await stateOf(1)).toBe('draining');
  const newer = await open(3);
  await release('text:four', '-o', 'drain=0');
  await until('release 3 has ended', async () => (await stateOf(3)) === 'retired');
  await until('its page was sent on', () => !newer.isOpen);
  // What the page does by itself: it comes back to where it was, and finds the live release.
  const back = await open(3);
  expect(back.isOpen).toBe(true);
});

it('an invalid push option rejects the push, and an option for other servers does not', async () => {
  const { project } = await live('options');
  const before = await host.app('options');
  await project.commit(textApp('text:five'), 'five');
  const wrong = await project.git('push', '-o', 'drain=soon', host.remote('options'), 'main');
  expect(wrong.code).toBe(1);
  expect(wrong.output).toContain('invalid push option drain. Use drain=<minutes>');
  expect(await host.app('options')).toMatchObject({ release: before.release, pid: before.pid });
  const other = await project.git('push', '-o', 'ci.skip', host.remote('options'), 'main');
  expect(other.code, other.output).toBe(0);
  expect(other.output).toContain('Unknown push option "ci.skip"');
});

it('an app can set how long its older releases drain, also for later releases', async () => {
  const { open, project, release, stateOf } = await live('limited');
  await project.write({ 'streamlit-host.toml': '[drain]\nlimit_minutes = 0\n' });
  const number = (await host.app('limited')).release as number;
  const page = await open(number);
  await release('text:six');
  await until('it has ended', async () => (await stateOf(number)) === 'retired');
  await until('its page was sent on', () => !page.isOpen);
  // What it says no more does not hold any more.
  await project.git('rm', '--quiet', 'streamlit-host.toml');
  const next = (await host.app('limited')).release as number;
  const other = await open(next);
  await release('text:seven');
  expect([await stateOf(next), other.isOpen]).toEqual(['draining', true]);
  expect(await readMeta(host, 'limited')).not.toHaveProperty('drainLimitMinutes');
});

it('an app that was stopped or asleep during a deploy has no older release left draining', async () => {
  const { release, stateOf } = await live('stopped');
  const before = (await host.app('stopped')).release as number;
  await host.send('POST', '/apps/stopped/stop', {});
  await release('text:eight');
  await until('it is retired', async () => (await stateOf(before)) === 'retired', 5_000);
});
