import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { isFree, Ports } from '../../../../src/runtime/process/ports.js';
import { portRange } from '../../../helpers/ports.js';

async function listening(host: string, port = 0): Promise<{ port: number; close: () => Promise<unknown> }> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  return { port: (server.address() as { port: number }).port, close: () => once(server.close(), 'close') };
}

test('concurrent callers get different ports, and the last one is told that there is none', async () => {
  const ports = new Ports(portRange(5));
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => ports.reserve()));
  const given = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  expect(new Set(given).size).toBe(5);
  expect(results.filter((result) => result.status === 'rejected')).toMatchObject([
    { reason: { code: 'ports-used-up' } },
  ]);
  ports.release(given[0] ?? 0);
  expect(await ports.reserve()).toBe(given[0]);
});

test('a released port is not reused while others are free', async () => {
  const ports = new Ports(portRange(3));
  const first = await ports.reserve();
  ports.release(first);
  expect(await ports.reserve()).not.toBe(first);
});

test('a port in use by another program, or held for an adopted process, is skipped', async () => {
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const stranger = await listening(host);
    expect(await isFree(stranger.port)).toBe(false);
    await expect(new Ports({ min: stranger.port, max: stranger.port }).reserve()).rejects.toThrow('All ports from');
    await stranger.close();
    expect(await isFree(stranger.port)).toBe(true);
    const ports = new Ports({ min: stranger.port, max: stranger.port });
    ports.hold(stranger.port);
    await expect(ports.reserve()).rejects.toThrow('STREAMLIT_HOST_PORT_MAX');
  }
});

test('a requested port is given if it is free, and reserved for its app while there are others', async () => {
  const { min, max } = portRange(3);
  const ports = new Ports({ min, max });
  ports.spare([min, 60_123]);
  expect(await ports.propose(new Set([min]))).toBe(min + 1);
  expect([await ports.reserve(), await ports.reserve(min)]).toEqual([min + 1, min]);
  // Taken already, and nobody else is spared: any other will do.
  expect(await ports.reserve(min)).toBe(min + 2);
  ports.release(min);
  expect(await ports.reserve()).toBe(min);
  expect(await ports.propose(new Set())).toBeUndefined();
});
