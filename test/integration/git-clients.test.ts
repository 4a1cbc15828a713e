import { execFile } from 'node:child_process';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { ROOT, startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { BASIC, pushLive, refOf, visit } from '../helpers/pushing.js';

// Git clients that are not git, as programs and editors use them, and what git itself does less often.

const exec = promisify(execFile);
const CLIENTS = join(ROOT, 'test/fixtures/clients');
const LIBRARIES = ['isomorphic-git@1.44.17', 'dulwich==1.2.21', 'pygit2==1.21.0'] as const;

let host: TestHost;
/** Where the libraries are installed. */
let place: string;

beforeAll(async () => {
  place = await scratch('clients-');
  const { uv = 'uv', cacheDir } = inject('tools');
  const env = { ...process.env, UV_CACHE_DIR: cacheDir };
  const [node, ...python] = LIBRARIES;
  [host] = await Promise.all([
    startHost(),
    exec('npm', ['install', '--prefix', place, '--ignore-scripts', '--no-audit', '--no-fund', node]),
    exec(uv, ['venv', '--quiet', join(place, 'venv')], { env }).then(() =>
      exec(uv, ['pip', 'install', '--quiet', '--python', join(place, 'venv/bin/python'), ...python], { env }),
    ),
    copyFile(join(CLIENTS, 'isomorphic.mjs'), join(place, 'isomorphic.mjs')),
  ]);
});

/** Has a client push or clone. */
async function act(client: string, action: 'push' | 'clone', folder: string, id: string): Promise<Said> {
  const argv = [action, folder, `${host.url}/git/${id}.git`, TOKEN];
  const { stdout } =
    client === 'isomorphic-git'
      ? await exec(process.execPath, [join(place, 'isomorphic.mjs'), ...argv])
      : await exec(join(place, 'venv/bin/python'), [join(CLIENTS, 'python_clients.py'), client, ...argv]);
  return JSON.parse(stdout) as Said;
}

interface Said {
  /** What the client passed on of the server's lines. */
  said: string;
  /** Its error; empty if it had none. */
  failure: string;
}

describe.each(['isomorphic-git', 'dulwich', 'pygit2'])('%s', (client) => {
  it('pushes an app live, clones it, and is told why a push is rejected', async () => {
    const project = await Project.create(textApp(`text:${client}`));
    const { said, failure } = await act(client, 'push', project.folder, client);
    expect(failure, said).toBe('');
    expect(said).toContain(`${client} is live: ${host.url}/apps/${client}/`);
    expect(await visit(host, client)).toContain(`text:${client}`);

    const folder = await scratch('clone-');
    expect(await act(client, 'clone', join(folder, 'copy'), client)).toMatchObject({ failure: '' });
    expect(await readFile(join(folder, 'copy/app.py'), 'utf8')).toContain(`text:${client}`);

    const before = await refOf(host, client);
    await project.git('rm', '--quiet', 'app.py');
    await project.commit({}, 'Without an app');
    const refused = await act(client, 'push', project.folder, client);
    expect(refused.failure).not.toBe('');
    expect(refused.said).toContain(`${client} was not deployed: no app.py or streamlit_app.py`);
    expect(await refOf(host, client)).toBe(before);
  });
});

describe('git', () => {
  let project: Project;

  beforeAll(async () => {
    await host.send('POST', '/apps', { name: 'Kept', id: 'kept' });
    project = await Project.create(textApp('text:kept'));
    expect(await project.git('push', host.remote('kept'), 'main:refs/tags/v1')).toMatchObject({ code: 0 });
  });

  it('pushes a history whose authors and dates another tool has written', async () => {
    const tree = (await project.git('rev-parse', 'main^{tree}')).output.trim();
    for (const author of ['A 1 +0000', 'A <a@b> 1 +51800', 'A <a@b> 99999999999999999999 +0000', '<a@b> 1 +0000']) {
      await project.write({ '.git/commit-text': `tree ${tree}\nauthor ${author}\ncommitter A <a@b> 1 +0000\n\nx\n` });
      const made = await project.git('hash-object', '-t', 'commit', '-w', '--literally', '.git/commit-text');
      const { code, output } = await project.git(
        'push',
        host.remote('kept'),
        `${made.output.trim()}:refs/tags/odd`,
        '-f',
      );
      expect(code, output).toBe(0);
    }
  });

  it.each([0, 1, 2])('clones without old files, and fetches what it needs, by protocol %i', async (version) => {
    const folder = join(await scratch('partial-'), 'copy');
    const argv = ['-c', `protocol.version=${version}`, 'clone', '--filter=blob:none', '--branch', 'v1'];
    const { code, output } = await run('git', [...argv, host.remote('kept'), folder], project.folder);
    expect(code, output).toBe(0);
    expect(await readFile(join(folder, 'app.py'), 'utf8')).toContain('text:kept');
  });

  it('is told that a branch needs a name in UTF-8', async () => {
    const main = (await project.git('rev-parse', 'main')).output.trim();
    // As a machine with a Latin-1 locale would; no argument of Node's can hold such a byte.
    await exec('sh', ['-c', `printf '%s refs/heads/caf\\351\\n' ${main} >> .git/packed-refs`], { cwd: project.folder });
    const { code, output } = await project.git('push', host.remote('kept'), 'refs/heads/caf*:refs/heads/caf*');
    expect(code).toBe(1);
    expect(output).toContain('The name refs/heads/caf\uFFFD is not valid UTF-8. Rename it and push again.');
  });
});

describe('a pusher whom git itself refuses', () => {
  it('is told which object is unsafe, and nothing of it is kept', async () => {
    const project = await Project.create(textApp('text:unsafe'));
    const commit = await unsafeCommit(project);
    const { code, output } = await project.git('push', host.remote('unsafe'), `${commit}:refs/heads/main`);
    expect(code).toBe(1);
    expect(output).toMatch(
      /remote: Nothing was pushed: git does not accept object [0-9a-f]{12} \(hasDotgit\), which is/,
    );
    expect(output).toContain('[remote rejected]');
    const [, object = ''] = /git rev-list --all --objects \| grep ([0-9a-f]{40})\s/.exec(output) ?? [];
    await project.git('branch', 'unsafe', commit);
    expect((await project.git('rev-list', '--all', '--objects')).output.split('\n')).toContain(`${object} `);
    expect((await host.api('/apps/unsafe')).status).toBe(404);
    expect((await project.git('push', host.remote('unsafe'), 'main')).code).toBe(0);
  });

  it('is told that refs are not pushed atomically, and nothing is changed', async () => {
    const project = await Project.create(textApp('text:atomic'));
    await pushLive(project, host, 'atomic');
    const before = await refOf(host, 'atomic');
    await project.commit(textApp('text:later'), 'Later');
    const { code, output } = await project.git('push', '--atomic', host.remote('atomic'), 'main', 'HEAD:refs/notes/x');
    expect(code).not.toBe(0);
    expect(output).toContain('the receiving end does not support --atomic push');
    expect(await refOf(host, 'atomic')).toBe(before);
    expect(await visit(host, 'atomic')).toContain('text:atomic');
  });

  it.each(['new', 'old'])(
    'is told that a repository in SHA-256 format fits no %s app, and leaves nothing',
    async (kind) => {
      const id = `sha-${kind}`;
      if (kind === 'old') await pushLive(await Project.create(textApp('text:sha')), host, id);
      const folder = await scratch('sha256-');
      const git = async (...argv: string[]): ReturnType<typeof run> => run('git', ['-C', folder, ...argv], folder);
      await git('init', '--quiet', '--object-format=sha256', '--initial-branch=main');
      await git('-c', 'user.name=A', '-c', 'user.email=a@b', 'commit', '--quiet', '--allow-empty', '-m', 'One');
      const { code, output } = await git('push', host.remote(id), 'main');
      expect(code).not.toBe(0);
      // In the words of git, which has none where there is no branch yet.
      const words = "the receiving end does not support this repository's hash algorithm";
      expect(output).toContain(kind === 'old' ? words : 'unexpected capabilities^{}');
      expect((await host.api(`/apps/${id}`)).status).toBe(kind === 'old' ? 200 : 404);
    },
  );
});

/** A commit with a folder that no checkout may contain, which git's own commands refuse to make. @returns its id */
async function unsafeCommit(project: Project): Promise<string> {
  const file = (await project.git('rev-parse', 'main:app.py')).output.trim();
  const bytes = Buffer.concat([Buffer.from('100644 .git\0'), Buffer.from(file, 'hex')]);
  await writeFile(join(project.folder, '.git/tree'), bytes);
  const tree = await project.git('hash-object', '-t', 'tree', '-w', '--literally', '.git/tree');
  return (await project.git('commit-tree', tree.output.trim(), '-m', 'Unsafe')).output.trim();
}

describe('Git LFS', () => {
  const app = 'import streamlit as st\nst.text(open("data.bin").read())\n';
  const headers = { authorization: BASIC, 'content-type': 'application/vnd.git-lfs+json' };

  async function lfsProject(): Promise<Project> {
    const large = await Project.create({ 'app.py': app, 'requirements.txt': 'streamlit\n' });
    await large.git('lfs', 'install', '--local');
    await large.git('lfs', 'track', '*.bin');
    await large.commit({ 'data.bin': 'text:first' }, 'Store data apart');
    return large;
  }

  it('stores files for an app that its first push creates, and gives them back to a clone', async () => {
    const large = await lfsProject();
    expect((await large.git('cat-file', '-p', 'HEAD:data.bin')).output).toContain('oid sha256:');
    const { code, output } = await large.git('push', host.remote('large'), 'main');
    expect(code, output).toBe(0);
    expect(output).toContain('large is live');
    expect(await visit(host, 'large')).toContain('text:first');

    const copy = join(await scratch('clone-'), 'copy');
    const cloned = await run('git', ['clone', '--quiet', host.remote('large'), copy], large.folder);
    expect(cloned.code, cloned.output).toBe(0);
    await run('git', ['-C', copy, 'lfs', 'install', '--local'], large.folder);
    const pulled = await run('git', ['-C', copy, 'lfs', 'pull'], large.folder);
    expect(pulled.code, pulled.output).toBe(0);
    expect(await readFile(join(copy, 'data.bin'), 'utf8')).toBe('text:first');
  });

  it('is not needed for a rollback or a restart, and a push without its files is refused', async () => {
    const large = await lfsProject();
    await pushLive(large, host, 'rolled');
    await large.commit({ 'data.bin': 'text:second' }, 'Change data');
    // git-lfs sends them in a hook of git's.
    const refused = await large.git('push', '--no-verify', host.remote('rolled'), 'main');
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('data.bin is stored in Git LFS, and its content was not pushed');
    expect(await visit(host, 'rolled')).toContain('text:first');

    const whole = await large.git('push', host.remote('rolled'), 'main');
    expect(whole.code, whole.output).toBe(0);
    expect(await visit(host, 'rolled')).toContain('text:second');
    expect((await host.send('POST', '/apps/rolled/rollback', { release: 1 })).status).toBe(202);
    await until('the first release is back', async () => (await visit(host, 'rolled')).includes('text:first'));
  });

  it('gives the files of an app to a clone of its preview', async () => {
    const large = await lfsProject();
    await pushLive(large, host, 'viewed');
    expect((await host.send('PATCH', '/apps/viewed', { previews_on: true })).status).toBe(200);
    const pushed = await large.git('push', host.remote('viewed'), 'main:feature');
    expect(pushed.code, pushed.output).toBe(0);
    const copy = join(await scratch('clone-'), 'copy');
    const cloned = await run('git', ['clone', '--quiet', host.remote('viewed--feature'), copy], large.folder);
    expect(cloned.code, cloned.output).toBe(0);
    await run('git', ['-C', copy, 'lfs', 'install', '--local'], large.folder);
    const pulled = await run('git', ['-C', copy, 'lfs', 'pull'], large.folder);
    expect(pulled.code, pulled.output).toBe(0);
    expect(await readFile(join(copy, 'data.bin'), 'utf8')).toBe('text:first');
  });

  it('leaves nothing of an app whose first push is rejected', async () => {
    const project = await Project.create({ 'notes.txt': 'no app' });
    await project.git('lfs', 'install', '--local');
    await project.git('lfs', 'track', '*.bin');
    await project.commit({ 'data.bin': 'text:refused' }, 'Store data apart');
    const refused = await project.git('push', host.remote('refused'), 'main');
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('no app.py or streamlit_app.py');
    expect((await host.api('/apps/refused')).status).toBe(404);
    expect(await readdir(join(host.data, 'apps'))).not.toContain('refused');
  });

  it('is told what is wrong with a request, and nothing of it is stored', async () => {
    await pushLive(await lfsProject(), host, 'asked');
    const store = `${host.url}/git/asked.git/info/lfs/objects`;
    const oid = 'a'.repeat(64);
    const put = await fetch(`${store}/${oid}`, { method: 'PUT', headers, body: 'something else' });
    expect(put.status).toBe(422);
    expect(put.headers.get('content-type')).toBe('application/vnd.git-lfs+json');
    expect(await put.json()).toMatchObject({
      message: expect.stringContaining('not what its pointer says') as unknown,
    });
    expect((await fetch(`${store}/${oid}`, { headers })).status).toBe(404);
    const ask = async (body: string): Promise<Response> => fetch(`${store}/batch`, { method: 'POST', headers, body });
    expect((await ask('not JSON')).status).toBe(422);
    expect((await ask(JSON.stringify({ operation: 'upload', objects: [{ oid: '../x', size: 1 }] }))).status).toBe(422);
    const huge = await ask(JSON.stringify({ operation: 'upload', objects: [{ oid, size: 2 * 1024 ** 3 }] }));
    expect(await huge.json()).toMatchObject({ objects: [{ error: { code: 422 } }] });
    expect((await fetch(`${store}/${oid}`, { method: 'PUT', body: 'x' })).status).toBe(401);
    expect((await readdir(join(host.data, 'apps/asked/lfs'))).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
