import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { UNCOMPILED, type Compiler } from '../../../src/environments/compiler.js';
import { Environments } from '../../../src/environments/environments.js';
import { FACTS } from '../../../src/environments/places.js';
import { gatherRequirements } from '../../../src/environments/requirements.js';
import { compilerOf } from '../../helpers/compiler.js';
import { writeFiles } from '../../helpers/files.js';

/** What a build needs to reach an index. */
const BUILD_ENV = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      /^(PATH|HOME|PIP_.*|UV_(?!CACHE_DIR).*|https?_proxy|no_proxy|SSL_CERT_.*)$/i.test(entry[0]),
  ),
);

/** Writes a wheel of that name that is another one. */
const WHEEL = `
import os, sys, zipfile
os.mkdir(sys.argv[1])
with zipfile.ZipFile(os.path.join(sys.argv[1], 'streamlit-9.0-py3-none-any.whl'), 'w') as wheel:
    wheel.writestr('streamlit.py', 'value = 1')
    wheel.writestr('streamlit-9.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: streamlit\\nVersion: 9.0\\n')
    wheel.writestr('streamlit-9.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('streamlit-9.0.dist-info/RECORD', '')
`;

const run = promisify(execFile);

let folder: string;
let compiler: Compiler | undefined;
let all: Environments | undefined;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'compiler-'))));
afterEach(async () => {
  await compiler?.close();
  await all?.close();
  await rm(folder, { recursive: true, force: true });
});

test('a marker that a crash has left empty means the cage', async () => {
  const { stdout } = await run('python3', ['-I', '-S', '-c', 'import sys; print(sys.executable)']);
  await writeFiles(folder, {
    [`environments/one/${FACTS}`]: JSON.stringify({ python: { executable: stdout.trim() } }),
    [`environments/one/${UNCOMPILED}`]: '',
    'environments/one/lib/shop.py': 'x = 1\n',
  });
  let cages = 0;
  compiler = compilerOf(folder, join(folder, 'cache'), {
    cage: async () => {
      cages += 1;
      return undefined;
    },
  });
  compiler.add('one');
  await compiler.idle();
  expect(cages).toBe(1);
  expect(existsSync(join(folder, 'environments/one', UNCOMPILED))).toBe(false);
  expect(existsSync(join(folder, 'environments/one/lib/__pycache__'))).toBe(true);
});

test('an environment has the bytecode of wheels that were compiled for another one as soon as it is installed', async () => {
  const cache = join(folder, 'builds');
  const wheels = join(folder, 'wheels');
  await run('python3', ['-c', WHEEL, wheels]);
  const env = { ...BUILD_ENV, UV_FIND_LINKS: wheels, UV_NO_INDEX: '1', UV_LINK_MODE: 'hardlink' };
  const made = new Environments({
    gather: gatherRequirements,
    root: join(folder, 'environments'),
    locks: join(folder, 'locks'),
    tmp: join(cache, 'drafts'),
    cache,
    tools: { uv: inject('tools').uv, python: 'python3' },
    env,
  });
  all = made;
  const ensure = (fresh: string) =>
    made.ensure({
      dependencies: { file: 'requirements.txt', text: 'streamlit==9.0\n' },
      ...{ sourceDir: folder, localKey: '', onLine: () => undefined, fresh },
    });
  const bytecode = async (path: string): Promise<string[]> =>
    (await readdir(path, { recursive: true })).filter(
      (name) => name.endsWith('.pyc') && /^lib\/.*\/streamlit\./.test(name),
    );
  const first = await ensure('one');
  expect(await bytecode(first.path)).toEqual([]);
  compiler = compilerOf(folder, cache, { env });
  compiler.add(first.hash);
  await compiler.idle();
  expect(await bytecode(first.path)).toHaveLength(1);

  const second = await ensure('two');
  expect(await bytecode(second.path)).toEqual(await bytecode(first.path));
});
