import { chmod, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { CachePruner, type CachePrunerOptions } from '../../../src/environments/cache-pruner.js';
import { openCaches } from '../../../src/environments/caches.js';
import { usualPython } from '../../../src/environments/pythons.js';
import { Workshop } from '../../../src/environments/workshop.js';
import { createLogger } from '../../../src/logger.js';
import { buildCage, openCage } from '../../../src/server/cage.js';
import { takeData } from '../../../src/server/data-folder.js';
import { Paths } from '../../../src/store/paths.js';
import { scratch } from '../../helpers/ends.js';
import { ROOT, until } from '../../helpers/host.js';
import { wheelOf } from '../../helpers/wheel.js';

const { uv = '' } = inject('tools');
const path = process.env.PATH ?? '';
describe.runIf(uv !== '')('what uv keeps (needs uv)', () => {
  it.each(['bubblewrap', 'none'] as const)(
    'is pruned of what nothing uses any more, and of nothing else, with a cage of %s',
    async (kind) => {
      const paths = new Paths(await scratch('pruner-'));
      await takeData(paths, { attempt: async (_what, work) => void (await work()) });
      const env = { PATH: path, HOME: paths.data };
      const python = usualPython('python3', env);
      const launcher = join(ROOT, 'python/launch.py');
      const config = { cage: kind, path };
      const { cage } = await openCage({ config, paths, launcher, python, logger: createLogger('silent') });
      const wheels = await scratch('wheels-');
      await chmod(wheels, 0o755);
      const { file, bytes } = wheelOf('small', '1');
      await writeFile(join(wheels, file), bytes);

      // Two installs of a package that was published anew in between, and what a killed one has left.
      const { executable } = await python();
      const options = { root: paths.drafts, prefix: 'x-', cage: buildCage(cage, []), python: executable, env };
      const workshop = await Workshop.open(options);
      await workshop.give();
      const { variables, folders } = await openCaches(paths.builds, env, workshop);
      const kept = variables.UV_CACHE_DIR ?? '';
      const run = (...argv: string[]): Promise<void> =>
        workshop.run(
          { argv, cwd: workshop.folder, env: { ...env, ...variables }, timeoutMs: 60_000 },
          { readOnly: [uv, wheels], writable: [workshop.folder, ...folders] },
        );
      const install = [uv, 'pip', 'install', '--no-index', '--find-links', wheels, '--python', executable, '--target'];
      await run(...install, 'old', 'small');
      await utimes(join(wheels, file), 1, 1);
      await run(...install, 'new', '--refresh', 'small');
      await run('/bin/mkdir', join(kept, '.tmpLeft'));
      const archives = async (): Promise<string[]> => readdir(join(kept, 'archive-v0'));
      expect(await archives()).toHaveLength(2);

      const pruner = open({ paths, env, python, cage: () => Promise.resolve(buildCage(cage, [])) });
      pruner.soon();
      await until('it is pruned', async () => (await archives()).length === 1);
      await pruner.close();
      expect(await readdir(kept)).not.toContain('.tmpLeft');
      expect(await readdir(join(kept, 'archive-v0', (await archives())[0] ?? ''))).toContain('small.py');
      for (const one of ['old', 'new']) expect(await readdir(join(workshop.folder, one))).toContain('small.py');
      await workshop.close();
      expect(await readdir(paths.drafts)).toEqual([]);
    },
  );

  it("is left alone where it is the operator's own", async () => {
    const paths = new Paths(await scratch('pruner-'));
    const own = await scratch('own-cache-');
    await mkdir(join(own, '.tmpLeft'));
    const asked: string[] = [];
    const pruner = open({
      paths,
      env: { PATH: path, UV_CACHE_DIR: own },
      python: () => Promise.reject(new Error(`asked ${asked.push('python')}`)),
    });
    pruner.soon();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await pruner.close();
    expect([await readdir(own), asked]).toEqual([['.tmpLeft'], []]);
  });
});

function open({ paths, ...more }: { paths: Paths } & Pick<CachePrunerOptions, 'env' | 'python' | 'cage'>): CachePruner {
  const warn = (facts: object): void => {
    throw new Error('it could not be pruned', { cause: facts });
  };
  return new CachePruner({ cache: paths.builds, tmp: paths.drafts, uv, restMs: 0, logger: { warn }, ...more });
}
