import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, run } from '../helpers/project.js';
import { socketOf } from '../helpers/sockets.js';
import { pushLive, refOf, serves, startPush } from '../helpers/pushing.js';

// One host and one app live through all of it, in the order of the tests.

const app = (text: string): string => `import os
import streamlit as st

print("the password is " + os.environ["PASSWORD"], flush=True)
st.write("text:${text}-" + os.environ["REGION"])
`;
const FEATURE = 'shop--feature-x';

let host: TestHost;
let project: Project;
let clones: string;

beforeAll(async () => {
  host = await startHost();
  clones = await scratch('clones-');
  project = await Project.create({ 'app.py': app('main'), 'requirements.txt': 'streamlit\n' });
  await send('POST', '/apps', { name: 'Shop' }, 201);
  await send('PATCH', '/apps/shop/config', { vars: { REGION: 'eu', PASSWORD: 'correct-horse' } });
  await pushLive(project, host, 'shop');
});

async function send(method: string, path: string, body: object, status = 200): Promise<Record<string, unknown>> {
  const answer = await host.send(method, path, body);
  const said = (await answer.json()) as Record<string, unknown>;
  expect(answer.status, JSON.stringify(said)).toBe(status);
  return said;
}

async function apps(): Promise<string[]> {
  return ((await (await host.api('/apps')).json()) as { apps: { id: string }[] }).apps.map(({ id }) => id);
}

