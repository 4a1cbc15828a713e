import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DeployLog } from '../../../src/deploys/log.js';
import { FolderReleases, inspectPlace } from '../../../src/deploys/folder-release.js';
import { releaseOf } from '../../helpers/release.js';
import { newApp } from '../../../src/domain/app/app.js';
import { LogFile } from '../../../src/logs/log-file.js';
import { writeFiles } from '../../helpers/files.js';
import { direct } from '../../helpers/reader.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'folder-release-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a dependency file of an in-place app must be text, as in a pushed app', async () => {
  const dir = join(folder, 'app');
  await writeFiles(dir, { 'app.py': '', 'requirements.txt': Buffer.from([0xff, 0xfe, 0x73]) });
  const app = {
    ...newApp('demo', 'Demo', new Date()),
    place: { key: 'demo', dir, restartOnCrash: true, watch: false },
  };
  const log = new DeployLog(new LogFile(join(folder, 'build.log')), (text) => text);
  const environments = { ensure: () => Promise.reject(new Error('nothing can be installed of that')) };
  await expect(
    new FolderReleases(environments, direct).build(app, releaseOf(1, 'building'), log, new AbortController().signal),
  ).rejects.toMatchObject({
    code: 'requirements-unreadable',
    message: expect.stringMatching(/^requirements\.txt is not valid UTF-16LE text/) as string,
  });
  await log.written;
});

it('a program that only starts Streamlit is not taken for an in-place app', async () => {
  const dir = join(folder, 'app');
  const look = (code: string): Promise<unknown> =>
    writeFiles(dir, { 'run.py': code }).then(() =>
      inspectPlace(direct, { key: 'demo', dir, restartOnCrash: true, watch: false }),
    );
  expect(await look('import streamlit as st\n')).toMatchObject({ main: join(dir, 'run.py') });
  await expect(look('from streamlit.web import cli\n')).rejects.toMatchObject({ code: 'main-missing' });
});
