import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { OtlpExport } from '../../../src/metrics/otlp-export.js';

it('an endpoint that does not answer holds up the end of a server only briefly, and is not told of after it', async () => {
  const told: string[] = [];
  let ask: (answer: ServerResponse) => void;
  const asked = new Promise<ServerResponse>((resolve) => (ask = resolve));
  const server = createServer((_, answer) => ask(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`;
  const logger = { warn: (_: object, text: string) => told.push(text), info: (text: string) => told.push(text) };
  const exported = new OtlpExport({ url, headers: {}, everyMs: 1, metrics: () => ({}), logger });
  try {
    exported.begin();
    const answer = await asked;
    const ended = new Promise<void>((resolve) => answer.once('close', resolve));
    await exported.close(10);
    expect(answer.closed).toBe(false);
    answer.destroy();
    await ended;
    expect(told).toEqual([]);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
