import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

test('an app whose record cannot be read loses nothing to a push or to a new app of its name, and is back once it is mended', async () => {
  let host: TestHost = await startHost();
  const { data } = host;
  const project = await Project.create(textApp('text:precious'));
  await pushLive(project, host, 'lost');
  const [record, kept] = [join(data, 'apps/lost/meta.json'), join(data, 'apps/lost/storage/kept.txt')];
  await writeFile(kept, 'precious');
  await host.stop({ keepData: true });

  const good = await readFile(record);
  await writeFile(record, good.subarray(0, 20));
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
