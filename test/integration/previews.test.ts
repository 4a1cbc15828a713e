import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, run, type Outcome } from '../helpers/project.js';
import { socketOf } from '../helpers/sockets.js';
import { pushLive, refOf, serves, startPush } from '../helpers/pushing.js';

const script = (text: string): string => `import os
import streamlit as st

print("the password is " + os.environ["PASSWORD"], flush=True)
st.write("text:${text}-" + os.environ["REGION"])
`;

let host: TestHost;

beforeAll(async () => void (host = await startHost()));

/** An app that is live, whose branches can have previews. */
class Shop {
  /** The host that serves it now: a test may start another one in the place of this one. */
  host: TestHost;
  readonly id: string;
  readonly project: Project;

  private constructor(on: TestHost, id: string, project: Project) {
    this.host = on;
    this.id = id;
    this.project = project;
  }

  /** Creates the app, with config, and pushes it. */
  static async live(id: string, on = host): Promise<Shop> {
    const project = await Project.create({ 'app.py': script('main'), 'requirements.txt': 'streamlit\n' });
    const shop = new Shop(on, id, project);
    await shop.send('POST', '/apps', { name: id }, 201);
    await shop.send('PATCH', `/apps/${id}/config`, { vars: { REGION: 'eu', PASSWORD: 'correct-horse' } });
    await pushLive(project, on, id);
    return shop;
  }

  /** Creates the app, and a preview of its branch `feature/x`. */
  static async withPreview(id: string, on = host): Promise<Shop> {
    const shop = await Shop.live(id, on);
    await shop.turn(true);
    await shop.commit('feature/x', { 'app.py': script('feature') });
    expect(await shop.push('feature/x')).toMatchObject({ code: 0 });
    expect(await shop.ids()).toEqual([id, shop.feature]);
    return shop;
  }

  /** The id of the preview of `feature/x`. */
  get feature(): string {
    return `${this.id}--feature-x`;
  }

  async send(method: string, path: string, body: object, status = 200): Promise<Record<string, unknown>> {
    const answer = await this.host.send(method, path, body);
    const said = (await answer.json()) as Record<string, unknown>;
    expect(answer.status, JSON.stringify(said)).toBe(status);
    return said;
  }

  turn(on: boolean): Promise<Record<string, unknown>> {
    return this.send('PATCH', `/apps/${this.id}`, { previews_on: on });
  }

  /** The ids of the app and its previews. */
  async ids(): Promise<string[]> {
    const { apps } = (await (await this.host.api('/apps')).json()) as { apps: { id: string }[] };
    return apps.map(({ id }) => id).filter((id) => id === this.id || id.startsWith(`${this.id}--`));
  }

  /** Commits on a branch, which begins at main where it is new. */
  async commit(branch: string, files: Record<string, string>): Promise<string> {
    const known = (await this.project.git('checkout', '--quiet', branch)).code === 0;
    if (!known) await this.project.git('checkout', '--quiet', '-b', branch, 'main');
    return this.project.commit(files, `Change ${branch}`);
  }

  push(...what: string[]): Promise<Outcome> {
    return this.project.git('push', this.host.remote(this.id), ...what);
  }
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
  const shop = await Shop.live('off');
  await shop.commit('feature/x', { 'app.py': script('early') });
  const push = await shop.push('feature/x');
  expect(push.code).toBe(0);
  expect(push.output).toContain(
    'Stored branch feature/x. It is not deployed: this app deploys main. To give each branch its own URL',
  );
  expect(await shop.ids()).toEqual(['off']);
  expect(await host.app('off')).toMatchObject({ previews_on: false, previews: [], preview: null });
});

