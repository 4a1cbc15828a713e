import { chmod, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { fixture, pushLive, refOf, serves, Signals, startPush, visit } from '../helpers/pushing.js';

let host: TestHost;
let clones: string;

beforeAll(async () => {
  host = await startHost();
  clones = await scratch('clones-');
});

/** Makes or changes an app by a form. */
async function upload(
  method: 'POST' | 'PATCH',
  path: string,
  files: Record<string, string>,
  fields: Record<string, string> = {},
): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [name, content] of Object.entries(files))
    form.append(name, new Blob([content]), name === 'app' ? 'app.py' : 'requirements.txt');
  return host.api(path, { method, body: form });
}

function put(id: string, path: string, content: string): Promise<Response> {
  return host.api(`/apps/${id}/files/${path}`, {
    method: 'PUT',
    body: content,
    headers: { 'content-type': 'text/plain' },
  });
}

async function isLive(id: string, release: number): Promise<void> {
  await until(`release ${release} of ${id} is live`, async () => {
    const app = await host.app(id);
    if (app.release !== release || app.state !== 'running') return false;
    // The branch follows the swap by a moment.
    const last = app.last_deploy as { release: number; commit: string };
    return last.release !== release || (await refOf(host, id)) === last.commit;
  });
}

async function clone(id: string): Promise<Project> {
  const made = await run('git', ['clone', '--quiet', host.remote(id), id], clones);
  expect(made).toEqual({ code: 0, output: '' });
  return new Project(join(clones, id));
}

/** Creates an app by an upload, and waits until it is live. @returns its script */
async function uploaded(id: string): Promise<string> {
  const { 'app.py': app = '', 'requirements.txt': requirements = '' } = textApp('text:uploaded');
  const made = await upload('POST', '/apps', { app, requirements }, { name: id });
  expect(made.status).toBe(201);
  await isLive(id, 1);
  return app;
}

describe('an app created by an upload', () => {
  it('is a commit that git clone gets', async () => {
    const app = await uploaded('cloned');
    expect(await visit(host, 'cloned')).toContain('text:uploaded');
    const project = await clone('cloned');
    expect((await readdir(project.folder)).sort()).toEqual(['.git', 'app.py', 'requirements.txt']);
    expect(await readFile(join(project.folder, 'app.py'), 'utf8')).toBe(app);
    expect((await project.git('log', '--format=%an %s')).output).toMatch(/^admin Upload app\.py, requirements\.txt\n$/);
  });

  it('accepts a push from its clone, and an edit afterwards is a commit on top of it, with nothing else changed', async () => {
    await uploaded('edited');
    const project = await clone('edited');
    await chmod(join(project.folder, 'app.py'), 0o755);
    const commit = await project.commit(textApp('text:pushed'), 'Pushed');
    expect(await project.git('push', 'origin', 'main')).toMatchObject({ code: 0 });
    expect(await serves(host, 'edited')).toMatchObject({ release: 2, ref: commit, text: 'text:pushed' });

    const edited = await put('edited', 'app.py', textApp('text:edited')['app.py'] ?? '');
    expect(edited.status).toBe(200);
    await isLive('edited', 3);
    expect(await project.git('pull', '--quiet')).toMatchObject({ code: 0 });
    expect((await project.git('log', '--format=%s')).output).toBe(
      'Edit app.py\nPushed\nUpload app.py, requirements.txt\n',
    );
    expect(await readFile(join(project.folder, 'app.py'), 'utf8')).toContain('text:edited');
    expect(await readFile(join(project.folder, 'requirements.txt'), 'utf8')).toBe('streamlit\n');
    // What could be run before, still can.
    expect((await project.git('ls-files', '--stage', 'app.py')).output).toMatch(/^100755 /);
  });

  it('rejects a push from a clone without the edit until it is pulled', async () => {
    await uploaded('stale');
    const stale = await clone('stale');
    await put('stale', 'note.txt', 'one');
    await isLive('stale', 2);
    const before = await serves(host, 'stale');
    await stale.commit(textApp('text:stale'), 'Stale');
    const refused = await stale.git('push', 'origin', 'main');
    expect(refused.code).toBe(1);
    expect(await serves(host, 'stale')).toEqual(before);
    expect((await stale.git('pull', '--quiet', '--rebase')).code).toBe(0);
    expect(await stale.git('push', 'origin', 'main')).toMatchObject({ code: 0 });
    expect(await readFile(join(host.data, 'apps', 'stale', 'current', 'note.txt'), 'utf8')).toBe('one');
  });

  it('can have a file replaced by a folder, and a folder by a file', async () => {
    await uploaded('folder');
    await put('folder', 'note.txt', 'one');
    await isLive('folder', 2);
    const first = await host.api('/apps/folder/files/note.txt', { method: 'DELETE' });
    expect(first.status).toBe(200);
    expect((await put('folder', 'note.txt/inner.txt', 'two')).status).toBe(201);
    await isLive('folder', 4);
    const project = await clone('folder');
    expect(await readFile(join(project.folder, 'note.txt', 'inner.txt'), 'utf8')).toBe('two');
  });
});

