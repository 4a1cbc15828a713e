import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Person } from '../helpers/person.js';
import { Project, run } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

const app = (text: string): Record<string, string> => ({
  'app.py': `import os\nimport streamlit as st\nst.text("${text} in " + os.environ["REGION"])\n`,
  'requirements.txt': 'streamlit\n',
});

const packages = async (host: TestHost): Promise<string> =>
  (await host.api(`/apps/awake/deploys/${String((await host.app('awake')).release)}/packages`)).text();

test('a backup that is made while the server is pushed to restores apps with their config and files, the key apart', async () => {
  const host = await startHost();
  const person = await Person.of(host);
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
  await writeFile(join(host.data, 'apps/awake/storage/kept.txt'), 'kept');

  await host.send('POST', '/apps', { name: 'busy' });
  await host.send('PATCH', '/apps/busy/config', { vars: { REGION: 'south' } });
  let over = false;
  const busy = (async () => {
    for (let at = 0; !over; at += 1) {
      await project.commit(app(`busy-${at}`), `Busy ${at}`);
      await pushLive(project, host, 'busy');
    }
  })();
  await until('it is pushed to', async () => (await host.app('busy')).release === 1);
  const folder = await scratch('streamlit-host-restore-');
  const file = join(folder, 'backup.tar.gz');
  const made = await person.run(['backup', file]);
  expect(made).toMatchObject({
    code: 0,
    stdout: `Backup: ${file}\n`,
    stderr: expect.stringContaining('vault.key') as string,
  });
  over = true;
  await busy;
  await cp(join(host.data, 'vault.key'), join(folder, 'vault.key'));
  const before = await packages(host);
  expect(before).toMatch(/^streamlit==\d/m);
  expect(await person.run(['packages', 'awake'])).toMatchObject({ code: 0, stdout: before });
  await host.stop();

  const data = join(folder, 'data');
  const restore = (...more: string[]): ReturnType<Person['run']> =>
    person.run(['restore', file, ...more], { env: { STREAMLIT_HOST_DATA: data } });
  expect((await restore()).stderr).toContain('does not contain the key for config and secrets');
  expect(await readdir(folder)).toEqual(['backup.tar.gz', 'vault.key']);
  expect((await restore('--key', join(folder, 'vault.key'))).stdout).toContain(`to ${data}.`);
  expect((await restore('--key', join(folder, 'vault.key'))).stderr).toContain(`${data} is not empty.`);
  for (const id of ['awake', 'stopped', 'busy'])
    await run(
      'git',
      ['-C', join(data, 'apps', id, 'repo.git'), 'fsck', '--strict', '--connectivity-only'],
      folder,
    ).then(({ code, output }) => expect(code, output).toBe(0));

  const restored = await startHost({ data });
  await until(
    'it is built and runs',
    async () => {
      const { release, state } = await restored.app('awake');
      return release === 4 && state === 'running';
    },
    150_000,
  );
  expect(await visit(restored, 'awake')).toContain('one in north');
  // What was installed at first is installed again.
  expect(await readFile(join(data, 'apps/awake/releases/4/build.log'), 'utf8')).toContain(
    'versions of the first install',
  );
  expect(await packages(restored)).toBe(before);
  expect(await readFile(join(data, 'apps/awake/storage/kept.txt'), 'utf8')).toBe('kept');
  expect(await restored.app('stopped')).toMatchObject({ release: 1, state: 'stopped' });
  expect((await restored.api('/apps/stopped/start', { method: 'POST' })).status).toBe(200);
  await until('it is built and runs too', async () => (await restored.app('stopped')).state === 'running', 150_000);
  expect(await visit(restored, 'stopped')).toContain('one in north');
}, 600_000);
