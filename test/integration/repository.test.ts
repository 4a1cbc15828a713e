import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildModules, ROOT } from '../../scripts/lib/setup.js';
import { Git, GitFailed } from '../../src/store/git.js';
import { Repository, type BlobSource } from '../../src/store/repository.js';

let folder: string;
let tmp: string;
let git: Git;
let repository: Repository;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'repository-'));
  tmp = join(folder, 'tmp');
  await mkdir(tmp);
  git = new Git(process.env.PATH ?? '');
  repository = new Repository(join(folder, 'repo.git'), git);
  await repository.init(tmp);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;

async function blob(path: string, content: string, executable = false): Promise<BlobSource> {
  files += 1;
  const file = join(folder, `file-${files}`);
  await writeFile(file, content);
  return { path, file, executable };
}

async function commit(
  set: BlobSource[],
  options: { parent?: string; remove?: string[]; replace?: boolean; message?: string; author?: string } = {},
): Promise<string> {
  const { parent, remove = [], replace = false, message = 'Change', author = 'ada' } = options;
  return repository.commit({ parent, set, remove, replace, author, message }, tmp);
}

async function filesOf(id: string): Promise<string> {
  return repository.ask(['ls-tree', '-r', '--format=%(objectmode) %(path)', id]);
}

describe('a commit by the server', () => {
  it('has exactly the files it was given, and its author', async () => {
    const id = await commit(
      [await blob('app.py', 'one'), await blob('bin/run', '#!', true), await blob('näme mit "Zeichen"\t.txt', 'x')],
      { author: 'Ada <x@y>\n' },
    );
    expect((await filesOf(id)).split('\n')).toHaveLength(3);
    expect(await filesOf(id)).toContain('100644 app.py');
    expect(await filesOf(id)).toContain('100755 bin/run');
    expect(await repository.ask(['log', '-1', '--format=%an|%cn|%ae|%s', id])).toBe(
      'Ada x@y|streamlit-host|noreply@streamlit-host.invalid|Change',
    );
  });

  it('changes, adds and removes on top of its parent', async () => {
    const parent = await commit([await blob('a', '1'), await blob('b', '1'), await blob('c/d', '1')]);
    const id = await commit([await blob('b', '2'), await blob('e', '2')], { parent, remove: ['a', 'c/d'] });
    expect(await filesOf(id)).toBe('100644 b\n100644 e');
    expect(await repository.ask(['rev-parse', `${id}^`])).toBe(parent);
    expect(await filesOf(parent)).toBe('100644 a\n100644 b\n100644 c/d');
  });

  it('can replace everything', async () => {
    const parent = await commit([await blob('old', '1')]);
    const id = await commit([await blob('new', '1')], { parent, replace: true });
    expect(await filesOf(id)).toBe('100644 new');
    expect(await repository.ask(['rev-parse', `${id}^`])).toBe(parent);
  });

  it('equals its parent if nothing changes', async () => {
    const parent = await commit([await blob('a', 'same')]);
    expect(await commit([await blob('a', 'same')], { parent })).toBe(parent);
  });

  it('replaces a file with a folder, and a folder with a file', async () => {
    const parent = await commit([await blob('a', '1'), await blob('b/c', '1')]);
    const id = await commit([await blob('a/x', '2'), await blob('b', '2')], { parent });
    expect(await filesOf(id)).toBe('100644 a/x\n100644 b');
  });

  it('keeps bytes unchanged, including line endings', async () => {
    const id = await commit([await blob('.gitattributes', '* text eol=lf\n'), await blob('crlf.txt', 'a\r\nb\r\n')]);
    const object = await repository.ask(['rev-parse', `${id}:crlf.txt`]);
    expect((await repository.blob(object)).toString()).toBe('a\r\nb\r\n');
  });

  it('takes thousands of files quickly, whatever their names', async () => {
    const odd = join(folder, 'a "name" \\ with\n everything ä');
    await writeFile(odd, 'odd');
    const many = await Promise.all(Array.from({ length: 2_000 }, (_, at) => blob(`data/${at}.csv`, String(at))));
    const begun = performance.now();
    const id = await commit([{ path: 'odd', file: odd }, ...many]);
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await repository.ask(['show', `${id}:odd`])).toBe('odd');
    expect(await repository.ask(['show', `${id}:data/1999.csv`])).toBe('1999');
  });

  it('leaves no temporary files', async () => {
    await commit([await blob('a', 'x')]);
    await expect(commit([{ path: 'a', file: join(folder, 'not-there') }])).rejects.toThrow(GitFailed);
    expect(await readdir(tmp)).toEqual([]);
  });
});

