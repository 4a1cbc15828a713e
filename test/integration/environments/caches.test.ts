import { execFileSync } from 'node:child_process';
import { chmod, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { openCaches } from '../../../src/environments/caches.js';
import { Environments } from '../../../src/environments/environments.js';
import type { Variables } from '../../../src/environments/indexes.js';
import { gatherRequirements } from '../../../src/environments/requirements.js';
import { Workshop } from '../../../src/environments/workshop.js';
import { createLogger } from '../../../src/logger.js';
import type { Cage } from '../../../src/runtime/process/cage/cage.js';
import { buildCage, openCage } from '../../../src/server/cage.js';
import { takeData } from '../../../src/server/data-folder.js';
import { Paths } from '../../../src/store/paths.js';
import { scratch } from '../../helpers/ends.js';
import { ROOT } from '../../helpers/host.js';

// Where an operator's settings name no cache, it lies in the data folder, which a build must neither see nor be stopped by.

const { uv } = inject('tools');
const path = process.env.PATH ?? '';
const launcher = join(ROOT, 'python/launch.py');

/** Makes a wheel of a package that is named streamlit and is not: an index of one folder. */
async function makeIndex(): Promise<string> {
  const folder = await scratch('wheels-');
  const code = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/streamlit-0.0.1-py3-none-any.whl", "w") as wheel:
    facts = "streamlit-0.0.1.dist-info/"
    wheel.writestr("streamlit.py", "value = 1\\n")
    wheel.writestr(facts + "METADATA", "Metadata-Version: 2.1\\nName: streamlit\\nVersion: 0.0.1\\n")
    wheel.writestr(facts + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(facts + "RECORD", "streamlit.py,,\\n")
`;
  execFileSync('python3', ['-c', code, folder]);
  // For whatever user builds are.
  await chmod(folder, 0o755);
  return folder;
}

/** A data folder as a server makes it before its first build, and its cage. */
async function prepare(wish: 'bubblewrap' | 'landlock'): Promise<{ paths: Paths; cage: Cage; env: Variables }> {
  const paths = new Paths(await scratch('first-build-'));
  await takeData(paths, { attempt: async (_what, work) => void (await work()) });
  const env = { PATH: path, HOME: paths.data };
  const config = { cage: wish, path };
  const logger = createLogger('silent');
  const cage = await openCage({ config, paths, launcher, python: 'python3', env, logger });
  return { paths, cage, env };
}

/** What a build tries with each folder, and what came of it. */
const TRIES = 'for folder; do (echo >"$folder/file") 2>/dev/null && echo "wrote $folder"; done; true';

describe.each(['bubblewrap', 'landlock'] as const)('a build in a cage of %s', (wish) => {
  it('can write to the caches in the data folder, which its own cache keeps it from', async () => {
    const { paths, cage, env } = await prepare(wish);
    const { python = '' } = cage;
    const workshop = await Workshop.open({ root: paths.drafts, prefix: 'x-', cage: buildCage(cage, []), python, env });
    const caches = await openCaches(paths.builds, env, workshop);
    const [uvCache = '', pipCache = ''] = Object.values(caches.variables);
    expect([uvCache, pipCache].map((folder) => dirname(folder).startsWith(paths.builds))).toEqual([true, true]);
    await workshop.give();
    const attempt = async (writable: readonly string[]): Promise<string[]> => {
      const lines: string[] = [];
      const folders = [workshop.folder, uvCache, pipCache, paths.environments, paths.apps, paths.run, paths.data];
      const argv = ['/bin/sh', '-c', TRIES, 'sh', ...folders];
      const onLine = (line: string): void => void lines.push(line);
      await workshop.run({ argv, cwd: workshop.folder, env, timeoutMs: 60_000, onLine }, { writable });
      return lines.map((line) => line.replace('wrote ', ''));
    };
    expect(await attempt(caches.folders)).toEqual([workshop.folder, uvCache, pipCache]);
    expect(await attempt([])).toEqual([workshop.folder]);
    await workshop.close();
  });
});

it.runIf(uv !== undefined)('a first build keeps there what it downloads (needs uv)', async () => {
  const { paths, cage, env } = await prepare('bubblewrap');
  const environments = new Environments({
    root: paths.environments,
    tmp: paths.drafts,
    cache: paths.builds,
    tools: { uv, python: 'python3' },
    compiler: join(ROOT, 'python/compile.py'),
    cage: buildCage(cage, []),
    gather: gatherRequirements,
    env: { ...env, UV_OFFLINE: '1', PIP_NO_INDEX: '1', PIP_FIND_LINKS: await makeIndex() },
  });
  const sourceDir = await scratch('source-');
  const dependencies = { file: 'requirements.txt', text: 'streamlit\n' };
  const made = await environments.ensure({ dependencies, sourceDir, localKey: 'commit', onLine: () => undefined });
  const said = execFileSync(made.python, ['-c', 'import streamlit; print(streamlit.value)'], { encoding: 'utf8' });
  expect(said.trim()).toBe('1');
  const cached = await readdir(join(paths.builds, 'uv'), { recursive: true });
  expect(cached.some((name) => name.endsWith('streamlit.py'))).toBe(true);
});
