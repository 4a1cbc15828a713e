import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessLog } from '../../../src/logs/access-log.js';
import { LogFile } from '../../../src/logs/log-file.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'access-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

it('a request is one line: method, path, status and time, whatever the path contains', async () => {
  const file = new LogFile(join(folder, 'website.log'));
  const seen = accessLog(file);
  const server = createServer((request, response) => {
    seen(request, response, decodeURIComponent(request.url ?? ''));
    response.writeHead(request.method === 'GET' ? 200 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await (await fetch(`${url}/console/`)).text();
  await (await fetch(`${url}/a%0A%1b%5b2J`, { method: 'POST' })).text();
  await new Promise((resolve) => server.close(resolve));
  await file.append('end');
  const lines = (await readFile(file.path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\[[^\]]+\] /, '').replace(/\d+ ms$/, 'n ms'));
  expect(lines).toEqual(['GET /console/ 200 n ms', 'POST /a??[2J 404 n ms', 'end']);
});
