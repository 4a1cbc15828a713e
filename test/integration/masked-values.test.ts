import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { ConfiguredApp, filesWith } from '../helpers/configured.js';
import { OPENED } from '../helpers/forms.js';
import { startHost, TOKEN, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { visit } from '../helpers/pushing.js';
import { ask } from '../helpers/web.js';

it('a value that the app prints is masked for the pusher and in every log of the API and console, and cannot be searched for', async () => {
  const host = await startHost();
  const app = await ConfiguredApp.create(host, 'loud');
  await app.set('PUT', 'config', { vars: { API_KEY: app.one, SHORT: 'abc' } });
  await app.set('PUT', 'secrets', { toml: `password = "${app.two}"\n` });
  const code = `import base64, os\nimport streamlit as st\n\nprint("key is", os.environ["API_KEY"], os.environ["SHORT"], flush=True)\nprint("coded", base64.b64encode(("user:" + st.secrets["password"]).encode()).decode(), flush=True)\nst.write("text:loud")\n`;
  const loud = await Project.create({
    'app.py': `${code}raise RuntimeError("cannot log in with " + os.environ["password"])\n`,
    'requirements.txt': 'streamlit\n',
  });
  const failed = await loud.git('push', host.remote(app.id), 'main');
  expect(failed.code).toBe(1);
  expect(failed.output).toContain('RuntimeError: cannot log in with ••••');
  expect(failed.output).toContain('key is •••• abc');
  await loud.commit({ 'app.py': code }, 'Calmer');
  const push = await loud.git('push', host.remote(app.id), 'main');
  expect(push.code, push.output).toBe(0);
  await visit(host, app.id);
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const bad = new RegExp(
    `${app.one}|${app.two}|${base64(app.two).slice(0, 20)}|${base64(`user:${app.two}`).slice(8, 28)}`,
  );
  const logs = [
    '?tail=500',
    '?download=1',
    '?source=build&release=1',
    '?source=build&release=1&download=1',
    '?source=build',
    '?q=key',
  ];
  const said = await Promise.all(logs.map(async (query) => (await app.api(`/logs${query}`)).text()));
  said.push(await (await app.api('/logs', { headers: { accept: 'text/plain' } })).text());
  said.push(
    await (await app.api('/deploys/1')).text(),
    await followed(host, '/apps/loud/logs?follow=1&tail=500', 'key is'),
  );
  const cookie = (await ask(host.loginUrl, { headers: OPENED })).headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  for (const page of ['', '/logs', '/deploys/1', '/logs?q=key'])
    said.push(await page200(`${host.url}/console/apps/loud${page}`, cookie));
  for (const text of [...said, push.output, failed.output]) expect(text).not.toMatch(bad);
  expect(said.filter((text) => text.includes('key is •••• abc')).length).toBe(12);
  const guess = async (text: string): Promise<unknown> => (await app.api(`/logs?q=${text}&tail=1`)).json();
  expect(await guess(app.one.slice(0, 12))).toMatchObject({ lines: [], truncated: false });
  expect(await guess('nobody-says-this')).toMatchObject({ lines: [], truncated: false });
  expect(host.output).not.toMatch(bad);
  // The app's own log is the one file that holds what the app itself prints.
  const files = await filesWith(host, app.one);
  expect(files.length).toBeGreaterThan(0);
  expect(files.every((file) => file.endsWith('run.log'))).toBe(true);
});

/** A page as a browser without Sec-Fetch headers gets it; fetch would say that it is a script. */
async function page200(url: string, cookie: string): Promise<string> {
  const [answer] = (await once(get(url, { headers: { cookie } }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  expect([url, answer.statusCode]).toEqual([url, 200]);
  return text;
}

/** Reads an event stream until it holds a text. */
async function followed(host: TestHost, path: string, text: string): Promise<string> {
  const stop = new AbortController();
  const answer = await fetch(`${host.url}/api${path}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
    signal: stop.signal,
  });
  let said = '';
  for await (const chunk of answer.body ?? []) {
    said += Buffer.from(chunk as Uint8Array).toString('utf8');
    if (said.includes(text) && said.endsWith('\n\n')) break;
  }
  stop.abort();
  return said;
}