test("a branch that conflicts with another one in git is refused before a deploy, with the other one's name", async () => {
  const shop = await Shop.live('conflict');
  expect((await shop.push('main:refs/heads/feature/x')).code).toBe(0);
  await shop.turn(true);
  for (const branch of ['feature', 'feature/x/y']) {
    const push = await shop.push(`main:refs/heads/${branch}`);
    expect(push.output).toContain(
      `(the branch ${branch} conflicts with the branch feature/x. Delete that one first, or rename yours)`,
    );
    expect(push.code).toBe(1);
  }
  expect(await shop.ids()).toEqual(['conflict']);
});

test("with previews on, a branch is served at its own URL with its app's config, and nothing else changes", async () => {
  const shop = await Shop.live('shop');
  const { feature } = shop;
  // A branch that was pushed before is only stored.
  await shop.commit('feature/x', { 'app.py': script('early') });
  expect((await shop.push('feature/x')).code).toBe(0);
  const before = await serves(host, 'shop');
  expect(await shop.turn(true)).toMatchObject({ id: 'shop', deploy: null });
  const head = await shop.commit('feature/x', { 'app.py': script('feature') });
  const push = await shop.push('feature/x');
  expect(push).toMatchObject({ code: 0 });
  expect(push.output).toContain('Dependencies already installed: reusing environment');
  expect(push.output).toContain(`${feature} is live: ${host.url}/apps/${feature}/`);
  expect(push.output).toContain('Config: from shop');

  const preview = await serves(host, feature);
  expect(preview).toMatchObject({ release: 1, state: 'running', text: 'text:feature-eu' });
  expect(preview.pid).not.toBe(before.pid);
  expect(await serves(host, 'shop')).toEqual(before);
  expect(await refOf(host, 'shop', 'refs/heads/feature/x')).toBe(head);
  expect(await host.app(feature)).toMatchObject({
    preview: { of: 'shop', branch: 'feature/x' },
    deploy_branch: 'feature/x',
    previews: [],
    previews_on: false,
  });
  expect(await host.app('shop')).toMatchObject({
    previews_on: true,
    previews: [{ id: feature, branch: 'feature/x', state: 'running', release: 1 }],
  });

  const gallery = await (await fetch(host.url)).text();
  expect(gallery).toContain('/apps/shop/');
  expect(gallery).not.toContain(feature);
  // It can be cloned by itself, though its objects are those of its app.
  const clones = await scratch('clones-');
  const clone = await run('git', ['clone', '--quiet', host.remote(feature), 'clone'], clones);
  expect(clone).toMatchObject({ code: 0 });
  expect((await run('git', ['rev-parse', 'HEAD', 'origin/feature/x'], join(clones, 'clone'))).output).toBe(
    `${head}\n${head}\n`,
  );
});

test("a preview's own config overrides its app's, and both are masked", async () => {
  const shop = await Shop.withPreview('masked');
  const { feature } = shop;
  const before = await serves(host, 'masked');
  const changed = await shop.send('PATCH', `/apps/${feature}/config`, { vars: { REGION: 'test' } });
  expect(changed).toMatchObject({ vars: [{ name: 'REGION' }], deploy: { release: 2 } });
  await until('it is live', async () => (await host.app(feature)).release === 2);
  expect(await serves(host, feature)).toMatchObject({ text: 'text:feature-test' });
  expect(await serves(host, 'masked')).toEqual(before);
  // The password is its app's, and hidden here as well.
  const log = await until('it printed', async () => {
    const text = await (await host.api(`/apps/${feature}/logs?tail=1000&download=1`)).text();
    return text.includes('the password is') && text;
  });
  expect(log).toContain('the password is ••••');
  expect(log).not.toContain('correct-horse');
});

