import { mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureBuild, ensureRedis, ensureUv, ROOT } from '../../scripts/lib/setup.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** What set-up provides, once for all tests: nothing is downloaded twice. */
    tools: {
      /** The path of uv; undefined where it could not be had. */
      uv: string | undefined;
      /** uv's cache, kept between runs. */
      cacheDir: string;
      /** The environments that the tests' hosts share, kept between runs: the same dependencies are installed once for all. */
      environments: string;
      /** Folders with a redis-server or valkey-server. */
      redisDirs: string[];
    };
  }
}

/** Makes dist once and provides the tools before any test of a project runs. */
export default async function setup(project: TestProject): Promise<void> {
  const say = (line: string): void => console.log(line);
  // The tests start Redis themselves, whatever the surroundings have.
  const env = { ...process.env, REDIS_URL: undefined };
  const data = join(ROOT, 'data');
  await ensureBuild({ root: ROOT, env, say });
  const redis = await ensureRedis({ data, env, say });
  const uv = await ensureUv({ data, env, say });
  project.provide('tools', {
    uv,
    cacheDir: join(data, 'test-cache'),
    environments: await environmentsFolder(data),
    redisDirs: redis === undefined ? [] : [dirname(redis)],
  });
}

/** On the disk of the hosts' data folders, since a finished environment is moved into it. */
async function environmentsFolder(data: string): Promise<string> {
  const here = join(data, 'test-cache/environments');
  await mkdir(here, { recursive: true });
  if ((await stat(here)).dev === (await stat(tmpdir())).dev) return here;
  const there = join(tmpdir(), 'streamlit-host-test-environments');
  await mkdir(there, { recursive: true });
  return there;
}
