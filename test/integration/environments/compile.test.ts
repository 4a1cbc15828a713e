import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeFiles } from '../../helpers/files.js';

const run = promisify(execFile);
const SCRIPT = resolve('python/compile.py');

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'compile-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Compiles a folder where moving a file into its place raises an error. */
async function compileWith(error: string): Promise<{ code: number; stderr: string; drafts: string[] }> {
  await writeFiles(folder, { 'shop/one.py': 'x = 1\n', 'shop/two.py': 'x = 2\n' });
  const program = `
import errno, os, runpy, sys
def refuse(*_): raise ${error}
os.replace = refuse
sys.argv = ["compile.py", ${JSON.stringify(folder)}]
runpy.run_path(${JSON.stringify(SCRIPT)}, run_name="__main__")
`;
  const { code, stderr } = await run('python3', ['-I', '-S', '-c', program]).then(
    (done) => ({ ...done, code: 0 }),
    (failed: { code: number; stderr: string }) => failed,
  );
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  return { code, stderr, drafts: files.flatMap((one) => (one.isFile() && !one.name.endsWith('.py') ? one.name : [])) };
}

it('a run for which the machine is short of something fails, and leaves no drafts', async () => {
  for (const error of ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS']) {
    const { code, stderr, drafts } = await compileWith(`OSError(errno.${error}, "short")`);
    expect(code, error).toBe(1);
    expect(stderr).toContain('short');
    expect(drafts).toEqual([]);
  }
  expect(await compileWith('MemoryError()')).toMatchObject({ code: 1, drafts: [] });
});

it('a file that cannot be compiled for a reason of its own keeps nothing from being compiled', async () => {
  for (const error of ['PermissionError(errno.EACCES, "no")', 'MemoryError("too many nested parentheses")'])
    expect(await compileWith(error)).toMatchObject({ code: 0, stderr: '', drafts: [] });
});
