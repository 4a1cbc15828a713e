import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Compiler, UNCOMPILED, type CompilerOptions } from '../../src/environments/compiler.js';
import { ROOT, until } from './host.js';

/** What compiles the environments in a folder's `environments`. @param cache what installers keep between builds */
export function compilerOf(folder: string, cache: string, more: Partial<CompilerOptions> = {}): Compiler {
  return new Compiler({
    root: join(folder, 'environments'),
    tmp: join(folder, 'tmp'),
    script: join(ROOT, 'python/compile.py'),
    cache,
    demandRoom: () => Promise.resolve(),
    env: { PATH: process.env.PATH ?? '' },
    logger: {
      info: () => undefined,
      warn: (facts) => {
        throw new Error('an environment could not be compiled', { cause: facts });
      },
    },
    ...more,
  });
}

/** Waits until a server has nothing left to compile in the background, so that its disk no longer fills. */
export async function whenCompiled(data: string): Promise<void> {
  const root = join(data, 'environments');
  const names = await readdir(root);
  await until('all is compiled', () => !names.some((name) => existsSync(join(root, name, UNCOMPILED))));
}
