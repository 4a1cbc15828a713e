import { execFile } from 'node:child_process';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { ROOT, startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { BASIC, refOf, visit } from '../helpers/pushing.js';

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

  it('is told by Git LFS what to do, in the form that it shows', async () => {
    const answer = await fetch(`${host.url}/git/kept.git/info/lfs/objects/batch`, {
      method: 'POST',
      headers: { authorization: BASIC, 'content-type': 'application/vnd.git-lfs+json' },
      body: JSON.stringify({ operation: 'upload', objects: [{ oid: '0'.repeat(64), size: 1 }] }),
    });
    expect(answer.status).toBe(501);
    expect(answer.headers.get('content-type')).toBe('application/vnd.git-lfs+json');
    expect(await answer.json()).toMatchObject({
      message: expect.stringContaining('git lfs migrate export') as unknown,
    });
  });
});
