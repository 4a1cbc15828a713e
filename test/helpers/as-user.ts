import { chown, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inject } from 'vitest';
import { scratch } from './ends.js';
import type { HostOptions } from './host.js';

/** A server that runs as nobody special, with a Python that everybody can reach. */
export async function asUser(): Promise<HostOptions> {
  const data = await scratch('streamlit-host-user-');
  const cache = join(data, 'uv-cache');
  await mkdir(cache);
  for (const folder of [data, cache]) await chown(folder, 65_534, 65_534);
  const tools = inject('tools');
  const programs = [...(tools.uv === undefined ? [] : [dirname(tools.uv)]), ...tools.redisDirs, '/usr/bin', '/bin'];
  return {
    data,
    under: ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'],
    env: { PATH: programs.join(':'), HOME: data, UV_CACHE_DIR: cache },
  };
}