describe('an edit that breaks the app', () => {
  it('leaves the branch and the app unchanged, and the next edit starts from the working version', async () => {
    await uploaded('broken');
    const before = await serves(host, 'broken');
    const { deploy } = (await (await put('broken', 'app.py', 'raise RuntimeError("no")\n')).json()) as {
      deploy: { release: number };
    };
    await until('it failed', async () => {
      const one = (await (await host.api(`/apps/broken/deploys/${deploy.release}`)).json()) as { state: string };
      return one.state === 'failed';
    });
    expect(await serves(host, 'broken')).toEqual(before);
    expect((await put('broken', 'other.txt', 'fine')).ok).toBe(true);
    await isLive('broken', deploy.release + 1);
    expect(await serves(host, 'broken')).toMatchObject({ text: before.text });
  });

  it('is refused before anything is written if it cannot be an app', async () => {
    await uploaded('refused');
    const before = await serves(host, 'refused');
    const refused = await host.api('/apps/refused/files/app.py', { method: 'DELETE' });
    expect(refused.status).toBe(422);
    expect(await serves(host, 'refused')).toEqual(before);
    const none = await upload('POST', '/apps', { requirements: 'streamlit\n' }, { name: 'Never' });
    expect(none.status).toBe(422);
    expect((await host.api('/apps/never')).status).toBe(404);
  });
});

describe('an edit during another change', () => {
  it('builds on that change, so neither is lost', async () => {
    const signals = await Signals.create();
    const project = await fixture('slow-script');
    await project.commit({ 'signals.txt': signals.text, 'text.txt': 'text:first' }, 'First');
    const push = startPush(project, host, 'together');
    await signals.hasBegun();
    expect((await put('together', 'text.txt', 'text:second')).ok).toBe(true);
    await signals.go();
    expect((await push.done).output).toContain('superseded by release 2');
    await isLive('together', 2);
    expect(await visit(host, 'together')).toContain('text:second');
    const both = await clone('together');
    expect((await both.git('log', '--format=%s')).output).toBe('Edit text.txt\nFirst\nBegin\n');
    expect(await refOf(host, 'together')).toBe((await both.git('rev-parse', 'HEAD')).output.trim());
  });
});

it('a pushed file with a name that no upload may have can still be read, edited and deleted through the API', async () => {
  const names = ['U\u0308berblick.txt', 'a\\b.txt', 'two\nlines.txt', '__pycache__/kept.txt'];
  const project = await Project.create({
    ...textApp('text:names'),
    ...Object.fromEntries(names.map((name) => [name, `it is ${name}`])),
  });
  await pushLive(project, host, 'names');
  const { files } = (await (await host.api('/apps/names/files')).json()) as { files: { path: string; url: string }[] };
  for (const name of names) {
    const path = new URL(files.find((file) => file.path === name)?.url ?? '').pathname.replace(/^\/api/, '');
    const read = await host.api(path);
    expect([name, read.status, await read.text()]).toEqual([name, 200, `it is ${name}`]);
    const edited = await host.api(path, { method: 'PUT', body: 'edited', headers: { 'content-type': 'text/plain' } });
    expect([name, edited.status]).toEqual([name, 200]);
    expect(await (await host.api(path)).text()).toBe('edited');
    expect([name, (await host.api(path, { method: 'DELETE' })).status]).toEqual([name, 200]);
    expect([name, (await host.api(path)).status]).toEqual([
      name,
      name.includes('\\') || name.includes('\n') ? 422 : 404,
    ]);
  }
  await until(
    'all of it is live',
    async () =>
      ((await (await host.api('/apps/names/deploys?per_page=1')).json()) as { deploys: { state: string }[] }).deploys[0]
        ?.state === 'live',
  );
  await project.git('pull', '--quiet', host.remote('names'), 'main');
  expect((await project.git('ls-files')).output).toBe('app.py\nrequirements.txt\n');
});
