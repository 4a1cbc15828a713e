import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Attempts } from '../../src/domain/access/attempts.js';
import type { Happening } from '../../src/domain/access/audit.js';
import { gitEnvironment } from '../../src/domain/project/commands.js';
import { Refusal } from '../../src/errors.js';
import { GitHandler } from '../../src/git/handler.js';
import { HookServer, type HookCall } from '../../src/git/hook-server.js';
import { Lfs } from '../../src/git/lfs.js';
import { Audit } from '../../src/host/audit.js';
import { Pushes } from '../../src/git/pushes.js';
import { LfsObjects } from '../../src/store/lfs-objects.js';
import { until } from '../helpers/host.js';
import { processesWith } from '../helpers/pushing.js';

const HOOKS = join(dirname(fileURLToPath(import.meta.url)), '../../hooks');
const ENV = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' };

let folder: string;
let server: Server;
let hooks: HookServer;
let remote: string;
let ended: string[];
let warnings: object[];
/** The bytes for which room was kept, and given back. */
let reserved: number[];
/** What the making of an app waits for. */
let making: Promise<unknown>;
/** What a hook waits for. */
let hooked: (hook: string) => Promise<unknown>;
/** Answers the hooks; takes everything unless it is changed. */
let answers: (call: HookCall) => Promise<void> | void;
let pushes: Pushes;
/** False before an app is made. */
let exists: boolean;
/** What the audit log has. */
let written: Happening[];

/** A git handler with one bare repository, whose hooks take everything that they are asked. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'git-handler-'));
  const bare = join(folder, 'hello.git');
  execFileSync('git', ['init', '--quiet', '--bare', bare], { env: ENV });
  ended = [];
  [warnings, written, reserved] = [[], [], []];
  exists = true;
  making = Promise.resolve();
  hooked = () => Promise.resolve();
  answers = (call) => call.exit(0);
  hooks = new HookServer(
    join(folder, 'run', 'hooks.sock'),
    async (call) => {
      await hooked(call.hook);
      await answers(call);
    },
    () => undefined,
  );
  await hooks.listen();
  const logger = {
    warn: (facts: object) => void warnings.push(facts),
    error: (facts: object) => void warnings.push(facts),
  };
  pushes = new Pushes({
    apps: {
      find: () => undefined,
      get: () => {
        if (!exists) throw new Refusal('not-found', 'app-not-found', 'The app was deleted.');
        return { id: 'hello', deployBranch: 'main', live: 1 };
      },
    } as never,
    deploys: undefined as never,
    previews: { isOn: () => false, find: () => undefined } as never,
    headStarts: undefined as never,
    mask: undefined as never,
    url: () => '',
    logger,
  });
  const handler = new GitHandler({
    attempts: new Attempts(),
    visitor: () => ({ address: '203.0.113.9' }),
    check: (token) => (token === 'secret' ? { kind: 'person', name: 'ada' } : undefined),
    repositories: {
      find: () => (exists ? bare : undefined),
      empty: bare,
      demandPushable: () => undefined,
      begin: () => making.then(() => bare),
      end: async (app, follows) => void ended.push(follows ? `${app}, which may follow` : app),
    },
    lfs: new Lfs({
      objects: () => new LfsObjects(join(folder, 'lfs')),
      begin: async () => void (exists = true),
      end: async (app) => void ended.push(`${app} for Git LFS`),
      reserve: async (bytes) => {
        reserved.push(bytes);
        return () => void reserved.push(-bytes);
      },
      most: 1_000,
    }),
    url: () => 'http://localhost',
    rights: { demand: () => undefined },
    audit: new Audit({
      log: { append: (one) => void written.push(one) },
      rights: { demand: () => undefined },
    }),
    pushes,
    env: gitEnvironment(process.env.PATH ?? ''),
    hooks: HOOKS,
    hookSocket: join(folder, 'run', 'hooks.sock'),
    maxPush: 200_000,
    logger,
  });
  server = createServer((request, response) =>
    handler.handle(request, response, request.url?.split('?')[0] ?? '', `?${request.url?.split('?')[1] ?? ''}`),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  remote = `http://x:secret@127.0.0.1:${(server.address() as AddressInfo).port}/git/hello.git`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await hooks.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A repository with one commit that holds so many random bytes. */
function project(bytes: number): string {
  const work = mkdtempSync(join(folder, 'work-'));
  const git = (...args: string[]): void =>
    void execFileSync('git', ['-C', work, '-c', 'user.name=Ada', '-c', 'user.email=a@example.com', ...args], {
      env: ENV,
    });
  git('init', '--quiet', '-b', 'main');
  // Random bytes only cost time to pack.
  git('config', 'core.compression', '0');
  writeFileSync(join(work, 'data.bin'), randomBytes(bytes));
  git('add', '.');
  git('commit', '--quiet', '-m', 'Begin');
  return work;
}

