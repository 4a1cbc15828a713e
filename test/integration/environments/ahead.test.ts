import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isComplete } from '../../../src/environments/places.js';
import { scratch } from '../../helpers/ends.js';
import { startHost, until } from '../../helpers/host.js';
import { Project } from '../../helpers/project.js';

test('the first push of an app takes the environment that was built at the first start', async () => {
  // A folder that has no environment at all.
  const host = await startHost({ data: await scratch('streamlit-host-'), env: { STREAMLIT_HOST_PREBUILD: 'on' } });
  const built = async (): Promise<string[]> => readdir(join(host.data, 'environments')).catch(() => []);
  const [first = ''] = await until('an environment is built', async () => {
    const names = await built();
    return names[0] !== undefined && (await isComplete(join(host.data, 'environments', names[0]))) ? names : undefined;
  });
  const project = await Project.create({
    'app.py': 'import streamlit as st\n\nst.write("Hello")\n',
    'requirements.txt': 'streamlit\n',
  });
  const { code, output } = await project.git('push', host.remote('first'), 'main');
  expect(code, output).toBe(0);
  expect(output).toContain(`reusing environment ${first.slice(0, 12)}`);
  expect(output).not.toContain('Installing dependencies');
  expect(await built()).toEqual([first]);
});