describe('a repository', () => {
  it('resolves existing revisions, and reports the others as missing', async () => {
    const id = await commit([await blob('a', 'ref')]);
    await repository.pointRef('refs/heads/main', id);
    expect(await repository.resolve('refs/heads/main')).toBe(id);
    expect(await repository.resolve(id)).toBe(id);
    for (const name of ['refs/heads/none', 'f'.repeat(40), '--help', 'main..', ''])
      expect(await repository.resolve(name)).toBeUndefined();
    // What is not a commit is none.
    expect(await repository.resolve(await repository.ask(['rev-parse', `${id}^{tree}`]))).toBeUndefined();
  });

  it('accepts only full commit ids, so none can be an option', async () => {
    for (const name of ['main', '--output=/tmp/x', 'abc', '']) {
      await expect(repository.tree(name)).rejects.toMatchObject({ code: 'commit-invalid' });
      await expect(repository.pointRef('refs/heads/x', name)).rejects.toMatchObject({ code: 'commit-invalid' });
    }
  });

  it('shows the beginning of a diff, however large it is', async () => {
    const large = (letter: string): string => `${letter.repeat(99)}\n`.repeat(550_000);
    const one = await commit([await blob('data.csv', large('a'))]);
    const two = await commit([await blob('data.csv', large('ä'))], { parent: one });
    const patch = await repository.diff(one, two);
    expect(patch).toContain('-aaa');
    expect(patch).toMatch(/ data\.csv \| 1100000 [+-]+\n/);
    expect(patch).toMatch(/^… truncated\.$/m);
    expect(patch.length).toBeLessThan(501_000);
  });

  it('finds the branch that conflicts with another one', async () => {
    const id = await commit([await blob('a', 'branch')]);
    await repository.pointRef('refs/heads/way/in', id);
    expect(
      await Promise.all(
        ['way', 'way/in/x', 'way/in', 'way/out', 'way2', 'w'].map((name) => repository.branchInTheWay(name)),
      ),
    ).toEqual(['way/in', 'way/in', undefined, undefined, undefined, undefined]);
  });

  it('moves a ref only from its expected value', async () => {
    const one = await commit([await blob('a', 'one')]);
    const two = await commit([await blob('a', 'two')]);
    await repository.pointRef('refs/heads/guarded', one);
    await expect(repository.pointRef('refs/heads/guarded', two, two)).rejects.toThrow(GitFailed);
    expect(await repository.resolve('refs/heads/guarded')).toBe(one);
    await repository.pointRef('refs/heads/guarded', two, one);
    expect(await repository.resolve('refs/heads/guarded')).toBe(two);
  });

  it('hides the commits of releases, and counts as empty if it has only those', async () => {
    const fresh = new Repository(join(folder, 'fresh.git'), git);
    await fresh.init(tmp);
    expect(await fresh.hasRefs()).toBe(false);
    const id = await fresh.commit(
      { parent: undefined, set: [await blob('a', '1')], remove: [], replace: true, author: 'ada', message: 'One' },
      tmp,
    );
    await fresh.keepRelease(1, id);
    expect(await fresh.hasRefs()).toBe(false);
    expect(await git.text(folder, ['ls-remote', fresh.path])).toBe('');
    await fresh.pointRef('refs/heads/main', id);
    expect(await fresh.hasRefs()).toBe(true);
    expect(await git.text(folder, ['ls-remote', fresh.path])).toContain('refs/heads/main');
    await fresh.dropRelease(1);
    expect(await fresh.resolve('refs/releases/1')).toBeUndefined();
  });

  it('is created completely or not at all', async () => {
    await mkdir(join(folder, 'taken.git'));
    await writeFile(join(folder, 'taken.git', 'file'), '');
    await expect(new Repository(join(folder, 'taken.git'), git).init(tmp)).rejects.toThrow();
    expect(await readdir(join(folder, 'taken.git'))).toEqual(['file']);
    expect(await readdir(tmp)).toEqual([]);
  });
});

