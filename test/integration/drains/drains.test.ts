import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer as createTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DrainsAnswer } from '../../../src/web/api/drains.js';
import { scratch } from '../../helpers/ends.js';
import { startHost, until, type TestHost } from '../../helpers/host.js';
import { Person } from '../../helpers/person.js';
import { Project } from '../../helpers/project.js';
import { pushLive } from '../../helpers/pushing.js';
import { StreamlitClient } from '../../helpers/streamlit-client.js';

// What a real app prints reaches a syslog server over TLS and a receiver of JSON lines that fails at first.

const SECRET = 'a-value-that-nobody-may-see';
const SCRIPT = `import os
import streamlit as st

print("visited with", os.environ["API_KEY"], flush=True)
st.write("drained")
`;

let host: TestHost;
let person: Person;
let syslog = '';
const posts: { headers: IncomingHttpHeaders; body: string }[] = [];
const answers = [500];
/** What was exported by OTLP, by path. */
const exported: Record<string, string[]> = {};
const receiver = createServer((request, answer) => {
  void text(request).then((body) => {
    if (request.url?.startsWith('/otel/') === true) {
      if (request.headers['api-key'] === 'the key') (exported[request.url] ??= []).push(body);
      answer.end('{}');
      return;
    }
    const status = answers.shift() ?? 204;
    if (status === 204) posts.push({ headers: request.headers, body });
    answer.writeHead(status).end();
  });
});
let secure: ReturnType<typeof createTls>;

beforeAll(async () => {
  const folder = await scratch('drains-');
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert],
  ]);
  secure = createTls({ key: await readFile(key), cert: await readFile(cert) }, (socket) => {
    socket.on('data', (data: Buffer) => (syslog += data.toString()));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  host = await startHost({
    env: {
      NODE_EXTRA_CA_CERTS: cert,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/otel`,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=the%20key',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
    },
  });
  person = await Person.of(host);
  await host.send('POST', '/apps', { name: 'Shop' });
  await host.send('PATCH', '/apps/shop/config', { vars: { API_KEY: SECRET } });
  await pushLive(await Project.create({ 'requirements.txt': 'streamlit\n', 'app.py': SCRIPT }), host, 'shop');
});
afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
  secure.close();
});

async function visit(from: TestHost): Promise<void> {
  const client = await StreamlitClient.connect(`${from.url}/apps/shop/`);
  await client.run();
  await client.close();
}

const logs = (): string => (exported['/otel/v1/logs'] ?? []).join('');
const messages = (): string[] =>
  posts.flatMap(({ body }) =>
    body
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message),
  );

test('a new line reaches all drains once, with its secrets masked, and no line from before', async () => {
  const port = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
  // The deploy has run the script once. A drain that is added before that line was read gets it as well.
  await until('the line of the deploy', () => logs().includes('visited with'));
  const added = await person.run(['drains', 'add', '--app', 'shop'], {
    input: `http://127.0.0.1:${port(receiver)}/secret-path\nthe-token\n`,
  });
  expect(added.stdout).toMatch(/^[0-9a-f]{12}\n$/);
  await host.send('POST', '/server/drains', { address: `syslog+tls://localhost:${port(secure)}` });
  await visit(host);
  await until('the line in JSON', () => messages().some((message) => message.startsWith('visited')));
  await until('the line in syslog', () => syslog.includes('visited'));
  expect(messages().filter((message) => message.startsWith('visited'))).toHaveLength(1);
  expect(syslog).toMatch(/\d+ <14>1 \S+Z \S+ shop 1 - - visited with /);
  expect(posts[0]?.headers).toMatchObject({
    authorization: 'Bearer the-token',
    'content-type': 'application/x-ndjson',
  });
  const { drains } = (await (await host.api('/apps/shop/drains')).json()) as DrainsAnswer;
  expect(drains).toMatchObject([{ dropped: 0, problem: null }]);
  const shown = (await person.run(['drains', '--app', 'shop'])).stdout;
  expect(shown).toContain(`http://127.0.0.1:${port(receiver)}`);
  for (const where of [syslog, JSON.stringify(posts), shown]) expect(where).not.toContain(SECRET);
  for (const where of [JSON.stringify(drains), shown, host.output]) expect(where).not.toContain('secret-path');
});

test('the same line and all metrics are exported by OTLP', async () => {
  await until('the line of the visit', () => logs().split('visited with').length > 2);
  expect(logs()).toContain('{"key":"service.name","value":{"stringValue":"shop"}}');
  expect(logs()).not.toContain(SECRET);
  const metrics = await until('the metrics', () => exported['/otel/v1/metrics']?.at(-1));
  expect(metrics).toContain('{"name":"streamlit_host_app_up",');
  expect(metrics).toContain('"attributes":[{"key":"app","value":{"stringValue":"shop"}}]');
  expect(Object.keys(exported).sort()).toEqual(['/otel/v1/logs', '/otel/v1/metrics']);
});

test('the next server continues where this one has stopped', async () => {
  await host.stop({ keepData: true, keepApps: true });
  posts.length = 0;
  const next = await startHost({ data: host.data });
  await visit(next);
  await until('the next line', () => messages().some((message) => message.startsWith('visited')));
  expect(messages().filter((message) => message.startsWith('visited'))).toHaveLength(1);
  expect((await person.run(['drains', '--json'])).code).toBe(3);
  const { drains } = (await (await next.api('/apps/shop/drains')).json()) as DrainsAnswer;
  expect((await next.api(`/apps/shop/drains/${drains[0]?.id ?? ''}`, { method: 'DELETE' })).status).toBe(204);
  expect((await next.api('/apps/shop/drains/none', { method: 'DELETE' })).status).toBe(404);
});
