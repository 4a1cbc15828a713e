import { chown } from 'node:fs/promises';
import { dirname } from 'node:path';
import { inject } from 'vitest';
import { scratch } from './ends.js';
import type { HostOptions } from './host.js';

/** A server that runs as nobody special, with a Python that everybody can reach. */
export async function asUser(): Promise<HostOptions> {
  const data = await scratch('streamlit-host-user-');
  await chown(data, 65_534, 65_534);
  const tools = inject('tools');
  const programs = [...(tools.uv === undefined ? [] : [dirname(tools.uv)]), ...tools.redisDirs, '/usr/bin', '/bin'];
  return {
    data,
    under: ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'],
    // No cache is named, as on most machines: what builds download is kept in the data folder.
    env: { PATH: programs.join(':'), HOME: data, UV_CACHE_DIR: undefined },
  };
}
