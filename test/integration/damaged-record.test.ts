import { readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

test('an app with an unreadable record loses nothing to a push or a new app of the same name, and returns once repaired', async () => {
  let host: TestHost = await startHost({ environments: 'own' });
  const { data } = host;
  const project = await Project.create(textApp('text:precious'));
  await pushLive(project, host, 'lost');
  const [record, kept] = [join(data, 'apps/lost/meta.json'), join(data, 'apps/lost/storage/kept.txt')];
  await writeFile(kept, 'precious');
  await host.stop({ keepData: true });

  const good = await readFile(record);
  await writeFile(record, good.subarray(0, 20));
  await rm(join(data, 'apps/lost/meta.last-good.json'));
  const long = new Date(Date.now() - 3 * 86_400_000);
  for (const name of await readdir(join(data, 'environments')))
    await utimes(join(data, 'environments', name), long, long);
  host = await startHost({ data });
  await project.commit(textApp('text:newer'), 'Newer');
  const push = await project.git('push', host.remote('lost'), 'main');
  expect(push.code).not.toBe(0);
  expect(push.output).toContain('the record of the app "lost"');
  const made = await host.send('POST', '/apps', { id: 'lost', name: 'Another' });
  expect([made.status, ((await made.json()) as { code: string }).code]).toEqual([503, 'app-unreadable']);
  // One that only has the same name gets an id that is free.
  expect(((await (await host.send('POST', '/apps', { name: 'Lost' })).json()) as { id: string }).id).toBe('lost-2');
  await host.stop({ keepData: true });

  await writeFile(record, good);
  host = await startHost({ data });
  await until('it runs again', async () => (await host.app('lost')).state === 'running');
  expect(await visit(host, 'lost')).toContain('text:precious');
  expect(await readFile(kept, 'utf8')).toBe('precious');
});

test('an app with an unreadable record keeps its process, or its last good record and its process', async () => {
  let host: TestHost = await startHost();
  const { data } = host;
  const project = await Project.create(textApp('text:precious'));
  await pushLive(project, host, 'cut');
  await until('its record is final', async () => (await host.app('cut')).state === 'running');
  const pid = (await host.app('cut')).pid as number;
  const [record, last] = ['meta.json', 'meta.last-good.json'].map((name) => join(data, 'apps/cut', name)) as [
    string,
    string,
  ];
  await host.stop({ keepData: true, keepApps: true });
  const good = await readFile(record);

  // Cut off as by a full disk, with no copy: nothing is known of it, so nothing of it is ended.
  await writeFile(record, good.subarray(0, 40));
  await rename(last, `${last}.aside`);
  host = await startHost({ data });
  expect((await host.api('/apps/cut')).status).toBe(404);
  expect(host.output).toContain(`cannot read ${record}, so the app is skipped`);
  process.kill(pid, 0);
  await host.stop({ keepData: true, keepApps: true });
  process.kill(pid, 0);

  await writeFile(last, good);
  host = await startHost({ data });
  await until('it runs again', async () => (await host.app('cut')).state === 'running');
  expect((await host.app('cut')).pid).toBe(pid);
  expect(host.output).toContain('the previous version of its record is used');
  expect(await visit(host, 'cut')).toContain('text:precious');
});
