import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AlertsAnswer, NewDestinationAnswer } from '../../../src/web/api/alerts.js';
import { startHost, until, type TestHost } from '../../helpers/host.js';
import { Person } from '../../helpers/person.js';
import { Project } from '../../helpers/project.js';
import { pushLive } from '../../helpers/pushing.js';
import { ask } from '../../helpers/web.js';
import { OPENED } from '../../helpers/forms.js';

// What goes wrong with an app reaches a real mail server and a real receiver of webhooks, each message once.

const mails: string[] = [];
const posts: { headers: IncomingHttpHeaders; body: string; answered: number }[] = [];
/** The statuses of the next answers to webhooks; 200 after them. */
const answers: number[] = [];

const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onData(stream, _session, done) {
    void text(stream).then((mail) => {
      mails.push(mail);
      done();
    });
  },
});
const receiver = createServer((request, answer) => {
  void text(request).then((body) => {
    const answered = answers.shift() ?? 200;
    posts.push({ headers: request.headers, body, answered });
    answer.writeHead(answered).end();
  });
});

let host: TestHost;
let person: Person;
let webhook: NewDestinationAnswer;

beforeAll(async () => {
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  host = await startHost({
    env: {
      STREAMLIT_HOST_SMTP_URL: `smtp://127.0.0.1:${(smtp.server.address() as AddressInfo).port}`,
      STREAMLIT_HOST_MAIL_FROM: 'Apps <apps@host.example>',
    },
  });
  await host.send('POST', '/apps', { name: 'Shop' });
  person = await Person.of(host);
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await new Promise<void>((resolve) => smtp.close(resolve));
});

const subjects = (): string[] => mails.map((mail) => /^Subject: (.*)$/m.exec(mail)?.[1]?.trim() ?? '');
const titles = (status: number): string[] =>
  posts
    .filter(({ answered }) => answered === status)
    .map(({ body }) => (JSON.parse(body) as { data: { title: string } }).data.title);
const LIMIT_MS = 40_000;

test('destinations are added on the command line and over the API, and a test reaches them', async () => {
  const added = await person.run(['alerts', 'add', 'email', 'ada@example.com', '--app', 'shop']);
  expect(added.stdout).toMatch(/^[0-9a-f]{12}\n$/);
  const address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook/secret-path`;
  const made = await host.send('POST', '/server/alerts/destinations', { kind: 'webhook', address, name: 'Ops' });
  webhook = (await made.json()) as NewDestinationAnswer;
  expect(webhook).toMatchObject({ address: new URL(address).host, name: 'Ops' });
  expect(await person.run(['alerts', 'test', added.stdout.trim(), '--app', 'shop'])).toMatchObject({
    stdout: 'Test sent.\n',
  });
  expect(subjects()).toEqual(['Test from streamlit-host']);
  expect(mails[0]).toMatch(/^From: Apps <apps@host\.example>$/m);
  answers.push(503);
  const refused = await person.run(['alerts', 'test', webhook.id]);
  expect(refused.stderr).toContain('The test was not delivered: it answered with status 503.');
  expect(refused.code).toBe(1);
  expect((await person.run(['alerts', 'test', webhook.id])).code).toBe(0);
  const headers = posts.at(-1)?.headers ?? {};
  const body = posts.at(-1)?.body ?? '';
  const key = Buffer.from((webhook.secret ?? '').replace('whsec_', ''), 'base64');
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
});

test('a deploy that failed is told once by mail and once by webhook, though the receiver failed at first', async () => {
  mails.length = posts.length = 0;
  answers.push(500);
  const project = await Project.create({
    'requirements.txt': 'streamlit\n',
    'app.py': 'import streamlit as st\n1 / 0\n',
  });
  const { code } = await project.git('push', host.remote('shop'), 'main');
  expect(code).toBe(1);
  await until('the mail', () => mails.length > 0, LIMIT_MS);
  await until('the second try of the webhook', () => titles(200).length > 0, LIMIT_MS);
  expect(subjects()).toEqual(['Shop: Deploy failed']);
  expect(mails[0]).toContain('Release 1 could not be deployed.');
  expect(titles(500)).toEqual(['Shop: Deploy failed']);
  expect(titles(200)).toEqual(['Shop: Deploy failed']);
  expect(new Set(posts.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  const shown = (await (await host.api('/server/alerts')).json()) as AlertsAnswer;
  expect(shown.alerts).toMatchObject([{ rule: 'deploy-failed', app: 'shop' }]);
  expect(shown.deliveries[0]).toMatchObject({ state: 'delivered', tries: 2, problem: null });
  expect((await person.run(['alerts', '--app', 'shop'])).stdout).toMatch(
    /^shop: Release 1 could not be deployed\..* ago\)\n/,
  );

  mails.length = posts.length = 0;
  await project.commit({ 'app.py': 'import streamlit as st\nst.write("hello")\n' }, 'Divide by something else');
  await pushLive(project, host, 'shop');
  await until('both to be told', () => mails.length > 0 && posts.length > 0, LIMIT_MS);
  expect(mails[0]).toContain('Release 2 is live.');
  expect(titles(200)).toEqual(['Shop: Recovered – Deploy failed']);
  expect(posts[0]?.body).toContain('"kind":"passed"');
});

test('the console shows alerts and destinations without their secrets, and another server knows them', async () => {
  const cookie = (await ask(host.loginUrl, { headers: OPENED })).headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const page = await ask(`${host.url}/console/alerts`, { headers: { cookie } });
  expect(page.text).toContain('Ops');
  expect(page.text).toContain('Recovered – Deploy failed');
  const own = await ask(`${host.url}/console/apps/shop/alerts`, { headers: { cookie } });
  expect(own.text).toContain('ada@example.com');
  for (const shown of [
    page.text,
    own.text,
    host.output,
    JSON.stringify(await (await host.api('/server/alerts')).json()),
  ])
    for (const secret of ['secret-path', webhook.secret ?? '?']) expect(shown).not.toContain(secret);
  const sent = mails.length + posts.length;
  await host.stop({ keepData: true });
  const next = await startHost({ data: host.data });
  const { destinations, deliveries } = (await (await next.api('/server/alerts')).json()) as AlertsAnswer;
  expect(destinations).toMatchObject([{ kind: 'webhook', name: 'Ops' }]);
  expect(deliveries.map(({ state }) => state)).toEqual(['delivered', 'delivered']);
  expect(mails.length + posts.length).toBe(sent);
});
