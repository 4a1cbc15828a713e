import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Engine } from '../../../../src/runtime/docker/engine.js';

let folder: string;
let socket: string;
let end: () => void;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-'));
  socket = join(folder, 'docker.sock');
  end = () => undefined;
});
afterEach(async () => {
  end();
  await rm(folder, { recursive: true, force: true });
});

/** Something that answers on the socket. */
async function answering(listener: RequestListener): Promise<Engine> {
  const server = createServer(listener).listen(socket);
  await once(server, 'listening');
  end = () => {
    server.closeAllConnections();
    server.close();
  };
  return new Engine(socket);
}

/** A Docker of a version, which lists where it is asked. */
function docker(facts: object, asked: string[] = []): RequestListener {
  return (request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    if (request.url === '/version') response.end(JSON.stringify(facts));
    else response.writeHead(404).end(JSON.stringify({ message: 'No such container: x' }));
  };
}

it('asks in the oldest version of the API that has all that is used, and in a later one where Docker demands it', async () => {
  const asked: string[] = [];
  const engine = await answering(docker({ Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12' }, asked));
  await engine.greet();
  expect(engine.version).toBe('20.10.24');
  expect(await engine.inspect('x')).toBeUndefined();
  end();
  const newer = await answering(docker({ Version: '29.0.1', ApiVersion: '1.52', MinAPIVersion: '1.44' }, asked));
  await newer.greet();
  await newer.inspect('x');
  expect(asked).toEqual([
    'GET /version',
    'GET /v1.41/containers/x/json',
    'GET /version',
    'GET /v1.44/containers/x/json',
  ]);
});

it('says what is wrong in one sentence where Docker is away, too old, or something else', async () => {
  await expect(new Engine(socket).greet()).rejects.toMatchObject({
    code: 'docker-unavailable',
    message: `Docker does not answer at ${socket} (there is no such socket). Start Docker, or name its socket with STREAMLIT_HOST_DOCKER_SOCKET.`,
  });
  const old = await answering(docker({ Version: '19.3.9', ApiVersion: '1.40' }));
  await expect(old.greet()).rejects.toThrow(`Docker 19.3.9 at ${socket} is too old. Install Docker 20.10 or later.`);
  end();
  const other = await answering((_, response) => response.end('<html>'));
  await expect(other.greet()).rejects.toThrow(`What answers at ${socket} is not Docker.`);
  end();
  const refusing = await answering((_, response) => response.writeHead(500).end('no'));
  await expect(refusing.greet()).rejects.toThrow('no');
});

it.skipIf(process.getuid?.() === 0)(
  'says where it has no rights on the socket (needs a user other than root)',
  async () => {
    const engine = await answering(docker({}));
    await chmod(socket, 0);
    await expect(engine.greet()).rejects.toThrow(`The server may not use Docker's socket, ${socket}.`);
  },
);

it('reports what Docker refuses in its words, and takes what is gone for gone', async () => {
  const engine = await answering((request, response) => {
    const missing = request.url?.includes('/gone/') ?? false;
    response.writeHead(missing ? 404 : 409).end(JSON.stringify({ message: 'it is so' }));
  });
  await expect(engine.start('one')).rejects.toMatchObject({ status: 409, message: 'it is so' });
  await expect(engine.attach('one')).rejects.toMatchObject({ status: 409, message: 'it is so' });
  await expect(engine.wait('gone', new AbortController().signal)).rejects.toMatchObject({ status: 404 });
  await expect(engine.remove('one')).resolves.toBeUndefined();
  await expect(engine.kill('gone', 'SIGTERM')).resolves.toBeUndefined();
});
