import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive, visit } from '../helpers/pushing.js';

const LIMIT = 256;

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

/** Leaves the server so many files that it may still open: anybody can hold a connection and say nothing. */
async function leave(files: number): Promise<void> {
  await until('it has no more', async () => {
    if ((await openFiles()) >= LIMIT - files) return true;
    const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n');
    sockets.push(socket);
    return false;
  });
}

it.each([12, 10, 8, 4])(
  'a server limited to %i more open files survives pushes, clones and restarts, and completes them once the limit is lifted',
  async (files) => {
    await project.commit(textApp(`text:with-${files}`), 'Change');
    await leave(files);
    await project.git('ls-remote', host.remote('narrow'));
    await project.git('push', host.remote('narrow'), 'main');
    await host.send('POST', '/apps/narrow/restart', {}).catch(() => undefined);
    letGo();
    await until('they are free again', async () => (await openFiles()) < LIMIT / 2);
    const pushed = await project.git('push', host.remote('narrow'), 'main');
    expect(pushed.code, `${pushed.output}\n${host.output.slice(-2_000)}`).toBe(0);
    expect(await visit(host, 'narrow')).toContain(`text:with-${files}`);
  },
);
