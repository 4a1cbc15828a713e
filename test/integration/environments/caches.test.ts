import { execFileSync } from 'node:child_process';
import { chmod, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { openCaches } from '../../../src/environments/caches.js';
import { Environments } from '../../../src/environments/environments.js';
import type { Variables } from '../../../src/environments/indexes.js';
import { gatherRequirements } from '../../../src/environments/requirements.js';
import { usualPython } from '../../../src/environments/pythons.js';
import { Workshop } from '../../../src/environments/workshop.js';
import { createLogger } from '../../../src/logger.js';
import type { Cage } from '../../../src/runtime/process/cage/cage.js';
import { buildCage, openCage } from '../../../src/server/cage.js';
import { takeData } from '../../../src/server/data-folder.js';
import { Paths } from '../../../src/store/paths.js';
import { compilerOf } from '../../helpers/compiler.js';
import { scratch } from '../../helpers/ends.js';
import { writeFiles } from '../../helpers/files.js';
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
with zipfile.ZipFile(sys.argv[1] + "/streamlit-1.99.0-py3-none-any.whl", "w") as wheel:
    facts = "streamlit-1.99.0.dist-info/"
    wheel.writestr("streamlit.py", "value = 1\\n")
    wheel.writestr(facts + "METADATA", "Metadata-Version: 2.1\\nName: streamlit\\nVersion: 1.99.0\\n")
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
  const { cage } = await openCage({ config, paths, launcher, python: usualPython('python3', env), logger });
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

/** What makes environments there, with an index of one package. */
async function environmentsOf({ paths, cage, env }: Awaited<ReturnType<typeof prepare>>): Promise<Environments> {
  return new Environments({
    root: paths.environments,
    locks: paths.locks,
    tmp: paths.drafts,
    cache: paths.builds,
    tools: { uv, python: 'python3' },
    cage: () => Promise.resolve(buildCage(cage, [])),
    gather: gatherRequirements,
    env: { ...env, UV_OFFLINE: '1', PIP_NO_INDEX: '1', PIP_FIND_LINKS: await makeIndex() },
  });
}

/** Builds what a project asks for. @returns what its streamlit is */
async function build(environments: Environments, text: string, files: Record<string, string> = {}): Promise<string> {
  const sourceDir = await scratch('source-');
  await chmod(sourceDir, 0o755);
  await writeFiles(sourceDir, { ...files, 'requirements.txt': text });
  const dependencies = { file: 'requirements.txt', text };
  const made = await environments.ensure({ dependencies, sourceDir, localKey: text, onLine: () => undefined });
  return execFileSync(made.python, ['-B', '-c', 'import streamlit; print(streamlit.value)'], {
    encoding: 'utf8',
  }).trim();
}

/** A package that changes, as it is built, every copy of the other one that it finds: in caches and in environments. */
const EVIL = {
  'evil/pyproject.toml':
    '[build-system]\nrequires = []\nbackend-path = ["."]\nbuild-backend = "backend"\n[project]\nname = "evil"\nversion = "1"\n',
  'evil/backend.py': `
import os, zipfile
places = [os.environ["UV_CACHE_DIR"], os.environ["TMPDIR"] + "/..", *open("places.txt").read().split()]
written = 0
for place in places:
    for folder, _, names in os.walk(place):
        for name in names:
            if name == "streamlit.py":
                try:
                    with open(os.path.join(folder, name), "r+") as file:
                        file.write("value = 666\\n")
                    written += 1
                except OSError:
                    pass
def build_wheel(folder, settings=None, metadata=None):
    name = "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("evil.py", "written = %d\\n" % written)
        wheel.writestr("evil-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: evil\\nVersion: 1\\n")
        wheel.writestr("evil-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("evil-1.dist-info/RECORD", "")
    return name
build_editable = build_wheel
`,
};

describe.runIf(uv !== undefined)('builds that share their caches (needs uv)', () => {
  it('keep there what they download, and install from there what no other build has changed', async () => {
    const prepared = await prepare('bubblewrap');
    const { paths } = prepared;
    const environments = await environmentsOf(prepared);
    expect(await build(environments, 'streamlit\n')).toBe('1');
    const cached = await readdir(join(paths.builds, 'uv'), { recursive: true });
    expect(cached.some((name) => name.endsWith('streamlit.py'))).toBe(true);
    const places = { 'evil/places.txt': `${paths.builds} ${paths.environments}\n` };
    // It can spoil its own environment, whose files nobody shares.
    expect(await build(environments, 'streamlit\n./evil\n', { ...EVIL, ...places })).toBe('666');
    expect(await build(environments, 'streamlit==1.99.0\n')).toBe('1');

    const { cage } = prepared;
    const compiler = compilerOf(paths.data, paths.builds, {
      ...{ root: paths.environments, tmp: paths.drafts, env: prepared.env },
      cage: () => Promise.resolve(buildCage(cage, [])),
    });
    await compiler.begin();
    await compiler.idle();
    const files = await readdir(paths.environments, { recursive: true });
    expect(files.filter((name) => name.endsWith('uncompiled.json'))).toEqual([]);
    const compiled = files.filter((name) => /\/lib\/.*__pycache__\/streamlit\.cpython-\d+\.pyc$/.test(name));
    // By the user that builds are, which no app is.
    const owners = await Promise.all(compiled.map(async (name) => (await stat(join(paths.environments, name))).uid));
    expect(owners).toEqual(Array(3).fill(buildCage(cage, [])?.uid ?? process.getuid?.()));
  });
});