test('a broken push to the branch is rejected with its traceback, and the preview keeps serving', async () => {
  const shop = await Shop.withPreview('broken');
  const before = await serves(host, shop.feature);
  const stays = await refOf(host, 'broken', 'refs/heads/feature/x');
  await shop.commit('feature/x', { 'app.py': 'raise RuntimeError("not today")\n' });
  const push = await shop.push('feature/x');
  expect(push.code).toBe(1);
  expect(push.output).toContain('RuntimeError: not today');
  expect(push.output).toContain('[remote rejected] feature/x -> feature/x (the script raised an exception');
  expect(await serves(host, shop.feature)).toEqual(before);
  expect(await refOf(host, 'broken', 'refs/heads/feature/x')).toBe(stays);
  // What cannot become a release at all is refused before anything is stored, also on a branch.
  await shop.commit('no-app', { 'streamlit-host.toml': 'main = "missing.py"\n' });
  const early = await shop.push('no-app');
  expect(early.code).toBe(1);
  expect(early.output).toContain('missing.py');
  expect(await shop.ids()).toEqual(['broken', shop.feature]);
});

test('one push updates main and a branch, and a second branch with the same slug gets its own URL', async () => {
  const shop = await Shop.withPreview('twice');
  await shop.commit('feature-x', { 'app.py': script('other') });
  await shop.commit('main', { 'app.py': script('main2') });
  const before = await serves(host, shop.feature);
  const push = await shop.push('main', 'feature-x');
  expect(push).toMatchObject({ code: 0 });
  expect(await serves(host, 'twice')).toMatchObject({ release: 2, text: 'text:main2-eu' });
  const other = (await shop.ids()).find((id) => /^twice--feature-x-[0-9a-f]{6}$/.test(id)) ?? '';
  expect(push.output).toContain(`${other} is live`);
  expect(await serves(host, other)).toMatchObject({ text: 'text:other-eu' });
  expect(await serves(host, shop.feature)).toEqual(before);
});

test('a branch pushed with nowait moves once its preview is live', async () => {
  const shop = await Shop.live('nowait');
  await shop.turn(true);
  const head = await shop.commit('later', { 'app.py': script('later') });
  const push = await startPush(shop.project, host, 'nowait', '-o', 'nowait', 'later').done;
  expect(push).toMatchObject({ code: 0 });
  expect(push.output).toContain('Release 1 of nowait--later is queued');
  await until('the branch has moved', async () => (await refOf(host, 'nowait', 'refs/heads/later')) === head);
  expect(await serves(host, 'nowait--later')).toMatchObject({ release: 1, text: 'text:later-eu' });
});

test('an edit of a preview is a commit on its branch in the app', async () => {
  const shop = await Shop.withPreview('edited');
  const main = await refOf(host, 'edited');
  const answer = await host.api(`/apps/${shop.feature}/files/app.py`, {
    method: 'PUT',
    body: script('edited'),
    headers: { 'content-type': 'text/plain' },
  });
  expect(answer.status).toBe(200);
  await until('it is live', async () => (await host.app(shop.feature)).release === 2);
  expect(await serves(host, shop.feature)).toMatchObject({ text: 'text:edited-eu' });
  await until(
    'the branch has moved',
    async () =>
      (await shop.project.git('fetch', host.remote('edited'), 'feature/x')).code === 0 &&
      (await shop.project.git('show', 'FETCH_HEAD:app.py')).output.includes('text:edited'),
  );
  expect(await refOf(host, 'edited')).toBe(main);
});

test('pushes to a preview itself are rejected, and no app can look like one', async () => {
  const shop = await Shop.withPreview('direct');
  const before = await serves(host, shop.feature);
  const direct = await shop.project.git('push', host.remote(shop.feature), 'main:feature/x');
  expect(direct.code).not.toBe(0);
  expect(direct.output).toContain(`${shop.feature} is a preview. Push feature/x to direct instead.`);
  const made = await shop.project.git('push', host.remote('new--thing'), 'main');
  expect(made.code).not.toBe(0);
  expect(made.output).toContain('only previews have "--" in their ids');
  expect(await shop.send('POST', '/apps', { name: 'Thing', id: 'new--thing' }, 422)).toMatchObject({
    code: 'app-id-reserved',
  });
  expect(await shop.send('PATCH', `/apps/${shop.feature}`, { previews_on: true }, 409)).toMatchObject({
    code: 'preview-of-preview',
  });
  expect(await serves(host, shop.feature)).toEqual(before);
  expect((await host.api('/apps/new--thing')).status).toBe(404);
});

