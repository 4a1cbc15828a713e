import { join } from 'node:path';
import { Bytecode } from '../../src/environments/bytecode.js';
import { Compiler, type CompilerOptions } from '../../src/environments/compiler.js';
import { ROOT } from './host.js';

/** What compiles the environments in a folder's `environments`. @param cache where it keeps what it has compiled */
export function compilerOf(folder: string, cache: string, more: Partial<CompilerOptions> = {}): Compiler {
  return new Compiler({
    root: join(folder, 'environments'),
    tmp: join(folder, 'tmp'),
    script: join(ROOT, 'python/compile.py'),
    bytecode: new Bytecode(cache),
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
