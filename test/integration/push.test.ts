import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UNCOMPILED } from '../../src/environments/compiler.js';
import { FLUSH, pkt } from '../../src/git/pkt.js';
import { scratch } from '../helpers/ends.js';
import { readMeta, startHost, until, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { pushLive, BASIC, fixture, packOf, refOf, serves, Signals, startPush, visit } from '../helpers/pushing.js';

let host: TestHost;
let clones: string;
/** A project whose app is live already. */
let hello: Project;

beforeAll(async () => {
  host = await startHost();
  clones = await scratch('clones-');
  hello = await Project.create(textApp('text:one'));
  await pushLive(hello, host, 'hello');
});

/** What an app's newest deploy spent its time on. */
async function phasesOf(app: string): Promise<string[]> {
  const { deploys } = (await (await host.api(`/apps/${app}/deploys`)).json()) as {
    deploys: { phases: { name: string; ms: number }[] }[];
  };
  return deploys[0]?.phases.map(({ name }) => name) ?? [];
}

/** Each test begins with what the server has, whatever the one before has pushed or not. */
beforeEach(async () => {
  await hello.git('fetch', '--quiet', host.remote('hello'), 'main');
  await hello.git('reset', '--quiet', '--hard', 'FETCH_HEAD');
});

describe('git push', () => {
  it('creates the app with the first push, and streams the deploy', async () => {
    const push = startPush(await Project.create(textApp('text:first')), host, 'first');
    await push.says('remote:    0.');
    expect(push.running).toBe(true);
    await push.says('Dependencies');
    expect(push.output).not.toContain('Live:');
    const { code, output } = await push.done;
    expect(output).toContain(`first is live: ${host.url}/apps/first/`);
    expect(output).toContain('* [new branch]      main -> main');
    expect(code).toBe(0);
    expect(await visit(host, 'first')).toContain('text:first');
    expect(await host.app('first')).toMatchObject({ state: 'running', release: 1, deploy_branch: 'main' });
    expect(await phasesOf('first')).toEqual(['checkout', 'environment', 'start', 'check']);
  });

  it('gives a clone exactly what was pushed', async () => {
    const clone = await run('git', ['clone', '--quiet', host.remote('hello'), 'first'], clones);
    expect(clone).toEqual({ code: 0, output: '' });
    const head = await run('git', ['rev-parse', 'HEAD'], join(clones, 'first'));
    expect(head.output).toBe((await hello.git('rev-parse', 'HEAD')).output);
    const pushed = await readFile(join(hello.folder, 'app.py'), 'utf8');
    expect(await readFile(join(clones, 'first', 'app.py'), 'utf8')).toBe(pushed);
  });

  it('switches to the second push, and a pull gets it', async () => {
    await run('git', ['clone', '--quiet', host.remote('hello'), 'pulling'], clones);
    const before = await host.app('hello');
    const [{ environment = '' } = {}] = (await readMeta(host, 'hello')).releases as { environment?: string }[];
    const uncompiled = join(host.data, 'environments', environment, UNCOMPILED);
    await writeFile(uncompiled, '{"caged":true}');
    const commit = await hello.commit(textApp('text:two'), 'Two');
    const push = await hello.git('push', host.remote('hello'), 'main');
    expect(push.code).toBe(0);
    expect(push.output).toContain('Dependencies already installed: reusing environment');
    expect(await serves(host, 'hello')).toMatchObject({
      release: (before.release as number) + 1,
      text: 'text:two',
      ref: commit,
    });
    expect((await host.app('hello')).pid).not.toBe(before.pid);
    await until('its environment is compiled', () => !existsSync(uncompiled));
    const pull = await run('git', ['pull', '--quiet'], join(clones, 'pulling'));
    expect(pull.code).toBe(0);
    expect(await readFile(join(clones, 'pulling', 'app.py'), 'utf8')).toContain('text:two');
  });

  it('accepts a push from a shallow clone', async () => {
    const clone = await run('git', ['clone', '--quiet', '--depth=1', host.remote('hello'), 'shallow'], clones);
    expect(clone.code).toBe(0);
    const shallow = new Project(join(clones, 'shallow'));
    expect((await shallow.git('rev-list', '--count', 'HEAD')).output.trim()).toBe('1');
    await shallow.commit(textApp('text:three'), 'Three');
    const push = await shallow.git('push', 'origin', 'main');
    expect(push).toMatchObject({ code: 0 });
    expect(await visit(host, 'hello')).toContain('text:three');
  });

  it('rejects a push from a clone that is behind, and says what to do', async () => {
    await run('git', ['clone', '--quiet', host.remote('hello'), 'behind'], clones);
    await hello.commit(textApp('text:ahead'), 'Ahead');
    expect((await hello.git('push', host.remote('hello'), 'main')).code).toBe(0);
    const before = await serves(host, 'hello');
    const behind = new Project(join(clones, 'behind'));
    await behind.commit(textApp('text:behind'), 'Behind');
    const push = await behind.git('push', 'origin', 'main');
    expect(push.code).toBe(1);
    expect(push.output).toContain('[rejected]');
    expect(push.output).toContain('git pull');
    expect(await serves(host, 'hello')).toEqual(before);
  });

  it('deploys a forced push, even one that drops commits', async () => {
    await hello.commit(textApp('text:regretted'), 'Regretted');
    expect((await hello.git('push', host.remote('hello'), 'main')).code).toBe(0);
    await hello.git('reset', '--quiet', '--soft', 'HEAD~1');
    const forced = await hello.commit(textApp('text:forced'), 'Forced');
    expect((await hello.git('push', host.remote('hello'), 'main')).code).toBe(1);
    const push = await hello.git('push', '--force', host.remote('hello'), 'main');
    expect(push).toMatchObject({ code: 0 });
    expect(await serves(host, 'hello')).toMatchObject({ ref: forced, text: 'text:forced' });
  });

  it('supports protocol version 2 and gzip', async () => {
    await run('git', ['clone', '--quiet', host.remote('hello'), 'without-tags'], clones);
    // Many wants make a request that git packs.
    for (let number = 0; number < 60; number += 1) await hello.git('tag', `many-${number}`, 'HEAD');
    expect((await hello.git('push', '--quiet', host.remote('hello'), '--tags')).code).toBe(0);
    const env = { GIT_TRACE_CURL: '1', GIT_TRACE_PACKET: '1' };
    const fetched = await run(
      'git',
      ['-c', 'protocol.version=2', 'clone', '--quiet', host.remote('hello'), 'v2'],
      clones,
      env,
    );
    expect(fetched.code).toBe(0);
    expect(fetched.output).toContain('< version 2');
    const listed = await run(
      'git',
      ['-c', 'protocol.version=0', 'ls-remote', host.remote('hello'), 'main'],
      clones,
      env,
    );
    expect(listed.output).not.toContain('< version 2');
    expect(listed.code).toBe(0);
    const behind = await run(
      'git',
      ['-C', join(clones, 'without-tags'), '-c', 'protocol.version=0', 'fetch', '--tags', 'origin'],
      clones,
      env,
    );
    expect(behind.code).toBe(0);
    expect(`${fetched.output}${behind.output}`).toMatch(/content-encoding: gzip/i);
  });

  it('accepts a large push without holding it in memory', async () => {
    const files: Record<string, Buffer> = {};
    for (let number = 0; number < 60; number += 1) files[`data/${number}.bin`] = randomBytes(1024 * 1024);
    await hello.commit({ ...textApp('text:large'), 'data/readme.txt': 'large' }, 'Before');
    await hello.write(files);
    // Random bytes only cost time to pack.
    await hello.git('config', 'core.compression', '0');
    await hello.commit({}, 'Large');
    const before = await memoryOf(host.pid);
    let most = 0;
    const push = startPush(hello, host, 'hello');
    while (push.running) {
      most = Math.max(most, await memoryOf(host.pid));
      await Promise.race([push.done, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    expect(await push.done).toMatchObject({ code: 0 });
    expect(most - before).toBeLessThan(80);
    expect(await visit(host, 'hello')).toContain('text:large');
  });

  it('returns at once with -o nowait, and still deploys', async () => {
    const signals = await Signals.create();
    const slow = await fixture('slow-script');
    const commit = await slow.commit({ 'signals.txt': signals.text, 'text.txt': 'text:later' }, 'Slow');
    const push = await slow.git('push', '-o', 'nowait', host.remote('later'), 'main');
    expect(push.code).toBe(0);
    expect(push.output).toContain('Release 1 of later is queued');
    expect((await host.app('later')).state).toBe('deploying');
    expect(await refOf(host, 'later')).toBeUndefined();
    await signals.go();
    await until('it is live', async () => (await host.app('later')).state === 'running');
    expect(await until('the branch has moved', () => refOf(host, 'later'))).toBe(commit);
  });
});

describe('a pushed ref', () => {
  it('that is not the deploy branch is stored, and the pusher is told', async () => {
    const before = await serves(host, 'hello');
    await hello.git('branch', '--force', 'idea');
    const push = await hello.git('push', host.remote('hello'), 'idea');
    expect(push.code).toBe(0);
    expect(push.output).toContain('Stored branch idea. It is not deployed: this app deploys main.');
    expect(await refOf(host, 'hello', 'refs/heads/idea')).toBe((await hello.git('rev-parse', 'idea')).output.trim());
    expect(await serves(host, 'hello')).toEqual(before);
  });

  it('that is a tag is stored, annotated or not', async () => {
    const before = await serves(host, 'hello');
    await hello.git('tag', '-a', 'v1', '-m', 'One');
    const push = await hello.git('push', host.remote('hello'), 'v1');
    expect(push.code).toBe(0);
    expect(push.output).toContain('Stored tag v1. Tags do not deploy.');
    expect(await refOf(host, 'hello', 'refs/tags/v1')).toBeDefined();
    const gone = await hello.git('push', host.remote('hello'), ':v1');
    expect(gone.output).toContain('Deleted tag v1.');
    expect(gone.code).toBe(0);
    expect(await refOf(host, 'hello', 'refs/tags/v1')).toBeUndefined();
    expect(await serves(host, 'hello')).toEqual(before);
  });

  it('that is a branch cannot point to a tag object', async () => {
    const before = await serves(host, 'hello');
    await hello.git('tag', '-a', 'v2', '-m', 'Two');
    const push = await hello.git('push', '--force', host.remote('hello'), 'refs/tags/v2:refs/heads/main');
    expect(push.code).toBe(1);
    expect(push.output).toContain('a branch must point to a commit');
    expect(await serves(host, 'hello')).toEqual(before);
  });

  it('outside of branches and tags is refused with a sentence', async () => {
    const before = await serves(host, 'hello');
    await hello.git('notes', 'add', '-m', 'a note', 'HEAD');
    const push = await hello.git('push', host.remote('hello'), 'refs/notes/commits', 'HEAD:refs/releases/99');
    expect(push.code).toBe(1);
    expect(push.output).toContain(
      '! [remote rejected] refs/notes/commits -> refs/notes/commits (only branches and tags can be pushed)',
    );
    expect(push.output).toContain('! [remote rejected] HEAD -> refs/releases/99');
    expect(await refOf(host, 'hello', 'refs/notes/commits')).toBeUndefined();
    expect(await refOf(host, 'hello', 'refs/releases/99')).toBeUndefined();
    expect(await serves(host, 'hello')).toEqual(before);
  });

  it('can be deleted once, unless it is the deploy branch', async () => {
    const before = await serves(host, 'hello');
    expect((await hello.git('push', host.remote('hello'), 'HEAD:refs/heads/passing')).code).toBe(0);
    const refused = await hello.git('push', host.remote('hello'), ':main');
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(
      'main is the deploy branch; to delete the app, use the console or "streamlit-host delete"',
    );
    const deleted = await hello.git('push', host.remote('hello'), ':passing');
    expect(deleted.output).toContain('Deleted branch passing.');
    expect(deleted.code).toBe(0);
    expect(await refOf(host, 'hello', 'refs/heads/passing')).toBeUndefined();
    const again = await hello.git('push', host.remote('hello'), ':refs/heads/passing');
    expect(again.output).toContain('refs/heads/passing does not exist');
    expect(again.code).toBe(1);
    expect(await serves(host, 'hello')).toEqual(before);
  });

  it('gets its own answer among several in one push', async () => {
    const commit = await hello.commit(textApp('text:several'), 'Several');
    await hello.git('branch', '--force', 'side');
    await hello.git('tag', '--force', 'v3');
    const push = await hello.git('push', host.remote('hello'), 'main', 'side', 'v3', 'HEAD:refs/notes/x');
    expect(push.code).toBe(1);
    expect(push.output).toMatch(/main -> main\n/);
    expect(push.output).toContain('* [new branch]      side -> side');
    expect(push.output).toContain('* [new tag]         v3 -> v3');
    expect(push.output).toContain('! [remote rejected] HEAD -> refs/notes/x');
    expect(await serves(host, 'hello')).toMatchObject({ ref: commit, text: 'text:several' });
  });

  it('named main is preferred among the branches of a first push', async () => {
    const project = await Project.create(textApp('text:main'));
    await project.git('branch', 'aaa');
    const push = await project.git('push', host.remote('two-branches'), 'aaa', 'main');
    expect(push.code).toBe(0);
    expect(push.output).toContain('Stored branch aaa. It is not deployed: this app deploys main.');
    expect((await host.app('two-branches')).deploy_branch).toBe('main');
  });

  it('is the first branch and deploys, whatever its name, and a clone checks it out', async () => {
    const project = await Project.create(textApp('text:trunk'), 'trunk');
    const push = await project.git('push', host.remote('trunk-app'), 'trunk');
    expect(push.code).toBe(0);
    expect((await host.app('trunk-app')).deploy_branch).toBe('trunk');
    await run('git', ['clone', '--quiet', host.remote('trunk-app'), 'trunk'], clones);
    const branch = await run('git', ['branch', '--show-current'], join(clones, 'trunk'));
    expect(branch.output.trim()).toBe('trunk');
    const later = await project.git('push', host.remote('trunk-app'), 'trunk:main');
    expect(later.output).toContain('Stored branch main. It is not deployed: this app deploys trunk.');
    // What would deploy it, for who reads no manual.
    expect(later.output).toContain('git push host main:trunk');
    expect(later.output).toContain('streamlit-host branch trunk-app main');
  });

  it('with a new branch name deploys once it is chosen, and the live release stays until then', async () => {
    const project = await Project.create(textApp('text:before'), 'master');
    await pushLive(project, host, 'renamed', 'master');
    await project.git('branch', '--move', 'main');
    await project.commit(textApp('text:after'), 'After');
    expect((await project.git('push', host.remote('renamed'), 'main')).code).toBe(0);
    expect(await serves(host, 'renamed')).toMatchObject({ text: 'text:before' });
    const changed = await host.send('PATCH', '/apps/renamed', { deploy_branch: 'main' });
    expect(await changed.json()).toMatchObject({ deploy_branch: 'main', release: 1, deploy: null });
    expect(await serves(host, 'renamed')).toMatchObject({ text: 'text:before' });
    expect((await host.api('/apps/renamed/redeploy', { method: 'POST' })).status).toBe(202);
    await until('the branch is live', async () => (await host.app('renamed')).release === 2);
    expect(await serves(host, 'renamed')).toMatchObject({ text: 'text:after' });
    await run('git', ['clone', '--quiet', host.remote('renamed'), 'renamed'], clones);
    expect((await run('git', ['branch', '--show-current'], join(clones, 'renamed'))).output.trim()).toBe('main');
  });

  it('that was chosen before the first push takes precedence over main', async () => {
    await host.send('POST', '/apps', { name: 'Chosen', id: 'chosen' });
    expect((await host.send('PATCH', '/apps/chosen', { deploy_branch: 'production' })).status).toBe(200);
    const project = await Project.create(textApp('text:main'));
    const push = await project.git('push', host.remote('chosen'), 'main');
    expect(push.output).toContain('Nothing was deployed.');
    expect(await host.app('chosen')).toMatchObject({ state: 'created', deploy_branch: 'production' });
    expect((await project.git('push', host.remote('chosen'), 'main:production')).code).toBe(0);
    expect(await serves(host, 'chosen')).toMatchObject({ text: 'text:main' });
  });

  it('named main still deploys after a failed first push of another branch', async () => {
    const project = await fixture('exception');
    const failed = await project.git('push', host.remote('second-try'), 'main:attempt');
    expect(failed.code).toBe(1);
    await project.commit(textApp('text:now'), 'Now');
    const push = await project.git('push', host.remote('second-try'), 'main');
    expect(push).toMatchObject({ code: 0 });
    expect(await serves(host, 'second-try')).toMatchObject({ text: 'text:now' });
    expect((await host.app('second-try')).deploy_branch).toBe('main');
  });
});

describe('two people who push', () => {
  it('do not lose a change that one did not see before it was live', async () => {
    const signals = await Signals.create();
    const slow = await fixture('slow-script');
    await slow.commit({ 'signals.txt': signals.text, 'text.txt': 'text:first' }, 'First');
    const first = startPush(slow, host, 'shared');
    await signals.hasBegun();
    // Both see no branch at all: the one who comes later wins, and the earlier one is told.
    const other = await Project.create(textApp('text:second'));
    const second = await other.git('push', host.remote('shared'), 'main');
    expect(second).toMatchObject({ code: 0 });
    const told = await first.done;
    expect(told.code).toBe(1);
    expect(told.output).toContain('superseded by release 2');
    const before = await serves(host, 'shared');
    // Somebody who says that there is no branch, though there is one by now.
    const commit = (await slow.git('rev-parse', 'HEAD')).output.trim();
    const stale = await pushFrom(slow, '0'.repeat(40), commit);
    expect(stale).toContain('ng refs/heads/main the branch main has changed in the meantime');
    expect(await serves(host, 'shared')).toEqual(before);
  });
});

/** Pushes a commit with an old value of our choice, as a client does that looked some time ago. */
async function pushFrom(project: Project, old: string, commit: string): Promise<string> {
  const pack = await packOf(project, commit);
  const command = `${old} ${commit} refs/heads/main\0report-status\n`;
  const answer = await fetch(`${host.url}/git/shared.git/git-receive-pack`, {
    method: 'POST',
    headers: { authorization: BASIC, 'content-type': 'application/x-git-receive-pack-request' },
    body: Buffer.concat([pkt(command), FLUSH, pack]),
  });
  return answer.text();
}

/** Resident memory in MB. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