describe('git', () => {
  it('gets nothing from our environment', async () => {
    const names = Object.keys(git.env);
    expect(names).toContain('GIT_CONFIG_NOSYSTEM');
    expect(names).not.toContain('STREAMLIT_HOST_TOKEN');
    expect(git.env.GIT_CONFIG_GLOBAL).toBe('/dev/null');
  });

  it('fails with its own last line', async () => {
    await expect(git.text(repository.path, ['cat-file', 'blob', 'f'.repeat(40)])).rejects.toThrow(
      /^git cat-file failed: fatal: /,
    );
  });

  it('accepts a temporary index, a quarantine and an author, and no variable that runs another program', async () => {
    const file = join(folder, 'quarantined.txt');
    await writeFile(file, 'not accepted yet');
    const quarantine = join(repository.path, 'objects', 'incoming');
    await mkdir(quarantine);
    const env = {
      GIT_OBJECT_DIRECTORY: quarantine,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: join(repository.path, 'objects'),
      GIT_QUARANTINE_PATH: quarantine,
    };
    const id = await repository.ask(['hash-object', '-w', file], { env });
    expect(await repository.ask(['cat-file', 'blob', id], { env })).toBe('not accepted yet');
    await expect(repository.ask(['cat-file', 'blob', id])).rejects.toThrow(GitFailed);
    for (const name of ['GIT_SSH_COMMAND', 'GIT_EXTERNAL_DIFF', 'GIT_PAGER', 'GIT_CONFIG_COUNT'])
      await expect(repository.ask(['version'], { env: { [name]: '1' } })).rejects.toThrow(/not permitted|blocked/);
  });

  it('says that it cannot be started, and the process keeps running', async () => {
    const missing = new Git(join(folder, 'no-programs'));
    await expect(missing.text(folder, ['version'])).rejects.toThrow(/^git version failed: spawn git ENOENT/);
    await expect(missing.run(folder, ['version'])).rejects.toThrow(/^git version failed: spawn git ENOENT/);
    await expect(git.text(join(folder, 'no-folder'), ['version'])).rejects.toThrow(GitFailed);
  });

  it('does not crash the process when no more files can be opened, and works again once they can', async () => {
    await buildModules(ROOT, join(folder, 'built'), ['store/git']);
    const script = `
      import { closeSync, openSync } from 'node:fs';
      import { Git } from ${JSON.stringify(join(folder, 'built/store/git.js'))};
      const git = new Git(process.env.PATH);
      await git.text('/', ['version']);
      const open = [];
      try { for (;;) open.push(openSync('/dev/null')); } catch {}
      for (let free = 0; free < 12; free += 1) {
        await git.text('/', ['version']).then(() => 'answered', ({ message }) => message).then(console.log);
        closeSync(open.pop());
      }
      for (const file of open) closeSync(file);
      console.log(await git.text('/', ['version']));
    `;
    const argv = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script];
    const lines = (await promisify(execFile)('sh', argv)).stdout.trim().split('\n');
    expect(lines).toHaveLength(13);
    expect(lines[0]).toBe('git version failed: too many files are open');
    expect(lines.at(-1)).toMatch(/^git version 2/);
  });

  it('stops when the work is cancelled', async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(git.text(repository.path, ['log'], { signal: abort.signal })).rejects.toThrow();
  });
});

it.runIf(process.getuid?.() === 0)(
  'a repository that another user owns, such as after a restore, is read all the same',
  async () => {
    const restored = new Repository(join(folder, 'restored.git'), git);
    await restored.init(tmp);
    await promisify(execFile)('chown', ['-R', '65534:65534', join(folder, 'restored.git')]);
    expect(await restored.ask(['rev-parse', '--is-bare-repository'])).toBe('true');
  },
);
