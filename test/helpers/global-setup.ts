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
  // A type error is the type check's to report; here it must not hide what the tests have to say.
  await ensureBuild({ root: ROOT, env, say, lenient: true });
  const redis = await ensureRedis({ data, env, say });
  const uv = await ensureUv({ data, env, say });
  project.provide('tools', {
    uv,
    cacheDir: join(data, 'test-cache'),
    redisDirs: redis === undefined ? [] : [dirname(redis)],
  });
}
