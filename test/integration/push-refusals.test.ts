import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readMeta, startHost, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { fixture, pushLive, serves, startPush, visit } from '../helpers/pushing.js';

let host: TestHost;
/** Is live, and stays so whatever is pushed to it. */
let steady: Project;
let before: Awaited<ReturnType<typeof serves>>;

beforeAll(async () => {
  host = await startHost();
  steady = await Project.create(textApp('text:steady'));
  await pushLive(steady, host, 'steady');
});
beforeEach(async () => {
  before = await serves(host, 'steady');
  expect(before).toMatchObject({ state: 'running', text: 'text:steady' });
});
afterEach(async () => {
  // The old release serves, in the same process, and a clone gets the same commit.
  expect(await serves(host, 'steady')).toEqual(before);
});

/** Pushes to the app that serves, over whatever is there. */
async function pushOver(project: Project): Promise<{ code: number; output: string }> {
  return startPush(project, host, 'steady', '+main').done;
}

describe('a commit that cannot become a release is refused before it is queued', () => {
  const good = textApp('text:never');
  const cases: [string, () => Promise<Project>, RegExp][] = [
    [
      'a project without an app',
      () => Project.create({ 'readme.md': '# Hello', 'requirements.txt': 'streamlit\n' }),
      /no app\.py or streamlit_app\.py in the project root/,
    ],
    [
      'a project with two candidates',
      () => Project.create({ 'one.py': '', 'two.py': '', 'requirements.txt': 'streamlit\n' }),
      /one\.py and two\.py could each be the app/,
    ],
    ['a project without requirements', () => Project.create({ 'app.py': good['app.py'] ?? '' }), /requirements\.txt/],
    [
      'requirements in bytes that are no text',
      () => Project.create({ ...good, 'requirements.txt': Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x81]) }),
      /requirements\.txt .*(UTF-8|text)/,
    ],
    ['a file over the limit', tooLarge, /data\.bin is 101 MB; .*100 MB/],
    ['a submodule', withSubmodule, /part is a submodule/],
    ['a name that is not UTF-8', withLatinName, /caf\ufffd\.csv has a name that is not valid UTF-8\. Rename it/],
    [
      'a link out of the tree',
      withLink,
      /data is a symbolic link to \.\.\/\.\.\/\.\.\/admin-token, outside of the project/,
    ],
    ['a pointer of Git LFS', withPointer, /model\.bin is stored in Git LFS/],
    ['an empty commit', () => Project.create(), /the project is empty/],
  ];

  it.each(cases)('%s', async (_name, make, reason) => {
    const releases = ((await readMeta(host, 'steady')).releases as unknown[]).length;
    const project = await make();
    const over = await pushOver(project);
    expect(over.code).toBe(1);
    expect(over.output).toMatch(reason);
    expect(over.output).toContain('remote: steady was not deployed:');
    expect(over.output).toContain('! [remote rejected]');
    expect((await readMeta(host, 'steady')).releases).toHaveLength(releases);

    // As a first push it leaves no app behind, and nothing of what was sent.
    const first = await project.git('push', host.remote('refused'), 'main');
    expect(first.code).toBe(1);
    expect(first.output).toMatch(reason);
    expect((await host.api('/apps/refused')).status).toBe(404);
    expect(existsSync(join(host.data, 'apps', 'refused'))).toBe(false);
  });

  it('it is not kept in the repository either', async () => {
    const objects = join(host.data, 'apps', 'steady', 'repo.git', 'objects');
    const count = (await readdir(objects, { recursive: true })).length;
    const project = await Project.create({ 'readme.md': 'never kept' });
    expect((await pushOver(project)).code).toBe(1);
    expect(await readdir(objects, { recursive: true })).toHaveLength(count);
  });

  it('an app created in the console stays when its first push is refused', async () => {
    const made = await host.send('POST', '/apps', { name: 'made-before' });
    expect(made.status).toBe(201);
    const project = await Project.create({ 'readme.md': 'no app' });
    expect((await project.git('push', host.remote('made-before'), 'main')).code).toBe(1);
    expect(await host.app('made-before')).toMatchObject({ id: 'made-before', state: 'created' });
    await project.commit(textApp('text:made'), 'Now');
    await pushLive(project, host, 'made-before');
    expect(await visit(host, 'made-before')).toContain('text:made');
  });
});