async function push(work: string, ...refs: string[]): Promise<{ failed: boolean; output: string }> {
  // Not synchronously: the server runs in this very process.
  return promisify(execFile)('git', ['-C', work, 'push', remote, ...(refs.length === 0 ? ['main'] : refs)], {
    env: ENV,
  }).then(
    ({ stderr }) => ({ failed: false, output: stderr }),
    (error: { stderr: string }) => ({ failed: true, output: error.stderr }),
  );
}

describe('a push over the limit', () => {
  it("is rejected in git's own words although the rest is still arriving, and leaves nothing behind", async () => {
    const { failed, output } = await push(project(8_000_000));
    expect(failed).toBe(true);
    expect(output).toContain('pack exceeds maximum allowed size');
    // Before a large push git sends an empty one, to see whether it may.
    expect(ended).toEqual(['hello, which may follow', 'hello']);
    const objects = spawnSync('git', ['-C', join(folder, 'hello.git'), 'count-objects', '-v'], {
      env: ENV,
    }).stdout.toString();
    expect(objects).toMatch(/^count: 0$/m);
    expect(objects).toMatch(/^in-pack: 0$/m);

    // The one after it is none the worse for that.
    const next = await push(project(50_000));
    expect(next.output).toContain('main -> main');
    expect(next.failed).toBe(false);
    expect(ended).toEqual(['hello, which may follow', 'hello', 'hello']);
  }, 30_000);
});

describe('a client that disconnects while its app is being created', () => {
  it.each(['a part of its push', 'all of its push'])(
    'with %s on the way leaves no git process behind, and ends the push',
    async (what) => {
      const { port } = new URL(remote);
      const client = connect(Number(port), '127.0.0.1');
      making = once(server, 'request').then(async ([request]: IncomingMessage[]) => {
        client.destroy();
        await new Promise((resolve) => request?.once('close', resolve));
      });
      const head = [
        'POST /git/hello.git/git-receive-pack HTTP/1.1',
        'Host: localhost',
        `Authorization: Basic ${btoa('x:secret')}`,
        'Content-Type: application/x-git-receive-pack-request',
      ];
      client.write([...head, `Content-Length: ${what.startsWith('all') ? 4 : 4_000}`, '', '0000'].join('\r\n'));
      await until('the push ends', () => ended.length === 1, 10_000);
      expect(warnings).toContainEqual({ error: 'the client disconnected' });
      expect(await processesWith(join(folder, 'hello.git'))).toEqual([]);
    },
  );
});

describe('a file of Git LFS', () => {
  const path = `/git/hello.git/info/lfs/objects/${'a'.repeat(64)}`;
  const send = (length: string, body: string): ReturnType<typeof connect> => {
    const client = connect(Number(new URL(remote).port), '127.0.0.1');
    const head = [`PUT ${path} HTTP/1.1`, 'Host: localhost', `Authorization: Basic ${btoa('x:secret')}`, length];
    client.write([...head, '', body].join('\r\n'));
    return client;
  };

  it('has room kept for it while it is sent, and a client that leaves then is one line in the log', async () => {
    const client = send('Content-Length: 400', 'a part of it');
    await until('it arrives', async () => (await readdir(join(folder, 'lfs')).catch(() => [])).length > 0);
    expect(reserved).toEqual([400]);
    client.destroy();
    await until('it has ended', () => warnings.length > 0);
    expect(warnings).toEqual([{ path, error: expect.any(String) as string }]);
    expect([reserved, ended]).toEqual([[400, -400], ['hello for Git LFS']]);
    expect(await readdir(join(folder, 'lfs'))).toEqual([]);
  });

  it('whose size a proxy has left out is refused with what to do', async () => {
    const client = send('Transfer-Encoding: chunked', '4\r\ndata\r\n0\r\n\r\n');
    const answer = await text(client);
    expect(answer).toMatch(/^HTTP\/1\.1 422 /);
    expect(answer).toContain('The size of the file is missing. Turn off chunked uploads in the proxy and push again.');
    expect([reserved, ended, warnings]).toEqual([[], [], []]);
  });
});

it('a push whose git process is killed on the server ends within seconds, although its hook keeps running', async () => {
  const work = project(1_000);
  const begun = new Promise<void>((resolve) => {
    hooked = () => {
      resolve();
      return new Promise(() => undefined);
    };
  });
  const pushed = push(work);
  await begun;
  const [git] = await processesWith(`receive-pack\0--stateless-rpc\0${join(folder, 'hello.git')}`);
  const killedAt = Date.now();
  process.kill(git ?? 0, 'SIGKILL');
  const { failed, output } = await pushed;
  expect([failed, Date.now() - killedAt < 5_000], output).toEqual([true, true]);
  expect(ended).toEqual(['hello']);
  await until('its hook has ended', async () => (await processesWith(join(folder, 'run', 'hooks.sock'))).length === 0);
});

