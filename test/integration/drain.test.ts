import { beforeAll, expect, it } from 'vitest';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

let host: TestHost;
let project: Project;

beforeAll(async () => {
  host = await startHost();
  project = await Project.create(textApp('text:one'));
  await pushLive(project, host, 'drains');
});

async function release(text: string, ...options: string[]): Promise<void> {
  await project.commit(textApp(text), text);
  const pushed = await project.git('push', ...options, host.remote('drains'), 'main');
  expect(pushed.code, pushed.output).toBe(0);
}

const stateOf = async (number: number): Promise<string> =>
  ((await (await host.api(`/apps/drains/deploys/${number}`)).json()) as { state: string }).state;

/** A page that is open on a release. */
async function open(number: number): Promise<StreamlitClient> {
  const client = await StreamlitClient.connect(`${host.url}/apps/drains/`, { path: `/apps/drains/~${number}` });
  await client.run();
  return client;
}

it('an older release stays for its open pages; "git push -o drain=0" stops it at once, and they move on', async () => {
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
  await back.close();
  await page.close();
});

it('an invalid push option rejects the push, and an option for other servers does not', async () => {
  const before = await host.app('drains');
  await project.commit(textApp('text:five'), 'five');
  const wrong = await project.git('push', '-o', 'drain=soon', host.remote('drains'), 'main');
  expect(wrong.code).toBe(1);
  expect(wrong.output).toContain('invalid push option drain. Use drain=<minutes>');
  expect(await host.app('drains')).toMatchObject({ release: before.release, pid: before.pid });
  const other = await project.git('push', '-o', 'ci.skip', host.remote('drains'), 'main');
  expect(other.code, other.output).toBe(0);
  expect(other.output).toContain('Unknown push option "ci.skip"');
});

it('an app can set how long its older releases drain, also for later releases', async () => {
  await project.write({ 'streamlit-host.toml': '[drain]\nlimit_minutes = 0\n' });
  const number = (await host.app('drains')).release as number;
  const page = await open(number);
  await release('text:six');
  await until('it has ended', async () => (await stateOf(number)) === 'retired');
  await until('its page was sent on', () => !page.isOpen);
  // What it says no more does not hold any more.
  await project.git('rm', '--quiet', 'streamlit-host.toml');
  const next = (await host.app('drains')).release as number;
  const other = await open(next);
  await release('text:seven');
  expect([await stateOf(next), other.isOpen]).toEqual(['draining', true]);
  expect(await readMeta(host, 'drains')).not.toHaveProperty('drainLimitMinutes');
});

it('an app that was stopped or asleep during a deploy has no older release left draining', async () => {
  const before = (await host.app('drains')).release as number;
  await host.send('POST', '/apps/drains/stop', {});
  await release('text:eight');
  await until('it is retired', async () => (await stateOf(before)) === 'retired', 5_000);
});
