import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it, vi } from 'vitest';
import type { LogLine } from '../../../src/drains/buffer.js';
import { Drain } from '../../../src/drains/drain.js';
import { sinkTo, syslogFrame } from '../../../src/drains/sinks.js';

const QUICK = { least: 5, most: 20 };
const line = (message: string): LogLine => ({ app: 'shop', release: 3, at: 1_800_000_000_000, text: message });
const open: { close(): void }[] = [];
const drains: Drain[] = [];
afterEach(async () => {
  for (const drain of drains.splice(0)) await drain.close(0);
  for (const each of open.splice(0)) each.close();
});

const until = (holds: () => boolean): Promise<unknown> => vi.waitUntil(holds, { interval: 2, timeout: 5_000 });

async function listen<S extends Server | HttpServer>(server: S): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(server);
  return (server.address() as AddressInfo).port;
}

function drainTo(address: string, anywhere = true, token?: string): Drain {
  const drain = new Drain(sinkTo({ address, anywhere, token }), QUICK);
  drains.push(drain);
  return drain;
}

it('a message of syslog has its length before it, in bytes', () => {
  const frame = syslogFrame(line('größer'), 'box');
  const message = '<14>1 2027-01-15T08:00:00.000Z box shop 3 - - größer';
  expect(frame).toBe(`${Buffer.byteLength(message)} ${message}`);
});

it('JSON lines are sent again until they are taken, each once', async () => {
  const bodies: string[] = [];
  const answers = [500, 503];
  const tokens = new Set<string | undefined>();
  const port = await listen(
    createHttp((request, answer) => {
      tokens.add(request.headers.authorization);
      void text(request).then((body) => {
        const status = answers.shift() ?? 200;
        if (status === 200) bodies.push(body);
        answer.writeHead(status).end();
      });
    }),
  );
  const drain = drainTo(`http://127.0.0.1:${port}/x`, true, 'secret');
  drain.push([line('one'), line('two')]);
  await until(() => drain.state.sent === 2);
  drain.push([line('three')]);
  await until(() => drain.state.sent === 3);
  const lines = bodies.flatMap((body) =>
    body
      .trim()
      .split('\n')
      .map((each) => JSON.parse(each) as object),
  );
  expect(lines).toMatchObject([
    { time: '2027-01-15T08:00:00.000Z', app: 'shop', release: 3, message: 'one' },
    { message: 'two' },
    { message: 'three' },
  ]);
  expect([...tokens]).toEqual(['Bearer secret']);
  expect(drain.state).toEqual({ sent: 3, dropped: 0, problem: undefined });
});

it('a syslog server that goes away and comes back gets what was printed meanwhile', async () => {
  let received = '';
  const sockets = new Set<Socket>();
  const start = (): Server =>
    createServer((socket) => {
      sockets.add(socket);
      socket.on('data', (data) => (received += data.toString()));
      socket.on('error', () => undefined);
    });
  const first = start();
  const port = await listen(first);
  const drain = drainTo(`syslog://127.0.0.1:${port}`);
  drain.push([line('before')]);
  await until(() => received.includes('before'));
  await new Promise<void>((resolve) => {
    first.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
  await until(() => {
    drain.push([line('meanwhile')]);
    return drain.state.problem !== undefined;
  });
  expect(drain.state.problem).toBe('It refuses connections.');
  const second = start();
  open.push(second);
  await new Promise<void>((resolve) => second.listen(port, '127.0.0.1', resolve));
  drain.push([line('after')]);
  await until(() => received.includes('after'));
  await until(() => drain.state.problem === undefined);
});

it('lines that had to be dropped are counted, and the drain is told how many', async () => {
  let received = '';
  let up = false;
  const port = await listen(
    createHttp((request, answer) => {
      void text(request).then((body) => {
        if (up) received += body;
        answer.writeHead(up ? 200 : 503).end();
      });
    }),
  );
  const drain = drainTo(`http://127.0.0.1:${port}/`);
  for (let block = 0; block < 11; block += 1) drain.push(Array.from({ length: 1_000 }, () => line('x')));
  await until(() => drain.state.problem !== undefined);
  // Also while none is told of it.
  expect(drain.state.dropped).toBe(1_000);
  up = true;
  await until(() => drain.state.sent === 10_000);
  expect(received).toContain('1000 lines were dropped, since the drain was not reached or too slow.');
  expect(drain.state).toEqual({ sent: 10_000, dropped: 1_000, problem: undefined });
});

it('private addresses of a member are never connected to', async () => {
  let connections = 0;
  const port = await listen(createServer(() => (connections += 1)));
  for (const address of [
    `syslog+tls://localhost:${port}`,
    `syslog+tls://127.0.0.1:${port}`,
    `https://127.0.0.1:${port}`,
  ]) {
    const drain = drainTo(address, false);
    drain.push([line('x')]);
    await until(() => drain.state.problem !== undefined);
    expect(drain.state.problem).toContain('Its address is not public.');
  }
  expect(connections).toBe(0);
});

it('a drain that is removed while it connects leaves no connection open', async () => {
  let opened = 0;
  let closed = 0;
  // It never answers the handshake.
  const server = createServer((socket) => {
    opened += 1;
    socket.resume();
    socket.on('error', () => undefined).on('close', () => (closed += 1));
  });
  const sink = sinkTo({ address: `syslog+tls://127.0.0.1:${await listen(server)}`, anywhere: true });
  const sent = sink.send({ lines: [line('x')], dropped: 0 });
  const rejected = expect(sent).rejects.toThrow('The connection failed.');
  await until(() => opened === 1);
  sink.close();
  await rejected;
  await until(() => closed === 1);
  await expect(sink.send({ lines: [line('y')], dropped: 0 })).rejects.toThrow();
  expect(opened).toBe(1);
});
