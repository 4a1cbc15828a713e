import { beforeAll, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, processesWith, serves } from '../helpers/pushing.js';

let host: TestHost;

beforeAll(async () => {
  host = await startHost({
    env: { STREAMLIT_HOST_BUILD_LIMIT_MINUTES: '0.1', STREAMLIT_HOST_START_LIMIT_SECONDS: '8' },
  });
  const steady = await Project.create(textApp('text:steady'));
  // Slower machines need longer than the limit for an install that is not at hand yet: then it is tried again.
  await until(
    'the first release is live',
    async () => (await steady.git('push', host.remote('steady'), 'main')).code === 0,
  );
});

it.each([
  ['a build that never ends', 'endless-build', /took longer than ([1-5]\.\d|[1-6]) s/, 'Building'],
  [
    'an app that takes too much memory',
    'greedy',
    /the app used (up its memory limit of 400 MB|[4-7]\d\d MB of memory; its limit is 400 MB)/,
    'I take what I can get',
  ],
  ['a process that never answers', 'never-ready', /did not answer within 8 s; /, 'I take my time'],
])(
  '%s fails the push in time, twice, and leaves the old release serving and nothing running',
  async (_name, name, reason, said) => {
    const before = await serves(host, 'steady');
    const project = await fixture(name);
    for (const attempt of [1, 2]) {
      const pushed = await project.git('push', host.remote('steady'), '+main');
      expect(pushed.code, `attempt ${attempt}`).toBe(1);
      expect(/! \[remote rejected\][^\n]*/.exec(pushed.output)?.[0]).toMatch(reason);
      expect(pushed.output).toContain(said);
    }
    expect(await serves(host, 'steady')).toEqual(before);
    const { last_deploy: last } = (await host.app('steady')) as { last_deploy?: { release: number } };
    await until(
      'nothing of it runs',
      async () => (await processesWith(`/steady/${last?.release ?? 'none'}/`)).length === 0,
    );
  },
);
