import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { LogFile } from '../../src/logs/log-file.js';
import { AppPort } from '../../src/runtime/process/app-port.js';
import { Ports } from '../../src/runtime/process/ports.js';
import { scratch } from '../helpers/ends.js';
import { portRange } from '../helpers/ports.js';

let ports: Ports;
let log: LogFile;

beforeEach(async () => {
  ports = new Ports(portRange(4));
  log = new LogFile(join(await scratch('app-port-'), 'run.log'));
});

async function holdAs(port: number): Promise<Server> {
  const stranger = createServer().listen(port, '127.0.0.1');
  await once(stranger, 'listening');
  return stranger;
}

it('an app keeps its port across restarts, unless another process has taken it', async () => {
  const port = new AppPort(ports, undefined);
  expect(await port.take()).toBe(true);
  const first = port.address.port;
  expect([await port.take(), port.address.port]).toEqual([false, first]);
  const stranger = await holdAs(first);
  expect([await port.take(), port.address.port === first, port.note]).toEqual([true, false, '']);
  await once(stranger.close(), 'close');
});

it('the log says which process holds the port that was requested', async () => {
  const wanted = await ports.reserve();
  ports.release(wanted);
  const stranger = await holdAs(wanted);
  const port = new AppPort(ports, wanted);
  await port.take();
  expect(port.note).toMatch(
    new RegExp(`^port ${wanted} is in use by \\S+ \\(pid ${process.pid}\\); using port ${port.address.port} instead$`),
  );
  await once(stranger.close(), 'close');
});

it("an app's port is remembered after its release, when other apps may take it", async () => {
  const port = new AppPort(ports, undefined);
  await port.take();
  const { address } = port;
  port.giveBack();
  expect(port.address).toEqual(address);
  expect(await Promise.all([1, 2, 3, 4].map(() => ports.reserve()))).toContain(address.port);
});

it('a port counts as lost only if the process says so about that very port', async () => {
  const port = new AppPort(ports, undefined);
  await port.take();
  for (const [line, lost] of [
    ['Port 5432 is already in use', false],
    [`Port 1${port.address.port} is not available`, false],
    [`Port ${port.address.port} is not available`, true],
  ] as const) {
    await log.append(line);
    expect(await port.wasLost(log), line).toBe(lost);
  }
});
