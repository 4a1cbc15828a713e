import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FLUSH, pkt } from '../../src/git/pkt.js';
import { startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Project, run, textApp } from '../helpers/project.js';
import { BASIC, packOf, processesWith, refOf } from '../helpers/pushing.js';

const RECEIVE = 'application/x-git-receive-pack-request';
const UPLOAD = 'application/x-git-upload-pack-request';

let host: TestHost;
let project: Project;
let commit: string;

beforeAll(async () => {
  host = await startHost();
  // An app with a repository that holds something, and nothing that runs: a branch that does not deploy is enough here.
  await host.send('POST', '/apps', { name: 'Kept', id: 'kept' });
  project = await Project.create(textApp('text:kept'));
  commit = (await project.git('rev-parse', 'HEAD')).output.trim();
  await project.git('tag', 'v1');
  expect(await project.git('push', host.remote('kept'), 'v1')).toMatchObject({ code: 0 });
});
// Whatever was tried, the server is well, and nothing is left on disk or running.
afterEach(async () => {
  expect((await fetch(`${host.url}/healthz`)).status).toBe(200);
  expect(await readdir(join(host.data, 'apps'))).toEqual(['kept']);
  await until('no git of ours is left', async () => (await receivers()) === 0);
  expect(await refOf(host, 'kept', 'refs/heads/main')).toBeUndefined();
});

