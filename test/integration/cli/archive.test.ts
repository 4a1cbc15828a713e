import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveOf } from '../../../src/cli/archive.js';
import { writeFiles } from '../../helpers/files.js';

const exec = promisify(execFile);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'archive-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (files: Record<string, string>): Promise<void> => writeFiles(folder, files);

async function git(...args: string[]): Promise<void> {
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'init.defaultBranch=main'];
  await exec('git', [...identity, ...args], { cwd: folder, env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' } });
}

/** What the server would unpack: content by path, links by where they lead. */
async function unpacked(content: AsyncIterable<Uint8Array>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const entries = tar.extract();
  const reading = (async () => {
    for await (const entry of entries) {
      const parts: Buffer[] = [];
      for await (const part of entry) parts.push(part as Buffer);
      if (entry.header.type === 'directory') continue;
      const mode = ((entry.header.mode ?? 0) & 0o100) === 0 ? '' : ' (executable)';
      found[entry.header.name] =
        entry.header.type === 'symlink'
          ? `-> ${entry.header.linkname ?? ''}`
          : Buffer.concat(parts).toString('utf8') + mode;
    }
  })();
  await Promise.all([pipeline(Readable.from(content), createGunzip(), entries), reading]);
  return found;
}

it('a folder without git is sent completely, except for environments, caches and git', async () => {
  await write({
    'app.py': 'import streamlit',
    'pages/Página.py': 'x',
    'empty.txt': '',
    'run.sh': '#!/bin/sh',
    [`${'long/'.repeat(30)}file.txt`]: 'deep',
    'venv/pyvenv.cfg': 'x',
    'my-environment/pyvenv.cfg': 'x',
    'my-environment/lib/big.py': 'x',
    'pages/__pycache__/a.pyc': 'x',
    '.streamlit/config.toml': '[theme]',
  });
  await chmod(join(folder, 'run.sh'), 0o755);
  await symlink('app.py', join(folder, 'link.py'));
  const { what, content } = await archiveOf(folder);
  expect(what).toBe('7 files');
  expect(await unpacked(content)).toEqual({
    'app.py': 'import streamlit',
    'pages/Página.py': 'x',
    'empty.txt': '',
    'run.sh': '#!/bin/sh (executable)',
    [`${'long/'.repeat(30)}file.txt`]: 'deep',
    '.streamlit/config.toml': '[theme]',
    'link.py': '-> app.py',
  });
});

it('a folder without git is refused if it is empty or missing', async () => {
  await expect(archiveOf(folder)).rejects.toMatchObject({ code: 'folder-empty' });
  await expect(archiveOf(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'folder-not-found' });
  await write({ file: 'x' });
  await expect(archiveOf(join(folder, 'file'))).rejects.toMatchObject({ code: 'folder-not-found' });
});

it('a folder without git fails as a whole if a file shrinks while it is read', async () => {
  await writeFile(join(folder, 'data.bin'), randomBytes(8_000_000));
  const { content } = await archiveOf(folder);
  const read = async (): Promise<void> => {
    for await (const _part of content) await truncate(join(folder, 'data.bin'), 1_000);
  };
  await expect(read()).rejects.toThrow();
});

describe('a checkout', () => {
  beforeEach(async () => {
    await write({ 'app.py': 'one', 'sub/other.py': 'two', '.gitignore': '*.secret\n', 'key.secret': 'hidden' });
    await git('init', '--quiet');
    await git('add', '--all');
    await git('commit', '--quiet', '-m', 'Begin');
  });

  it('without changes is sent as its last commit', async () => {
    const { what, content } = await archiveOf(folder);
    expect(what).toMatch(/^commit [0-9a-f]{7}$/);
    expect(await unpacked(content)).toEqual({ 'app.py': 'one', 'sub/other.py': 'two', '.gitignore': '*.secret\n' });
  });

  it('with changes is sent as the working tree, without ignored and deleted files', async () => {
    await write({ 'app.py': 'changed', 'new.py': 'new' });
    await rm(join(folder, 'sub/other.py'));
    const { what, content } = await archiveOf(folder);
    expect(what).toContain('uncommitted');
    expect(await unpacked(content)).toEqual({ 'app.py': 'changed', 'new.py': 'new', '.gitignore': '*.secret\n' });
  });

  it('sends a folder inside it as its own project', async () => {
    const { content } = await archiveOf(join(folder, 'sub'));
    expect(await unpacked(content)).toEqual({ 'other.py': 'two' });
  });

  it('sends a folder that git ignores as well', async () => {
    await write({ 'build.secret/app.py': 'made' });
    const { content } = await archiveOf(join(folder, 'build.secret'));
    expect(await unpacked(content)).toEqual({ 'app.py': 'made' });
  });

  it('is sent with files that its archives would leave out', async () => {
    await write({ '.gitattributes': 'sub/ export-ignore\n*.py export-subst\n' });
    await git('add', '--all');
    await git('commit', '--quiet', '-m', 'Attributes');
    const { what, content } = await archiveOf(folder);
    expect(what).toMatch(/^commit /);
    expect(await unpacked(content)).toMatchObject({ 'sub/other.py': 'two' });
  });

  it('keeps files with secrets that are not in git, and says so; those in git are sent as a push sends them', async () => {
    await write({ '.env': 'A=1', '.env.production': 'A=2', '.env.example': 'A=', '.streamlit/secrets.toml': 'a = 1' });
    await git('add', '.env.production');
    const { content, heldBack } = await archiveOf(folder);
    expect(heldBack).toEqual(['.env', '.streamlit/secrets.toml']);
    const sent = Object.keys(await unpacked(content));
    expect(sent).toEqual(expect.arrayContaining(['.env.production', '.env.example']));
    expect(sent).not.toEqual(expect.arrayContaining(['.env']));
  });

  it('is refused if a part of it is a repository of its own, whose files git does not push', async () => {
    await write({ 'part/inner.py': 'x' });
    await exec('git', ['init', '--quiet'], { cwd: join(folder, 'part') });
    await expect(archiveOf(folder)).rejects.toMatchObject({ code: 'submodule', message: /^part is a submodule/ });
    const identity = ['-c', 'user.name=Ada', '-c', 'user.email=a@example.com'];
    await exec('git', [...identity, 'commit', '--quiet', '--allow-empty', '-m', 'x'], { cwd: join(folder, 'part') });
    await git('-c', 'advice.addEmbeddedRepo=false', 'add', 'part');
    await expect(archiveOf(folder)).rejects.toMatchObject({ code: 'submodule' });
  });
});

it('a folder without git is sent as git would add it, without ignored files and secrets', async () => {
  await write({
    '.gitignore': '*.csv\n/build\n',
    'app.py': 'x',
    'data.csv': 'large',
    'build/out.py': 'x',
    'pages/.gitignore': 'draft.py\n',
    'pages/draft.py': 'x',
    '.env': 'A=1',
  });
  const { what, content, heldBack } = await archiveOf(folder);
  expect([what, heldBack]).toEqual(['3 files', ['.env']]);
  expect(Object.keys(await unpacked(content)).sort()).toEqual(['.gitignore', 'app.py', 'pages/.gitignore']);
});
