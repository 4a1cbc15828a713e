import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UNCOMPILED, type Compiler } from '../../../src/environments/compiler.js';
import { FACTS } from '../../../src/environments/places.js';
import { Refusal } from '../../../src/errors.js';
import { compilerOf } from '../../helpers/compiler.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
let compiler: Compiler | undefined;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'compiler-'))));
afterEach(async () => {
  // First: they would bring the fake timers back.
  vi.restoreAllMocks();
  vi.useRealTimers();
  await compiler?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Makes an environment that is to be compiled, whose Python is never started. */
async function environment(): Promise<void> {
  await writeFiles(folder, {
    [`environments/one/${FACTS}`]: JSON.stringify({ python: { executable: process.execPath } }),
    [`environments/one/${UNCOMPILED}`]: '{"caged":false}',
    'environments/one/lib/shop.py': 'x = 1\n',
  });
}

it('an environment that had no room is tried again after an hour, and not after the end', async () => {
  await environment();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  // By its own timer: others of this thread may be set meanwhile.
  const [set, clear] = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'clearTimeout')];
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
  const own = set.mock.calls.flatMap(([, ms], at) =>
    ms === 3_600_000 ? [set.mock.results[at]?.value as unknown] : [],
  );
  expect(own).toHaveLength(2);
  await compiler.close();
  expect(clear).toHaveBeenCalledWith(own[1]);
});

it('an environment that is asked for again while it is compiled is compiled again', async () => {
  await environment();
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
