import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isRunning, type ProcessIdentity } from '../../src/runtime/process/proc.js';
import { scratch } from '../helpers/ends.js';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

async function running(host: TestHost): Promise<number> {
  return until('the app runs', async () => {
    const app = await host.app('demo');
    return app.state === 'running' && Number(app.pid);
  });
}

test('a server on a copy of a data folder runs its own apps, and leaves those of the first server alone', async () => {
  const host = await startHost();
  const project = await Project.create({
    'app.py': 'import streamlit as st\nst.text("hello")\n',
    'requirements.txt': 'streamlit\n',
  });
  await pushLive(project, host, 'demo');
  const before = await running(host);
  const redis = JSON.parse(await readFile(join(host.data, 'run/redis.json'), 'utf8')) as ProcessIdentity;

  const data = join(await scratch('streamlit-host-copy-'), 'data');
  // Of the environments only its own: the others are lent to every host of the tests, and large.
  const { releases } = (await readMeta(host, 'demo')) as { releases: { environment: string }[] };
  const own = join(host.data, 'environments', releases[0]?.environment ?? 'none');
  const foreign = (path: string): boolean => path.startsWith(join(host.data, 'environments/')) && !path.startsWith(own);
  await cp(host.data, data, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.sock') && !path.includes('/run/app/') && !foreign(path),
  });
  const copy = await startHost({ data });
  expect(await running(copy)).not.toBe(before);
  await copy.stop();
  expect(await running(host)).toBe(before);
  expect(isRunning(redis)).toBe(true);
});