describe('a deploy that fails leaves the old release unchanged', () => {
  const cases: [string, string, RegExp[], RegExp][] = [
    [
      'a requirement that nobody has',
      'unknown-requirement',
      [/no-such-package-of-anybody-1f3a/, /was not found/],
      /no package named no-such-package-of-anybody-1f3a was found/,
    ],
    [
      'requirements that contradict each other',
      'version-conflict',
      [/packaging<22/, /packaging>=23/],
      /the requirements conflict/,
    ],
    [
      'a syntax error',
      'syntax-error',
      [/App output:\s+(remote: )?[^\n]*\n(remote:)? *File "app\.py", line 3/, /SyntaxError/],
      /SyntaxError in app\.py, line 3: '\(' was never closed/,
    ],
    [
      'an import of what is not there',
      'import-error',
      [/File "app\.py", line 2, in <module>/, /ModuleNotFoundError: No module named 'a_module_that_nobody_has'/],
      /the package a_module_that_nobody_has is not in requirements\.txt\. Add it and push again/,
    ],
    [
      'an exception',
      'exception',
      [
        /File "app\.py", line 8, in <module>/,
        /File "app\.py", line 5, in divide/,
        /ZeroDivisionError: division by zero/,
      ],
      /raised an exception/,
    ],
    ['a secret that is missing', 'missing-secret', [/secrets/i], /raised an exception/],
    [
      'a script that leaves by itself',
      'leaves',
      [/hint: app\.py calls sys\.exit\(\)[^\n]*st\.stop\(\)/],
      /the script did not finish within 3 s/,
    ],
    ['an app that exits', 'exits', [/I do not like it here/], /the app exited with code 3/],
  ];

  it.each(cases)('%s', async (_name, name, said, reason) => {
    const project = await fixture(name);
    const { code, output } = await pushOver(project);
    expect(code).toBe(1);
    for (const words of said) expect(output).toMatch(words);
    expect(rejection(output)).toMatch(reason);
    expect(rejection(output)).toContain('; steady is unchanged)');
    // Nobody wants to read where the platform keeps things.
    expect(output).not.toContain(host.data);
    expect(output).not.toContain('site-packages');
    const { releases } = (await readMeta(host, 'steady')) as {
      releases: { number: number; state: string; reason: string }[];
    };
    expect(releases.at(-1)).toMatchObject({ state: 'failed' });
    expect(releases.at(-1)?.reason).toMatch(reason);
    expect(existsSync(join(host.data, 'apps', 'steady', 'releases', String(releases.at(-1)?.number), 'source'))).toBe(
      false,
    );
  });

  it('a token in requirements is hidden in the reason, wherever that is shown', async () => {
    const token = 'ghp_a1b2c3d4e5f6g7h8i9j0';
    const project = await Project.create({
      ...textApp('text:never'),
      'requirements.txt': `streamlit\ngit+http://${token}@127.0.0.1:9/one.git\n`,
    });
    const { code, output } = await pushOver(project);
    expect(code).toBe(1);
    expect(rejection(output)).toContain("unable to access 'http://127.0.0.1:9/one.git/'");
    const seen = [output, await readFile(join(host.data, 'apps', 'steady', 'meta.json'), 'utf8')];
    for (const path of ['/apps/steady', '/apps/steady/deploys']) seen.push(await (await host.api(path)).text());
    for (const text of seen) expect(text).not.toContain(token);
  });

  it('an app that prints 50 MB fills neither its log nor the push output', async () => {
    const project = await fixture('loud');
    const { code, output } = await pushOver(project);
    expect(code).toBe(1);
    expect(output).toContain('RuntimeError: after all that');
    expect(output.length).toBeLessThan(20_000);
    const { lastRelease } = (await readMeta(host, 'steady')) as { lastRelease: number };
    const folder = join(host.data, 'apps', 'steady', 'releases', String(lastRelease));
    const sizes = await Promise.all((await readdir(folder)).map(async (file) => (await stat(join(folder, file))).size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(25 * 1024 * 1024);
  });

  it('the log of a failed deploy can be read afterwards', async () => {
    const project = await fixture('exception');
    const { output } = await pushOver(project);
    const answer = await host.api('/apps/steady/logs?source=build&tail=50');
    const text = await answer.text();
    expect(text).toContain('ZeroDivisionError: division by zero');
    expect(text).toContain('Failed: the script raised an exception');
    expect(output).toContain('ZeroDivisionError: division by zero');
  });
});

describe('after a failure is fixed', () => {
  it('the same commit can be pushed again', async () => {
    const project = await fixture('heals');
    const commit = (await project.git('rev-parse', 'HEAD')).output.trim();
    await pushLive(project, host, 'heals');
    await project.commit({ 'note.txt': 'another commit' }, 'Another');
    const trouble = join(host.data, 'apps', 'heals', 'storage', 'trouble.txt');
    await writeFile(trouble, 'the database is away');
    const live = await serves(host, 'heals');
    const failed = await project.git('push', host.remote('heals'), 'main');
    expect(failed.code).toBe(1);
    expect(failed.output).toContain('RuntimeError: the database is away');
    expect(await serves(host, 'heals')).toEqual(live);
    expect(live.ref).toBe(commit);

    await truncate(trouble, 0);
    const still = await project.git('push', host.remote('heals'), 'main');
    expect(still.code).toBe(1);
    await rm(trouble);
    const again = await project.git('push', host.remote('heals'), 'main');
    expect(again.code).toBe(0);
    expect(again.output).not.toContain('Everything up-to-date');
    expect(await visit(host, 'heals')).toContain('all is well');
    expect((await serves(host, 'heals')).ref).not.toBe(commit);
  });

  it('settings of the app that would misdirect it are overruled', async () => {
    const project = await fixture('own-port');
    await pushLive(project, host, 'own-port');
    expect(await visit(host, 'own-port')).toContain('on the port that it was given');
    // The file itself is not changed.
    expect(
      await readFile(join(host.data, 'apps', 'own-port', 'current', '.streamlit', 'config.toml'), 'utf8'),
    ).toContain('port = 9');
  });
});

/** The reason in git's own line. */
function rejection(output: string): string {
  return /! \[remote rejected\][^\n]*/.exec(output)?.[0] ?? '';
}

async function tooLarge(): Promise<Project> {
  const project = await Project.create(textApp('text:never'));
  await project.write({ 'data.bin': '' });
  await truncate(join(project.folder, 'data.bin'), 101 * 1024 * 1024);
  await project.commit({}, 'Large');
  return project;
}

async function withSubmodule(): Promise<Project> {
  const project = await Project.create(textApp('text:never'));
  const commit = (await project.git('rev-parse', 'HEAD')).output.trim();
  await project.git('update-index', '--add', '--cacheinfo', `160000,${commit},part`);
  await project.git('commit', '--quiet', '-m', 'A submodule');
  return project;
}

async function withLatinName(): Promise<Project> {
  const project = await Project.create(textApp('text:never'));
  await writeFile(Buffer.from(`${project.folder}/caf\xe9.csv`, 'latin1'), '');
  await project.commit({}, 'A name');
  return project;
}

async function withLink(): Promise<Project> {
  const project = await Project.create(textApp('text:never'));
  await symlink('../../../admin-token', join(project.folder, 'data'));
  await project.commit({}, 'A link');
  return project;
}

function withPointer(): Promise<Project> {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;
  return Project.create({ ...textApp('text:never'), 'model.bin': pointer });
}