it('a push whose hook is silent gets a sign of life before clients that run on Node give up', async () => {
  const work = project(1_000);
  let go = (): void => undefined;
  hooked = () => new Promise((resolve) => (go = () => resolve(undefined)));
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', work, ...args], { env: ENV, encoding: 'latin1' });
  const head = git('rev-parse', 'HEAD').trim();
  const pack = execFileSync('git', ['-C', work, 'pack-objects', '--revs', '--stdout', '-q'], { env: ENV, input: head });
  const command = `${'0'.repeat(40)} ${head} refs/heads/main\0report-status side-band-64k`;
  const answer = await fetch(`${remote.replace('x:secret@', '')}/git-receive-pack`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa('x:secret')}`,
      'content-type': 'application/x-git-receive-pack-request',
    },
    body: Buffer.concat([Buffer.from(`${(command.length + 4).toString(16).padStart(4, '0')}${command}0000`), pack]),
  });
  const begun = Date.now();
  let text = '';
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString('latin1');
    // An empty packet (https://git-scm.com/docs/git-config#Documentation/git-config.txt-receivekeepAlive).
    if (text.includes('0005\x01')) {
      // Their socket ends after 4 s of silence where the server keeps connections for 5 s.
      expect(Date.now() - begun).toBeLessThan(3_500);
      go();
    }
  }
  expect(text).toContain('unpack ok');
});

it('a push is in the audit log with its outcome, although git answers 200 to all of them', async () => {
  const work = project(1_000);
  answers = (call) => pushes.handle(call);
  execFileSync('git', ['-C', join(folder, 'hello.git'), 'config', 'receive.procReceiveRefs', 'refs'], { env: ENV });
  execFileSync('git', ['-C', join(folder, 'hello.git'), 'config', 'transfer.fsckObjects', 'true'], { env: ENV });
  const refused = await push(work, 'main:refs/notes/x');
  expect([refused.failed, refused.output]).toEqual([true, expect.stringContaining('only branches and tags')]);
  expect(written).toMatchObject([{ what: 'push', verb: 'push', result: 'refused' }]);
  // One of them is stored.
  expect((await push(work, 'main:refs/tags/v1', 'main:refs/notes/x')).failed).toBe(true);
  expect((await push(work, 'main:refs/tags/v2')).failed).toBe(false);
  // git refuses it by itself, before any hook: a tree with a folder called ".git".
  const tree = execFileSync('git', ['-C', work, 'mktree'], { env: ENV, input: '', encoding: 'utf8' }).trim();
  const bytes = Buffer.concat([Buffer.from('40000 .git\0'), Buffer.from(tree, 'hex')]);
  const write = ['-C', work, 'hash-object', '-t', 'tree', '-w', '--literally', '--stdin'];
  const bad = execFileSync('git', write, { env: ENV, input: bytes, encoding: 'utf8' }).trim();
  const who = ['-c', 'user.name=Ada', '-c', 'user.email=a@example.com'];
  const make = ['-C', work, ...who, 'commit-tree', '-m', 'Bad', bad];
  const commit = execFileSync('git', make, { env: ENV, encoding: 'utf8' }).trim();
  const checked = await push(work, `${commit}:refs/tags/v3`);
  expect([checked.failed, checked.output]).toEqual([true, expect.stringMatching(/hasDotgit/i)]);
  exists = false;
  expect((await push(work)).output).toContain('The app was deleted.');
  expect(written.slice(1).map(({ verb, result }) => `${verb} ${result}`)).toEqual([
    'push ok',
    'push ok',
    'push refused',
    'create refused',
  ]);
});

it('an upload of Git LFS is in the audit log, with the app that it creates; downloads are not', async () => {
  exists = false;
  const content = 'a large file';
  const oid = createHash('sha256').update(content).digest('hex');
  const base = `${remote.replace('x:secret@', '')}/info/lfs/objects`;
  const ask = async (path: string, method: string, body?: string): Promise<number> => {
    const headers = { authorization: `Basic ${btoa('x:secret')}` };
    const answer = await fetch(`${base}/${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    await answer.text();
    return answer.status;
  };
  const batch = JSON.stringify({ operation: 'upload', objects: [{ oid, size: content.length }] });
  expect(await ask('batch', 'POST', batch)).toBe(200);
  expect(written).toEqual([]);
  for (let time = 0; time < 2; time += 1) expect(await ask(oid, 'PUT', content)).toBe(200);
  expect(await ask(oid, 'PUT', 'something else')).toBe(422);
  expect(await ask(oid, 'GET')).toBe(200);
  const facts = { who: 'ada', door: 'git', from: '203.0.113.9', what: 'lfs', app: 'hello' };
  expect(written).toEqual([
    { ...facts, verb: 'create', about: oid.slice(0, 12), result: 'ok' },
    { ...facts, verb: 'push', about: oid.slice(0, 12), result: 'ok' },
    { ...facts, verb: 'push', result: 'refused', code: 'lfs-object-invalid' },
  ]);
});