describe('without valid credentials', () => {
  const wrong: [string, string][] = [
    ['a wrong token', `Basic ${Buffer.from('x:not-the-token-at-all').toString('base64')}`],
    ['the token as the user name', `Basic ${Buffer.from(`${TOKEN}:`).toString('base64')}`],
    ['an empty password', `Basic ${Buffer.from('x:').toString('base64')}`],
    ['the beginning of the token', `Basic ${Buffer.from(`x:${TOKEN.slice(0, -1)}`).toString('base64')}`],
    ['more than the token', `Basic ${Buffer.from(`x:${TOKEN}x`).toString('base64')}`],
    ['another scheme', `Digest username="x", response="${TOKEN}"`],
    ['a scheme alone', 'Basic'],
    ['what is no base64', 'Basic %%%%'],
    ['base64 without a colon', `Basic ${Buffer.from(TOKEN).toString('base64')}`],
    ['a header of 8 kB', `Basic ${Buffer.from(`${'x'.repeat(6_000)}:${TOKEN}`).toString('base64')}`],
  ];
  const requests: [string, string, string, RequestInit][] = [
    ['reading what is there', 'GET', '/git/kept.git/info/refs?service=git-upload-pack', {}],
    ['the begin of a push', 'GET', '/git/kept.git/info/refs?service=git-receive-pack', {}],
    [
      'a push without its begin',
      'POST',
      '/git/kept.git/git-receive-pack',
      { body: '0000', headers: { 'content-type': RECEIVE } },
    ],
    [
      'a push that would make an app',
      'POST',
      '/git/new-one.git/git-receive-pack',
      { body: '0000', headers: { 'content-type': RECEIVE } },
    ],
    [
      'a clone without its begin',
      'POST',
      '/git/kept.git/git-upload-pack',
      { body: '0000', headers: { 'content-type': UPLOAD } },
    ],
    ['a file of the repository', 'GET', '/git/kept.git/HEAD', {}],
    ['an app that does not exist', 'GET', '/git/nobody.git/info/refs?service=git-upload-pack', {}],
    ['a name that is none', 'GET', '/git/..%2f..%2fetc/info/refs?service=git-upload-pack', {}],
  ];

  it.each(requests)('no credentials: %s', async (_name, method, path, init) => {
    await isShutOut(await fetch(`${host.url}${path}`, { ...init, method }));
  });

  // One each: who guesses too often has to wait.
  it.each(wrong)('%s', async (_name, authorization) => {
    const headers = { authorization, 'content-type': RECEIVE };
    await isShutOut(
      await fetch(`${host.url}/git/new-one.git/git-receive-pack`, { method: 'POST', body: '0000', headers }),
    );
  });

  async function isShutOut(answer: Response): Promise<void> {
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Basic realm=');
    expect(await answer.text()).toBe('Log in with any user name and your token as the password.\n');
  }

  it('git says that it needs credentials, and stores nothing', async () => {
    const push = await project.git('push', `${host.url}/git/kept.git`, 'main');
    expect(push.code).not.toBe(0);
    expect(push.output).toMatch(/could not read Username|Authentication failed/);
    const wrongToken = await project.git('push', `${host.url.replace('://', '://x:wrong@')}/git/kept.git`, 'main');
    expect(wrongToken.code).not.toBe(0);
    expect(wrongToken.output).toContain('Authentication failed');
  });

  it('an Authorization header of 100 kB is refused safely', async () => {
    const answer = await raw(
      `GET /git/kept.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${'A'.repeat(100_000)}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });
});

describe('with the token', () => {
  it.each([
    ['/git/kept.git/HEAD'],
    ['/git/kept.git/config'],
    ['/git/kept.git/objects/info/packs'],
    [`/git/kept.git/objects/00/${'0'.repeat(38)}`],
    ['/git/kept.git/info/refs/'],
    ['/git/kept.git'],
    ['/git/kept.git/'],
    ['/git/'],
    ['/git/kept.git/git-upload-archive'],
    ['/git/kept.git/../../admin-token'],
    ['/git//kept.git/info/refs?service=git-upload-pack'],
    ['/git/kept.git//info/refs?service=git-upload-pack'],
    ['/git/x/kept.git/info/refs?service=git-upload-pack'],
  ])('%s does not exist', async (path) => {
    // Written by hand: fetch would tidy the path up.
    const answer = await raw(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${BASIC}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).not.toContain(TOKEN);
  });

  it.each([
    ['/git/%2e%2e/info/refs?service=git-upload-pack'],
    ['/git/..%2f..%2fadmin-token/info/refs?service=git-receive-pack'],
    ['/git/../info/refs?service=git-receive-pack'],
    ['/git/k%65pt.git/info/refs?service=git-upload-pack'],
    ['/git/kept%00.git/info/refs?service=git-upload-pack'],
    ['/git/-kept.git/info/refs?service=git-receive-pack'],
    ['/git/.git/info/refs?service=git-receive-pack'],
  ])('%s is not a valid app id', async (path) => {
    const answer = await raw(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${BASIC}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 (404|422) /);
    expect(answer).not.toContain('service=');
  });

  it.each([['git-upload-archive'], [''], ['git-receive-pack;rm']])(
    'the service "%s" is not supported',
    async (service) => {
      const answer = await ask(`/git/kept.git/info/refs?service=${encodeURIComponent(service)}`);
      expect(answer.status).toBe(403);
      expect(await answer.text()).toContain("Only git's smart protocol is supported");
    },
  );

  it('the dumb protocol is refused', async () => {
    expect((await ask('/git/kept.git/info/refs')).status).toBe(403);
  });

  it.each([['Hello'], ['a'], ['under_score'], ['-dash'], ['dash-'], ['with.dot'], ['x'.repeat(64)], ['caf%C3%A9']])(
    'git shows a sentence for the id %s',
    async (id) => {
      const push = await project.git('push', host.remote(id), 'main');
      expect(push.code).not.toBe(0);
      expect(push.output).toContain('is not a valid app id. Use 2 to 63 of a-z, 0-9 and "-"');
    },
  );

  it('git shows a sentence for a reserved id', async () => {
    const push = await project.git('push', host.remote('console'), 'main');
    expect(push.code).not.toBe(0);
    expect(push.output).toContain('The app id "console" is reserved. Choose another one.');
  });

  it('git shows a sentence for an app that does not exist', async () => {
    const clone = await run('git', ['clone', host.remote('nobody'), 'x'], project.folder);
    expect(clone.code).not.toBe(0);
    expect(clone.output).toContain('There is no app "nobody" yet. Create it with git push.');
  });

  it('the wrong method or type is refused before anything is created', async () => {
    expect((await ask('/git/new-one.git/git-receive-pack')).status).toBe(405);
    expect(
      (await ask('/git/kept.git/info/refs?service=git-receive-pack', { method: 'POST', body: '0000' })).status,
    ).toBe(405);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', UPLOAD, `${RECEIVE}x`]) {
      expect((await send('new-one', Buffer.from('0000'), { 'content-type': type })).status).toBe(415);
    }
    expect((await send('new-one', Buffer.from('0000'), { 'content-encoding': 'br' })).status).toBe(415);
  });
});

describe('a malformed body', () => {
  it.each([
    ['bytes that are no packets', Buffer.from('this is not what git says'), {}],
    ['an empty body', Buffer.alloc(0), {}],
    ['a flush alone', FLUSH, {}],
    ['what says that it is gzip', Buffer.from('no gzip at all'), { 'content-encoding': 'gzip' }],
    ['gzip that is cut off', gzipSync(Buffer.alloc(100_000, 'x')).subarray(0, 60), { 'content-encoding': 'gzip' }],
    ['a packet longer than the body', Buffer.from('ffff1234'), {}],
    [
      'a command without a pack',
      Buffer.concat([pkt(`${'0'.repeat(40)} ${'1'.repeat(40)} refs/heads/main\0report-status`), FLUSH]),
      {},
    ],
    [
      'a pack that is broken',
      Buffer.concat([
        pkt(`${'0'.repeat(40)} ${'1'.repeat(40)} refs/heads/main\0report-status`),
        FLUSH,
        Buffer.from('PACK\x00\x00\x00\x02\x00\x00\x00\x07broken'),
      ]),
      {},
    ],
    [
      'a ref outside of refs',
      Buffer.concat([pkt(`${'0'.repeat(40)} ${'1'.repeat(40)} ../../x\0report-status`), FLUSH]),
      {},
    ],
  ])('%s creates no app', async (_name, body, headers) => {
    const answer = await send('new-one', body, headers).then(
      (one) => one.text(),
      () => '',
    );
    expect(answer).not.toContain('ok refs/heads/main');
    await until('the app is gone again', async () => (await readdir(join(host.data, 'apps'))).length === 1);
  });

  it('a body that arrives byte by byte is parsed like any other', async () => {
    const clean = Buffer.concat([
      pkt(`${'0'.repeat(40)} ${commit} refs/notes/x\0report-status push-options`),
      FLUSH,
      pkt('some-option'),
      FLUSH,
      await packOf(project, commit),
    ]);
    const head = `POST /git/kept.git/git-receive-pack HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${BASIC}\r\nContent-Type: ${RECEIVE}\r\nContent-Length: ${clean.length}\r\nConnection: close\r\n\r\n`;
    const answer = await raw(
      head,
      [...clean].map((byte) => Uint8Array.of(byte)),
    );
    expect(answer).toContain('unpack ok');
    expect(answer).toContain('ng refs/notes/x only branches and tags can be pushed');
  });

  it('a client that disconnects in the middle of its pack leaves nothing behind', async () => {
    const start = Buffer.concat([pkt(`${'0'.repeat(40)} ${commit} refs/heads/main\0report-status`), FLUSH]);
    const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `POST /git/new-one.git/git-receive-pack HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${BASIC}\r\nContent-Type: ${RECEIVE}\r\nContent-Length: 9999999\r\n\r\n`,
    );
    socket.write(start);
    socket.write((await packOf(project, commit)).subarray(0, 50));
    await until(
      'git receives the pack',
      async () => (await readdir(join(host.data, 'apps'))).includes('new-one') && (await receivers()) > 0,
    );
    socket.destroy();
    await until('git is gone', async () => (await receivers()) === 0);
    await until('the app is gone again', async () => (await readdir(join(host.data, 'apps'))).length === 1);
  });
});

describe('a client that guesses tokens', () => {
  it('has to wait after some wrong ones, and is told so', async () => {
    const guess = (): Promise<Response> =>
      fetch(`${host.url}/git/kept.git/info/refs?service=git-receive-pack`, {
        headers: { authorization: `Basic ${Buffer.from('x:guess-guess-guess').toString('base64')}` },
      });
    const answer = await until('it has to wait', async () => {
      const one = await guess();
      return one.status === 429 && one;
    });
    expect(await answer.text()).toMatch(/Too many login attempts\. Try again in \d+ seconds/);
    // A moment later the right one is taken again.
    await until('the token is taken', async () => (await host.api('/apps')).ok, 15_000);
  });
});

/** How many git receive-pack run for this host. */
async function receivers(): Promise<number> {
  return (await processesWith(`${join(host.data, 'apps')}/`)).length;
}

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('authorization', BASIC);
  return fetch(`${host.url}${path}`, { ...init, headers });
}

function send(id: string, body: Buffer, headers: Record<string, string>): Promise<Response> {
  return ask(`/git/${id}.git/git-receive-pack`, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: { 'content-type': RECEIVE, ...headers },
  });
}

/** Speaks HTTP by hand. @returns everything that came back until the connection ended */
function raw(head: string, parts: Uint8Array[] = []): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
    socket.write(head);
    for (const part of parts) socket.write(part);
  });
}
