import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { ROOT, startHost, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';

let host: TestHost;

beforeAll(async () => {
  host = await startHost();
});

it.each(['hello', 'dashboard'])('the example %s deploys unchanged, and all its pages run', async (name) => {
  const folder = join(ROOT, 'examples', name);
  const files: Record<string, Buffer> = { 'streamlit-host.toml': Buffer.from('[check]\nscript = "all-pages"\n') };
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !file.includes('__pycache__')) files[file.slice(folder.length + 1)] = await readFile(file);
  }
  const project = await Project.create(files);
  const push = await project.git('push', host.remote(name), 'main');
  expect(push.code, push.output).toBe(0);
  const pages = Object.keys(files).filter((file) => file === 'app.py' || file.startsWith('pages/')).length;
  expect(push.output).toContain(`All ${pages} pages ran without an exception`);
});
