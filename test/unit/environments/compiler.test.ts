import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UNCOMPILED, type Compiler } from '../../../src/environments/compiler.js';
import { FACTS } from '../../../src/environments/places.js';
import { Refusal } from '../../../src/errors.js';
import { compilerOf } from '../../helpers/compiler.js';
import { writeFiles } from '../../helpers/files.js';

const run = promisify(execFile);

let folder: string;
let compiler: Compiler | undefined;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'compiler-'))));
afterEach(async () => {
  vi.useRealTimers();
  await compiler?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Makes an environment that is to be compiled. */
async function environment(marker: string): Promise<void> {
  const { stdout } = await run('python3', ['-I', '-S', '-c', 'import sys; print(sys.executable)']);
  await writeFiles(folder, {
    [`environments/one/${FACTS}`]: JSON.stringify({ python: { executable: stdout.trim() } }),
    [`environments/one/${UNCOMPILED}`]: marker,
    'environments/one/lib/shop.py': 'x = 1\n',
  });
}

it('an environment that had no room is tried again after an hour, and not after the end', async () => {
  await environment('{"caged":false}');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const warned: string[] = [];
  let asked = 0;
  compiler = compilerOf(folder, join(folder, 'cache'), {
    demandRoom: async () => {
      asked += 1;
      throw new Refusal('unavailable', 'disk-low', 'There is no room.');
    },
    logger: { info: () => undefined, warn: (_, text) => warned.push(text) },
  });
  compiler.add('one');
  await compiler.idle();
  expect(asked).toBe(1);
  vi.advanceTimersByTime(3_600_000);
  await compiler.idle();
  expect(asked).toBe(2);
  expect(warned).toHaveLength(2);
  await compiler.close();
  expect(vi.getTimerCount()).toBe(0);
});

it('an environment that is asked for again while it is compiled is compiled again', async () => {
  await environment('{"caged":false}');
  let asked = 0;
  const own: Compiler = compilerOf(folder, join(folder, 'cache'), {
    demandRoom: async () => {
      asked += 1;
      if (asked === 1) own.add('one');
      throw new Error('It fails for good.');
    },
    logger: { info: () => undefined, warn: () => undefined },
  });
  compiler = own;
  own.add('one');
  await own.idle();
  expect(asked).toBe(2);
});

it('a marker that a crash has left empty means the cage', async () => {
  await environment('');
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
