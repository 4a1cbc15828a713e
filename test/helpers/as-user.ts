import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { scratch } from './ends.js';
import type { HostOptions } from './host.js';

const run = promisify(execFile);

/** uv's own folders in its cache: `archive-v0`, `wheels-v8` and the like. */
const KEPT = /-v\d+$/;

/** A server that runs as nobody special, with a Python that everybody can reach. @param uid the user that it runs as */
export async function asUser(uid = 65_534): Promise<HostOptions> {
  const data = await scratch('streamlit-host-user-');
  const tools = inject('tools');
  // It can use nothing in the tests' cache, and downloads nothing that is in its copy.
  const cache = join(data, 'builds/uv');
  await mkdir(cache, { recursive: true });
  const kept = (await readdir(tools.cacheDir))
    .filter((name) => KEPT.test(name))
    .map((name) => join(tools.cacheDir, name));
  if (kept.length > 0) await run('cp', ['--recursive', '--no-dereference', '--target-directory', cache, ...kept]);
  await run('chown', ['--recursive', '--no-dereference', `${uid}:${uid}`, data]);
  const programs = [...(tools.uv === undefined ? [] : [dirname(tools.uv)]), ...tools.redisDirs, '/usr/bin', '/bin'];
  return {
    data,
    under: ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups'],
    // No cache is named, as on most machines: what builds download is kept in the data folder.
    env: { PATH: programs.join(':'), HOME: data, UV_CACHE_DIR: undefined },
  };
}
