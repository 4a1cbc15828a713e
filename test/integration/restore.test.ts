import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { startHost, until } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

const app = (text: string): Record<string, string> => ({
  'app.py': `import os\nimport streamlit as st\nst.text("${text} in " + os.environ["REGION"])\n`,
  'requirements.txt': 'streamlit\n',
});

test('a backup as in docs/operations.md restores the live releases with their config, in rebuilt environments', async () => {
  const host = await startHost();
  const project = await Project.create(app('one'));
  for (const id of ['awake', 'stopped']) {
    await host.send('POST', '/apps', { name: id });
    await host.send('PATCH', `/apps/${id}/config`, { vars: { REGION: 'north' } });
    await pushLive(project, host, id);
  }
  await host.api('/apps/stopped/stop', { method: 'POST' });
  await project.commit(app('two'), 'two');
  await pushLive(project, host, 'awake');
  expect((await host.send('POST', '/apps/awake/rollback', { release: 1 })).status).toBe(202);
  await until('the rollback is live', async () => (await host.app('awake')).release === 3);

  const data = join(await scratch('streamlit-host-restore-'), 'data');
  await mkdir(data);
  for (const part of ['apps', 'vault.key'])
    await cp(join(host.data, part), join(data, part), { recursive: true, verbatimSymlinks: true });
  await host.stop();
  // Its environments were left behind.
  const restored = await startHost({ data });
  await until('it is built and runs', async () => {
    const { release, state } = await restored.app('awake');
    return release === 4 && state === 'running';
  });
  expect(await visit(restored, 'awake')).toContain('one in north');
  expect(await restored.app('stopped')).toMatchObject({ release: 1, state: 'stopped' });
});
