import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parsePlace, s3Access } from '../../src/backup/place.js';
import { Bucket } from '../../src/backup/s3.js';
import { scratch } from '../helpers/ends.js';
import { startHost, until } from '../helpers/host.js';
import { Person } from '../helpers/person.js';
import { Project } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';
import { startS3 } from '../helpers/s3.js';

const app = (text: string): Record<string, string> => ({
  'app.py': `import os\nimport streamlit as st\nst.text("${text} in " + os.environ["REGION"])\n`,
  'requirements.txt': 'streamlit\n',
});
/** More than is sent to S3 at once, and cannot be compressed. */
const LARGE = 40 * 1024 * 1024;
const second = (): number => Math.floor(Date.now() / 1_000);

test('backups to S3 that are made while the server is pushed to and visited keep the newest, which restores the apps', async () => {
  const s3 = await startS3('ours');
  const host = await startHost({ env: s3 });
  const person = await Person.of(host);
  for (const id of ['kept', 'busy']) {
    await host.send('POST', '/apps', { name: id });
    await host.send('PATCH', `/apps/${id}/config`, { vars: { REGION: 'north' } });
  }
  await pushLive(await Project.create(app('one')), host, 'kept');
  const project = await Project.create(app('busy-0'));
  await pushLive(project, host, 'busy');
  await writeFile(join(host.data, 'apps/kept/storage/large.bin'), randomBytes(LARGE));

  let over = false;
  const pushing = (async () => {
    for (let at = 1; !over; at += 1) {
      await project.commit(app(`busy-${at}`), `Busy ${at}`);
      await pushLive(project, host, 'busy');
    }
  })();
  const visiting = (async () => {
    while (!over) expect(await visit(host, 'kept')).toContain('one in north');
  })();
  const places: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const { code, stdout, stderr } = await person.run([
      'backup',
      's3://ours/nightly',
      '--with-key',
      '--keep',
      '2',
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    places.push((JSON.parse(stdout) as { place: string }).place);
    // Each has the second in its name.
    const made = second();
    await until('the next second', () => second() > made);
  }
  over = true;
  await Promise.all([pushing, visiting]);
  const bucket = new Bucket(s3Access(s3) ?? expect.fail(), 'ours');
  expect(await bucket.list('nightly/')).toEqual(places.slice(1).map((place) => parsePlace(place)?.key));
  await host.stop();

  const data = join(await scratch('streamlit-host-s3-'), 'data');
  const newest = places.at(-1) ?? '';
  const missing = await person.run(['restore', `${newest}.gone`], { env: { ...s3, STREAMLIT_HOST_DATA: data } });
  expect(missing.stderr).toContain('The bucket ours cannot be used:');
  const restored = await person.run(['restore', newest], { env: { ...s3, STREAMLIT_HOST_DATA: data } });
  expect(restored.stdout, restored.stderr).toContain(`to ${data}.`);
  const again = await startHost({ data });
  for (const id of ['kept', 'busy'])
    await until(`${id} is built and runs`, async () => (await again.app(id)).state === 'running', 150_000);
  expect(await visit(again, 'kept')).toContain('one in north');
  expect(await visit(again, 'busy')).toMatch(/busy-\d+ in north/);
}, 600_000);