/** Commits on a branch, which begins at main where it is new. */
async function commit(branch: string, files: Record<string, string>): Promise<string> {
  const known = (await project.git('checkout', '--quiet', branch)).code === 0;
  if (!known) await project.git('checkout', '--quiet', '-b', branch, 'main');
  return project.commit(files, `Change ${branch}`);
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

test('a branch is only stored while previews are off, and the pusher is told how to turn them on', async () => {
  await commit('feature/x', { 'app.py': app('early') });
  const push = await project.git('push', host.remote('shop'), 'feature/x');
  expect(push.code).toBe(0);
  expect(push.output).toContain(
    'Stored branch feature/x. It is not deployed: this app deploys main. To give each branch its own URL',
  );
  expect(await apps()).toEqual(['shop']);
  expect(await host.app('shop')).toMatchObject({ previews_on: false, previews: [], preview: null });
});

test("a branch that conflicts with another one in git is refused before a deploy, with the other one's name", async () => {
  await send('PATCH', '/apps/shop', { previews_on: true });
  for (const branch of ['feature', 'feature/x/y']) {
    const push = await project.git('push', host.remote('shop'), `main:refs/heads/${branch}`);
    expect(push.output).toContain(
      `(the branch ${branch} conflicts with the branch feature/x. Delete that one first, or rename yours)`,
    );
    expect(push.code).toBe(1);
  }
  expect(await apps()).toEqual(['shop']);
  await send('PATCH', '/apps/shop', { previews_on: false });
});

test("with previews on, a branch is served at its own URL with its app's config, and nothing else changes", async () => {
  const before = await serves(host, 'shop');
  expect(await send('PATCH', '/apps/shop', { previews_on: true })).toMatchObject({ id: 'shop', deploy: null });
  const head = await commit('feature/x', { 'app.py': app('feature') });
  const push = await project.git('push', host.remote('shop'), 'feature/x');
  expect(push).toMatchObject({ code: 0 });
  expect(push.output).toContain('Dependencies unchanged: reusing environment');
  expect(push.output).toContain(`${FEATURE} is live: ${host.url}/apps/${FEATURE}/`);
  expect(push.output).toContain('Config: from shop');

  const preview = await serves(host, FEATURE);
  expect(preview).toMatchObject({ release: 1, state: 'running', text: 'text:feature-eu' });
  expect(preview.pid).not.toBe(before.pid);
  expect(await serves(host, 'shop')).toEqual(before);
  expect(await refOf(host, 'shop', 'refs/heads/feature/x')).toBe(head);
  expect(await host.app(FEATURE)).toMatchObject({
    preview: { of: 'shop', branch: 'feature/x' },
    deploy_branch: 'feature/x',
    previews: [],
    previews_on: false,
  });
  expect(await host.app('shop')).toMatchObject({
    previews_on: true,
    previews: [{ id: FEATURE, branch: 'feature/x', state: 'running', release: 1 }],
  });

  const gallery = await (await fetch(host.url)).text();
  expect(gallery).toContain('/apps/shop/');
  expect(gallery).not.toContain(FEATURE);
  // It can be cloned by itself, though its objects are those of its app.
  const clone = await run('git', ['clone', '--quiet', host.remote(FEATURE), 'clone'], clones);
  expect(clone).toMatchObject({ code: 0 });
  expect((await run('git', ['rev-parse', 'HEAD', 'origin/feature/x'], join(clones, 'clone'))).output).toBe(
    `${head}\n${head}\n`,
  );
});

test("a preview's own config overrides its app's, and both are masked", async () => {
  const before = await serves(host, 'shop');
  const changed = await send('PATCH', `/apps/${FEATURE}/config`, { vars: { REGION: 'test' } });
  expect(changed).toMatchObject({ vars: [{ name: 'REGION' }], deploy: { release: 2 } });
  await until('it is live', async () => (await host.app(FEATURE)).release === 2);
  expect(await serves(host, FEATURE)).toMatchObject({ text: 'text:feature-test' });
  expect(await serves(host, 'shop')).toEqual(before);
  // The password is its app's, and hidden here as well.
  const log = await until('it printed', async () => {
    const text = await (await host.api(`/apps/${FEATURE}/logs?tail=1000&download=1`)).text();
    return text.includes('the password is') && text;
  });
  expect(log).toContain('the password is ••••');
  expect(log).not.toContain('correct-horse');
});

test('a broken push to the branch is rejected with its traceback, and the preview keeps serving', async () => {
  const before = await serves(host, FEATURE);
  const stays = await refOf(host, 'shop', 'refs/heads/feature/x');
  await commit('feature/x', { 'app.py': 'raise RuntimeError("not today")\n' });
  const push = await project.git('push', host.remote('shop'), 'feature/x');
  expect(push.code).toBe(1);
  expect(push.output).toContain('RuntimeError: not today');
  expect(push.output).toContain('[remote rejected] feature/x -> feature/x (the script raised an exception');
  expect(await serves(host, FEATURE)).toEqual(before);
  expect(await refOf(host, 'shop', 'refs/heads/feature/x')).toBe(stays);
  // What cannot become a release at all is refused before anything is stored, also on a branch.
  await commit('no-app', { 'streamlit-host.toml': 'main = "missing.py"\n' });
  const early = await project.git('push', host.remote('shop'), 'no-app');
  expect(early.code).toBe(1);
  expect(early.output).toContain('missing.py');
  expect(await apps()).toEqual(['shop', FEATURE]);
});

test('one push updates main and a branch, and a second branch with the same slug gets its own URL', async () => {
  await commit('feature-x', { 'app.py': app('other') });
  await commit('main', { 'app.py': app('main2') });
  const before = await serves(host, FEATURE);
  const push = await project.git('push', host.remote('shop'), 'main', 'feature-x');
  expect(push).toMatchObject({ code: 0 });
  expect(await serves(host, 'shop')).toMatchObject({ release: 2, text: 'text:main2-eu' });
  const other = (await apps()).find((id) => /^shop--feature-x-[0-9a-f]{6}$/.test(id)) ?? '';
  expect(push.output).toContain(`${other} is live`);
  expect(await serves(host, other)).toMatchObject({ text: 'text:other-eu' });
  expect(await serves(host, FEATURE)).toEqual(before);
});

test('a branch pushed with nowait moves once its preview is live', async () => {
  const head = await commit('later', { 'app.py': app('later') });
  const push = await startPush(project, host, 'shop', '-o', 'nowait', 'later').done;
  expect(push).toMatchObject({ code: 0 });
  expect(push.output).toContain('Release 1 of shop--later is queued');
  await until('the branch has moved', async () => (await refOf(host, 'shop', 'refs/heads/later')) === head);
  expect(await serves(host, 'shop--later')).toMatchObject({ release: 1, text: 'text:later-eu' });
});

test('an edit of a preview is a commit on its branch in the app', async () => {
  const main = await refOf(host, 'shop');
  const answer = await host.api('/apps/shop--later/files/app.py', {
    method: 'PUT',
    body: app('edited'),
    headers: { 'content-type': 'text/plain' },
  });
  expect(answer.status).toBe(200);
  await until('it is live', async () => (await host.app('shop--later')).release === 2);
  expect(await serves(host, 'shop--later')).toMatchObject({ text: 'text:edited-eu' });
  await until(
    'the branch has moved',
    async () =>
      (await project.git('fetch', host.remote('shop'), 'later')).code === 0 &&
      (await project.git('show', 'FETCH_HEAD:app.py')).output.includes('text:edited'),
  );
  expect(await refOf(host, 'shop')).toBe(main);
});

test('pushes to a preview itself are rejected, and no app can look like one', async () => {
  const before = await serves(host, FEATURE);
  const direct = await project.git('push', host.remote(FEATURE), 'main:feature/x');
  expect(direct.code).not.toBe(0);
  expect(direct.output).toContain(`${FEATURE} is a preview. Push feature/x to shop instead.`);
  const made = await project.git('push', host.remote('new--thing'), 'main');
  expect(made.code).not.toBe(0);
  expect(made.output).toContain('only previews have "--" in their ids');
  expect(await send('POST', '/apps', { name: 'Thing', id: 'new--thing' }, 422)).toMatchObject({
    code: 'app-id-reserved',
  });
  expect(await send('PATCH', `/apps/${FEATURE}`, { previews_on: true }, 409)).toMatchObject({
    code: 'preview-of-preview',
  });
  expect(await serves(host, FEATURE)).toEqual(before);
  expect(await apps()).not.toContain('new--thing');
});

test('a preview is deleted with its branch: process, socket and files', async () => {
  const before = await serves(host, 'shop');
  const { pid } = (await host.app('shop--later')) as { pid: number };
  const socket = await socketOf(host, 'shop--later');
  expect(await isListening(socket)).toBe(true);
  const push = await project.git('push', host.remote('shop'), '--delete', 'later');
  expect(push).toMatchObject({ code: 0 });
  expect(push.output).toContain('Deleted branch later and its preview shop--later.');
  expect(await apps()).not.toContain('shop--later');
  expect((await fetch(`${host.url}/apps/shop--later/`)).status).toBe(404);
  expect(await isListening(socket)).toBe(false);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(existsSync(join(host.data, 'apps', 'shop--later'))).toBe(false);
  expect(await refOf(host, 'shop', 'refs/heads/later')).toBeUndefined();
  expect(await serves(host, 'shop')).toEqual(before);
});

test('existing previews are kept when previews are turned off, when their app stops, and when the server is killed', async () => {
  await send('PATCH', '/apps/shop', { previews_on: false, name: 'Shop 2' });
  await send('POST', '/apps/shop/stop', {});
  const before = await serves(host, FEATURE);
  await host.signal('SIGKILL');
  host = await startHost({ data: host.data });
  expect(await serves(host, FEATURE)).toEqual(before);
  expect(await host.app('shop')).toMatchObject({ state: 'stopped', previews_on: false });
  // It goes on following its branch.
  await commit('feature/x', { 'app.py': app('again') });
  const push = await project.git('push', host.remote('shop'), 'feature/x');
  expect(push).toMatchObject({ code: 0 });
  expect(await serves(host, FEATURE)).toMatchObject({ text: 'text:again-test' });
});

test('an unused preview is deleted, its branch is kept, and the next push creates it again', async () => {
  const main = await refOf(host, 'shop');
  const branch = await refOf(host, 'shop', 'refs/heads/feature/x');
  await host.stop({ keepData: true, keepApps: true });
  // Five seconds.
  host = await startHost({ data: host.data, env: { STREAMLIT_HOST_PREVIEW_DAYS: String(5 / 86_400) } });
  await until('they are gone', async () => (await apps()).length === 1);
  expect(await refOf(host, 'shop', 'refs/heads/feature/x')).toBe(branch);
  expect(await refOf(host, 'shop')).toBe(main);

  await host.stop({ keepData: true, keepApps: true });
  host = await startHost({ data: host.data });
  await send('PATCH', '/apps/shop', { previews_on: true });
  await commit('feature/x', { 'app.py': app('back') });
  const push = await project.git('push', host.remote('shop'), 'feature/x');
  expect(push.output).toContain(`${FEATURE} is live`);
  // With its first release, and without the config that went with the one before.
  expect(await serves(host, FEATURE)).toMatchObject({ release: 1, text: 'text:back-eu' });
});

test('previews are deleted with their app', async () => {
  expect((await host.api('/apps/shop?confirm=shop', { method: 'DELETE' })).status).toBe(204);
  expect(await apps()).toEqual([]);
  expect(existsSync(join(host.data, 'apps', FEATURE))).toBe(false);
});
