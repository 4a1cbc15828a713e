import { beforeAll, expect, test } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, refOf, visit } from '../helpers/pushing.js';

let host: TestHost;
let project: Project;

beforeAll(async () => {
  host = await startHost();
  project = await Project.create(textApp('text:main'));
  await pushLive(project, host, 'shop');
  await project.git('checkout', '--quiet', '-b', 'feature/x');
  await project.commit(textApp('text:feature'), 'Try it');
  await project.git('push', host.remote('shop'), 'feature/x');
  await project.git('checkout', '--quiet', '-b', 'broken');
  await project.git('rm', '--quiet', 'app.py');
  await project.git('commit', '--quiet', '-m', 'No app any more');
  // Stored as it is: nobody looks at a branch that is not deployed.
  expect((await project.git('push', host.remote('shop'), 'broken')).code).toBe(0);
});

const preview = async (
  branch: string,
): Promise<{ status: number; code?: string; deploy?: { release: number } | null }> => {
  const answer = await host.send('POST', '/apps/shop/previews', { branch });
  return { ...((await answer.json()) as object), status: answer.status };
};
const stored = async (): Promise<unknown> => (await host.app('shop')).stored_branches;

test('a branch pushed before previews were turned on gets one on request', async () => {
  expect([await stored(), await preview('feature/x')]).toMatchObject([[], { status: 409, code: 'previews-off' }]);
  expect((await host.send('PATCH', '/apps/shop', { previews_on: true })).status).toBe(200);
  expect(await stored()).toEqual(['broken', 'feature/x']);
  // To push it again does nothing.
  expect((await project.git('push', host.remote('shop'), 'feature/x')).output).toContain('Everything up-to-date');
  expect(await preview('feature/x')).toMatchObject({ status: 202, id: 'shop--feature-x', deploy: { release: 1 } });
  await until('it is live', async () => (await host.app('shop--feature-x')).release === 1);
  expect(await visit(host, 'shop--feature-x')).toContain('text:feature');
  expect(await visit(host, 'shop')).toContain('text:main');
  expect(await stored()).toEqual(['broken']);
});

test('a branch whose preview was deleted gets a new one, at the same commit', async () => {
  const before = await refOf(host, 'shop', 'refs/heads/feature/x');
  expect((await host.api('/apps/shop--feature-x?confirm=shop--feature-x', { method: 'DELETE' })).status).toBe(204);
  expect(await stored()).toEqual(['broken', 'feature/x']);
  expect((await preview('feature/x')).status).toBe(202);
  await until('it is live again', async () => (await host.app('shop--feature-x')).release === 1);
  expect(await refOf(host, 'shop', 'refs/heads/feature/x')).toBe(before);
});

test('a branch that cannot have a preview is refused with the reason, and nothing is created', async () => {
  expect(await preview('broken')).toMatchObject({ status: 422, code: 'no-entrypoint' });
  expect(await preview('main')).toMatchObject({ status: 409, code: 'branch-deploys' });
  for (const branch of ['nowhere', '--help', '../main', 'feature'])
    expect(await preview(branch)).toMatchObject({ status: 404, code: 'branch-not-found' });
  const { apps } = (await (await host.api('/apps')).json()) as { apps: { id: string }[] };
  expect(apps.map(({ id }) => id)).toEqual(['shop', 'shop--feature-x']);
});
