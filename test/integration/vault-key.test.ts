import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildModules } from '../../scripts/lib/setup.js';
import { newApp } from '../../src/domain/app/app.js';
import { asClause } from '../../src/lib/words.js';
import { ConfiguredApp, configProject } from '../helpers/configured.js';
import { scratch } from '../helpers/ends.js';
import { ROOT, startHost, until } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, serves, visit } from '../helpers/pushing.js';

it('the key can be rotated while everything runs', async () => {
  const host = await startHost();
  const app = await ConfiguredApp.live(host, 'rotated', await configProject());
  await (await ConfiguredApp.create(host, 'waiting')).configure();
  const before = await readFile(join(host.data, 'vault.key'), 'utf8');
  const serving = await serves(host, app.id);
  const answer = await host.api('/config/rotate-key', { method: 'POST' });
  expect(answer.status).toBe(200);
  // The config of both, and what the cookies of the one that has run are signed with.
  expect(await answer.json()).toMatchObject({ problems: [], files: 3 });
  expect(await readFile(join(host.data, 'vault.key'), 'utf8')).not.toBe(before);
  expect(await serves(host, app.id)).toEqual(serving);
  expect(await (await app.api('/config?reveal=1')).text()).toContain(app.one);
});

it('a key that does not match stops one app with a sentence while others run, and restoring the right one recovers it', async () => {
  let host = await startHost();
  const project = await configProject();
  const app = await ConfiguredApp.live(host, 'locked', project);
  await project.commit({ 'notes.txt': 'one' }, 'Notes');
  const plain = await Project.create(textApp('text:plain'));
  await pushLive(plain, host, 'plain');
  await host.stop({ keepData: true });
  const file = join(host.data, 'vault.key');
  const right = await readFile(file);
  await writeFile(
    file,
    JSON.stringify({ version: 1, current: 'other', keys: { other: Buffer.alloc(32, 7).toString('base64') } }),
  );
  app.host = host = await startHost({ data: host.data });
  await until('the other app runs', async () => (await host.app('plain')).state === 'running');
  expect(await visit(host, 'plain')).toContain('text:plain');
  const sentence =
    'The file config.enc of locked was encrypted with a key that is not in vault.key. Restore the key file that belongs to this data folder.';
  await until('the app says why', async () => (await host.app(app.id)).state === 'crashed');
  for (const path of ['/config', '/secrets', '/logs']) {
    const answer = await app.api(path);
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'vault-key-wrong', detail: sentence }]);
  }
  const refused = await app.set('PATCH', 'config', { vars: { API_KEY: 'x' } });
  expect([refused.status, refused.text]).toEqual([503, expect.stringContaining(sentence)]);
  const push = await project.git('push', host.remote(app.id), 'main');
  expect([push.code, push.output]).toEqual([1, expect.stringContaining(asClause(sentence))]);
  await plain.commit(textApp('text:again'), 'Again');
  await pushLive(plain, host, 'plain');

  await writeFile(file, right);
  await until('the app is back by itself', async () => (await host.app(app.id)).state === 'running');
  expect(await visit(host, app.id)).toContain(app.text(app.one));
});

it('a key whose rotation was interrupted by a crash is the new one after the next start', async () => {
  const built = await scratch('built-');
  await buildModules(ROOT, built, ['store/vault', 'store/paths']);
  let host = await startHost();
  const app = await ConfiguredApp.live(host, 'halved', await configProject());
  await host.stop({ keepData: true });
  const fillers = Array.from({ length: 150 }, (_, at) => `filler-${at}`);
  for (const filler of fillers) {
    await mkdir(join(host.data, 'apps', filler), { recursive: true });
    await writeFile(join(host.data, 'apps', filler, 'meta.json'), JSON.stringify(newApp(filler, filler, new Date())));
  }
  const filled = spawnVault(
    built,
    host.data,
    `await Promise.all(${JSON.stringify(fillers)}.map((app) => vault.write(app, 'config', app)));`,
  );
  expect(await once(filled, 'exit')).toEqual([0, null]);
  const before = await ringOf(host.data);
  const child = spawnVault(built, host.data, 'await vault.rotate();');
  const ended = once(child, 'exit');
  await until('some files are done, and some are not', async () => {
    if (child.exitCode !== null) throw new Error('the change of keys was over too soon');
    const keys = await keysOf(host.data, fillers);
    return keys.filter((key) => key !== before.current).length >= 5;
  });
  child.kill('SIGKILL');
  await ended;
  const half = await ringOf(host.data);
  expect(Object.keys(half.keys)).toHaveLength(2);
  expect(new Set(await keysOf(host.data, fillers)).size).toBe(2);
  expect(half.keys[before.current]).toBe(before.keys[before.current]);

  app.host = host = await startHost({ data: host.data });
  const after = await ringOf(host.data);
  expect(Object.keys(after.keys)).toEqual([half.current]);
  expect(new Set(await keysOf(host.data, fillers))).toEqual(new Set([half.current]));
  expect(await (await app.api('/config?reveal=1')).text()).toContain(app.one);
  await until('it runs', async () => (await host.app(app.id)).state === 'running');
  expect(await visit(host, app.id)).toContain(app.text(app.one));
  expect((await stat(join(host.data, 'vault.key'))).mode & 0o777).toBe(0o600);
});

interface Ring {
  current: string;
  keys: Record<string, string>;
}

async function ringOf(data: string): Promise<Ring> {
  return JSON.parse(await readFile(join(data, 'vault.key'), 'utf8')) as Ring;
}

/** The ids of the keys that the files of these apps are under. */
async function keysOf(data: string, apps: string[]): Promise<string[]> {
  return Promise.all(
    apps.map(
      async (app) => (JSON.parse(await readFile(join(data, 'apps', app, 'config.enc'), 'utf8')) as { key: string }).key,
    ),
  );
}

/** A process of its own that works with the vault of a data folder. @param built where the vault is, built, for what loads nothing else */
function spawnVault(built: string, data: string, work: string): ReturnType<typeof spawn> {
  const code = `const { Vault } = await import(${JSON.stringify(join(built, 'store/vault.js'))});
    const { Paths } = await import(${JSON.stringify(join(built, 'store/paths.js'))});
    const vault = new Vault(new Paths(${JSON.stringify(data)}));
    ${work}`;
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
}
