import { once } from 'node:events';
import { createServer, request as ask, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GitService, type GitProcess } from '../../../src/git/service.js';
import { TestData } from '../../helpers/data.js';
import { FLUSH, pkt } from '../../../src/git/pkt.js';

let data: TestData;
let server: Server;
/** Starts what answers the next request. */
let start: (service: GitService, folder: string) => Promise<GitProcess>;
/** Whether the last answer was whole. */
let whole: boolean | undefined;

beforeEach(async () => {
  [data, whole] = [await TestData.open(), undefined];
  await data.commit('shop', { 'app.py': 'x = 1\n' });
  const { path: folder } = await data.repository('shop');
  const service = new GitService({
    env: data.git.env,
    hooks: '/nowhere',
    maxPush: 1_000,
    // It may answer before it has read the end of what the client sends.
    logger: { warn: () => undefined },
  });
  server = createServer((request, response) => {
    void (async () => {
      const git = await start(service, folder);
      const fed = git.feed(request, request.headers['content-encoding'] === 'gzip', () => undefined);
      whole = await git.answer(response);
      await fed;
      response.end();
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await data.close();
});

async function post(body: Buffer, headers: Record<string, string> = {}): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const asked = ask({ host: '127.0.0.1', port, method: 'POST', agent: false, headers });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return text(answer);
}

const listing = Buffer.concat([pkt('command=ls-refs\n'), FLUSH]);

it('git gets what a client sends, compressed or not, and the client gets the answer', async () => {
  start = (service, folder) => service.start('git-upload-pack', folder, { version: 'version=2' });
  expect(await post(listing)).toContain('refs/heads/main');
  expect(await post(gzipSync(listing), { 'content-encoding': 'gzip' })).toContain('refs/heads/main');
  expect(whole).toBe(true);
});

it('the answer of a git that was stopped does not count as whole', async () => {
  start = async (service, folder) => {
    const git = await service.start('git-upload-pack', folder, { version: 'version=2' });
    git.stop();
    return git;
  };
  await post(Buffer.alloc(0));
  expect(whole).toBe(false);
});