test('a preview is deleted with its branch: process, socket and files', async () => {
  const shop = await Shop.withPreview('deleted');
  const { feature } = shop;
  const before = await serves(host, 'deleted');
  const { pid } = (await host.app(feature)) as { pid: number };
  const socket = await socketOf(host, feature);
  expect(await isListening(socket)).toBe(true);
  const push = await shop.push('--delete', 'feature/x');
  expect(push).toMatchObject({ code: 0 });
  expect(push.output).toContain(`Deleted branch feature/x and its preview ${feature}.`);
  expect(await shop.ids()).not.toContain(feature);
  expect((await fetch(`${host.url}/apps/${feature}/`)).status).toBe(404);
  expect(await isListening(socket)).toBe(false);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(existsSync(join(host.data, 'apps', feature))).toBe(false);
  expect(await refOf(host, 'deleted', 'refs/heads/feature/x')).toBeUndefined();
  expect(await serves(host, 'deleted')).toEqual(before);
});

test('existing previews are kept when previews are turned off, when their app stops, and when the server is killed', async () => {
  const shop = await Shop.withPreview('kept', await startHost());
  await shop.send('PATCH', '/apps/kept', { previews_on: false, name: 'Shop 2' });
  await shop.send('POST', '/apps/kept/stop', {});
  const before = await serves(shop.host, shop.feature);
  await shop.host.signal('SIGKILL');
  shop.host = await startHost({ data: shop.host.data });
  expect(await serves(shop.host, shop.feature)).toEqual(before);
  expect(await shop.host.app('kept')).toMatchObject({ state: 'stopped', previews_on: false });
  // It goes on following its branch.
  await shop.commit('feature/x', { 'app.py': script('again') });
  expect(await shop.push('feature/x')).toMatchObject({ code: 0 });
  expect(await serves(shop.host, shop.feature)).toMatchObject({ text: 'text:again-eu' });
});

test('an unused preview is deleted, its branch is kept, and the next push creates it again', async () => {
  const shop = await Shop.withPreview('unused', await startHost());
  const { data } = shop.host;
  await shop.send('PATCH', `/apps/${shop.feature}/config`, { vars: { REGION: 'test' } });
  await until('it is live', async () => (await shop.host.app(shop.feature)).release === 2);
  const main = await refOf(shop.host, 'unused');
  const branch = await refOf(shop.host, 'unused', 'refs/heads/feature/x');
  await shop.host.stop({ keepData: true, keepApps: true });
  // Five seconds.
  shop.host = await startHost({ data, env: { STREAMLIT_HOST_PREVIEW_DAYS: String(5 / 86_400) } });
  await until('it is gone', async () => (await shop.ids()).length === 1);
  expect(await refOf(shop.host, 'unused', 'refs/heads/feature/x')).toBe(branch);
  expect(await refOf(shop.host, 'unused')).toBe(main);

  await shop.host.stop({ keepData: true, keepApps: true });
  shop.host = await startHost({ data });
  await shop.commit('feature/x', { 'app.py': script('back') });
  expect((await shop.push('feature/x')).output).toContain(`${shop.feature} is live`);
  // With its first release, and without the config that went with the one before.
  expect(await serves(shop.host, shop.feature)).toMatchObject({ release: 1, text: 'text:back-eu' });
});

test('previews are deleted with their app', async () => {
  const shop = await Shop.withPreview('gone');
  expect((await host.api('/apps/gone?confirm=gone', { method: 'DELETE' })).status).toBe(204);
  expect(await shop.ids()).toEqual([]);
  expect(existsSync(join(host.data, 'apps', shop.feature))).toBe(false);
});
