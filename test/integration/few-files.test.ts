import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

const LIMIT = 256;
const ROUNDS = 25;

let host: TestHost;
let project: Project;
let sockets: Socket[] = [];

beforeAll(async () => {
  host = await startHost({ under: ['sh', '-c', `ulimit -n ${LIMIT}; exec "$@"`, 'sh'] });
  project = await Project.create(textApp('text:one'));
  await pushLive(project, host, 'narrow');
});

afterEach(() => letGo());

function letGo(): void {
  for (const socket of sockets) socket.destroy();
  sockets = [];
}

const openFiles = async (): Promise<number> => (await readdir(`/proc/${host.pid}/fd`)).length;

/** A connection that says nothing: anybody can hold one, and each takes the server a file. */
function hold(): void {
  const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\n');
  sockets.push(socket);
}

/** Leaves the server so many files that it may still open. */
async function leave(files: number): Promise<void> {
  await until('it has no more', async () => {
    if ((await openFiles()) >= LIMIT - files) return true;
    hold();
    return false;
  });
}

/** Once the limit is lifted, nothing is left open, and a push is complete. */
async function expectRecovery(text: string): Promise<void> {
  letGo();
  await until('they are free again', async () => (await openFiles()) < LIMIT / 2);
  const pushed = await project.git('push', host.remote('narrow'), 'main');
  expect(pushed.code, `${pushed.output}\n${host.output.slice(-2_000)}`).toBe(0);
  expect(await visit(host, 'narrow')).toContain(text);
}

it.each([12, 4])(
  'a server limited to %i more open files survives pushes, clones and restarts, and completes them once the limit is lifted',
  async (files) => {
    await project.commit(textApp(`text:with-${files}`), 'Change');
    await leave(files);
    await project.git('ls-remote', host.remote('narrow'));
    await project.git('push', host.remote('narrow'), 'main');
    await host.send('POST', '/apps/narrow/restart', {}).catch(() => undefined);
    await expectRecovery(`text:with-${files}`);
  },
);

it('a server whose last open files come and go while it works survives, and leaves none of them open', async () => {
  const [before, open] = [host.output.length, await openFiles()];
  let working = true;
  const comeAndGo = async (): Promise<void> => {
    for (let round = 0; working; round += 1) {
      const spare = (round * 7) % 16;
      for (const until = Date.now() + 200; Date.now() < until; await setTimeout(10)) {
        const left = LIMIT - (await openFiles()) - spare;
        for (let one = 0; one < left; one += 1) hold();
        for (let one = 0; one < -left; one += 1) sockets.shift()?.destroy();
      }
    }
  };
  const work = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await project.commit(textApp(`text:round-${round}`), 'Change');
      // Whatever becomes of each.
      await Promise.allSettled([
        project.git('push', host.remote('narrow'), 'main'),
        visit(host, 'narrow'),
        host.send('POST', '/apps/narrow/restart', {}),
      ]);
    }
    working = false;
  };
  await Promise.all([comeAndGo(), work()]);
  await project.commit(textApp('text:afterwards'), 'Change');
  await expectRecovery('text:afterwards');
  // A push or two may still be over.
  await until('none is left open', async () => (await openFiles()) <= open + 5);
  expect(host.output.slice(before), 'they were never scarce').toContain('EMFILE');
});
