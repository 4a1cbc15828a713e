import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout } from '../../src/environments/checkout.js';

const path = process.env.PATH ?? '';
let folder: string;
let repository: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkout-'));
  repository = join(folder, 'repo.git');
  git(['init', '-q', '--bare', repository]);
});
afterEach(() => rm(folder, { recursive: true }));

function git(argv: string[], input: string | Buffer = ''): string {
  const env = {
    PATH: path,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_DIR: repository,
    GIT_INDEX_FILE: join(folder, 'index'),
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@b',
  };
  return execFileSync('git', argv, { env, input }).toString().trim();
}

/** Makes a commit of exactly these files. A path may have a mode before it. */
function commit(files: Record<string, string | Buffer>): string {
  const lines = Object.entries(files).map(([name, content]) => {
    const [, mode = '100644', file = ''] = /^(?:(\d{6}) )?(.*)$/s.exec(name) ?? [];
    return `${mode} ${git(['hash-object', '-w', '--stdin'], content)}\t${file}\0`;
  });
  git(['read-tree', '--empty']);
  git(['update-index', '--add', '-z', '--index-info'], lines.join(''));
  return git(['commit-tree', git(['write-tree']), '-m', 'x']);
}

/** Everything below the folder of the test but the repository's objects. */
async function left(): Promise<string[]> {
  return (await readdir(join(folder, 'releases'))).sort();
}

describe('checkout', () => {
  const to = (): string => join(folder, 'releases', 'source');

  it("writes the commit's files byte for byte, read-only, and keeps them executable", async () => {
    const bytes = randomBytes(300_000);
    const id = commit({
      'app.py': 'print(1)\r\n',
      'deep/er/é 日本.bin': bytes,
      '100755 run.sh': '#!/bin/sh\n',
      '120000 deep/link': '../app.py',
    });
    commit({ 'app.py': 'something newer' });
    await checkout({ repository, commit: id, to: to(), path });
    expect((await readdir(to(), { recursive: true })).sort()).toEqual([
      'app.py',
      'deep',
      'deep/er',
      'deep/er/é 日本.bin',
      'deep/link',
      'run.sh',
    ]);
    expect(await readFile(join(to(), 'app.py'), 'utf8')).toBe('print(1)\r\n');
    const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    expect(digest(await readFile(join(to(), 'deep/er/é 日本.bin')))).toBe(digest(bytes));
    expect((await lstat(join(to(), 'app.py'))).mode & 0o777).toBe(0o444);
    expect((await lstat(join(to(), 'run.sh'))).mode & 0o777).toBe(0o555);
    expect(await readlink(join(to(), 'deep/link'))).toBe('../app.py');
    expect(await left()).toEqual(['source']);
  });

  it('runs no hooks or filters, whatever the repository asks for', async () => {
    const id = commit({ '.gitattributes': '*.bin filter=lfs\n', 'a.bin': 'as it is' });
    const mark = join(folder, 'ran');
    for (const hook of ['post-checkout', 'post-index-change', 'fsmonitor-watchman']) {
      await mkdir(join(repository, 'hooks'), { recursive: true });
      await writeFile(join(repository, 'hooks', hook), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
    }
    git(['config', 'filter.lfs.smudge', `touch ${mark}; cat`]);
    git(['config', 'filter.lfs.required', 'true']);
    git(['config', 'core.fsmonitor', `touch ${mark}`]);
    await checkout({ repository, commit: id, to: to(), path });
    expect(await readFile(join(to(), 'a.bin'), 'utf8')).toBe('as it is');
    await expect(lstat(mark)).rejects.toThrow('ENOENT');
  });

  it('leaves an existing folder unchanged', async () => {
    const id = commit({ 'app.py': 'one' });
    await checkout({ repository, commit: id, to: to(), path });
    const before = await lstat(join(to(), 'app.py'));
    await checkout({ repository, commit: id, to: to(), path });
    expect((await lstat(join(to(), 'app.py'))).ino).toBe(before.ino);
  });

  it('removes the leftovers of an interrupted checkout', async () => {
    await mkdir(`${to()}.draft-0`, { recursive: true });
    await writeFile(`${to()}.draft-0/half.txt`, '');
    await checkout({ repository, commit: commit({ 'app.py': 'one' }), to: to(), path });
    expect(await left()).toEqual(['source']);
  });

  it.each<[string, Record<string, string>]>([
    ['a link out of the folder', { 'app.py': '', '120000 a/link': '../../outside' }],
    ['a link to a place on the machine', { 'app.py': '', '120000 link': '/etc/passwd' }],
    [
      'links that lead out only one after the other',
      { 'app.py': '', '120000 x/y/up': '../..', '120000 link': 'x/y/up/../outside' },
    ],
  ])('refuses %s, and leaves nothing', async (_what, files) => {
    await expect(checkout({ repository, commit: commit(files), to: to(), path })).rejects.toMatchObject({
      code: 'link-outside',
    });
    expect(await left()).toEqual([]);
  });

  it('does not follow links when it makes files read-only', async () => {
    const outside = join(folder, 'outside');
    await writeFile(outside, '', { mode: 0o644 });
    const id = commit({ 'app.py': '', '120000 link': outside });
    await expect(checkout({ repository, commit: id, to: to(), path })).rejects.toMatchObject({ code: 'link-outside' });
    expect((await lstat(outside)).mode & 0o777).toBe(0o644);
  });

  it('leaves nothing if the commit is missing or the checkout is aborted', async () => {
    await expect(checkout({ repository, commit: '1'.repeat(40), to: to(), path })).rejects.toMatchObject({
      code: 'command-exit',
    });
    const id = commit({ 'app.py': 'one' });
    const stop = new AbortController();
    const aborted = checkout({
      repository,
      commit: id,
      to: to(),
      path,
      signal: stop.signal,
      onSpawn: () => stop.abort(),
    });
    await expect(aborted).rejects.toMatchObject({ code: 'command-aborted' });
    expect(await left()).toEqual([]);
  });

  it('stops between two files of Git LFS if it is aborted', async () => {
    const content = join(folder, 'content');
    await writeFile(content, 'some data');
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 9\n`;
    const id = commit({ 'a.bin': pointer, 'b.bin': pointer });
    const stop = new AbortController();
    let asked = 0;
    const has = (): Promise<boolean> => {
      asked += 1;
      stop.abort(new Error('cancelled'));
      return Promise.resolve(true);
    };
    const lfs = { hasAny: () => Promise.resolve(true), has, path: () => content };
    const request = { repository, commit: id, to: to(), path, lfs, signal: stop.signal };
    await expect(checkout(request)).rejects.toThrow('cancelled');
    expect(asked).toBe(1);
    expect(await left()).toEqual([]);
  });
});
