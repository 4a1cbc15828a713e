import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { basename } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { startHost, TOKEN, until, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { socketOf } from '../helpers/sockets.js';
import { pushLive } from '../helpers/pushing.js';
import { closeOf } from '../helpers/raw.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

// What Streamlit and its visitors may ask of a proxy, on a real server with a real Streamlit. What needs an exact other
// side is tested in gateway-streams.test.ts.

const MB = 1024 * 1024;

/** An app that tells what reaches it: as a script, and with routes of its own as an `st.App`. */
const FILES = {
  'requirements.txt': 'streamlit\n',
  'pyproject.toml': '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
  'src/own_package/__init__.py': 'WORD = "from src"\n',
  'app.py': `import own_package
import streamlit as st
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute

async def hello(request):
    name = request.path_params.get("name")
    return JSONResponse({"url": request.url_for("hello").path, "base": request.base_url.path, "name": name})

async def word(request):
    return JSONResponse({"word": own_package.WORD})

async def talk(socket):
    await socket.accept()
    await socket.send_text("heard " + await socket.receive_text())
    await socket.close()

async def echo(request):
    size = 0
    async for part in request.stream():
        size += len(part)
    return JSONResponse({
        "method": request.method,
        "raw": request.scope["raw_path"].decode("latin-1"),
        "query": request.scope["query_string"].decode("latin-1"),
        "headers": dict(request.headers),
        "size": size,
    })

async def cookies(request):
    response = Response("ok")
    for cookie in (
        "_streamlit_session=state-of-" + request.path_params["app"] + "; Path=/; HttpOnly",
        "_streamlit_xsrf=2|ab|cd|17; Path=/; SameSite=Lax",
        "plain=a b\\"c,d; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/",
        "streamlit_host_session=stolen; Path=/",
    ):
        response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
    return response

app = st.App("main.py", routes=[
    Route("/apps/{app}/echo/{rest:path}", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    Route("/apps/{app}/cookies", cookies),
    Route("/hello/{name}", hello, name="hello-name"),
    Route("/hello", hello, name="hello"),
    Route("/word", word),
    Mount("/below", routes=[Route("/hello", hello)]),
    WebSocketRoute("/talk", talk),
])
`,
  'main.py': `import json
import streamlit as st

st.session_state.runs = st.session_state.get("runs", 0) + 1
st.text("runs=%d" % st.session_state.runs)
st.text("headers=" + json.dumps({k.lower(): v for k, v in st.context.headers.items()}))
st.text("cookies=" + json.dumps(dict(st.context.cookies)))
st.audio(bytes(range(256)) * 64, format="audio/wav")
if "big" in st.query_params:
    st.text("b" * int(st.query_params["big"]))
`,
};

let host: TestHost;
let project: Project;
let idle: StreamlitClient;
let app: string;
let socketPath: string;

beforeAll(async () => {
  host = await startHost({ env: { STREAMLIT_HOST_HOSTS: 'apps.example.com' } });
  project = await Project.create(FILES);
  for (const id of ['demo', 'other']) await pushLive(project, host, id);
  app = `${host.url}/apps/demo/`;
  socketPath = await socketOf(host, 'demo');
  idle = await StreamlitClient.connect(app);
  await idle.run();
});

afterAll(async () => {
  await idle?.close();
});

test("an st.App's own routes answer below its path, and so do its WebSockets", async () => {
  const answer = async (path: string): Promise<unknown> => (await fetch(app + path)).json();
  expect(await answer('hello')).toEqual({ url: '/apps/demo/hello', base: '/apps/demo/', name: null });
  expect(await answer('hello/you')).toMatchObject({ url: '/apps/demo/hello', name: 'you' });
  expect(await answer('~1/below/hello')).toEqual({ url: '/apps/demo/hello', base: '/apps/demo/', name: null });
  const socket = new WebSocket(`${app.replace('http', 'ws')}talk`);
  await once(socket, 'open');
  socket.send('you');
  const [said] = (await once(socket, 'message')) as [Buffer];
  expect(said.toString()).toBe('heard you');
  // Other paths are still Streamlit's.
  expect(await (await fetch(`${app}page`)).text()).toContain('<div id="root">');
});

test('an app gets the request headers that it asks for, and never the token of this server', async () => {
  const asking = await Project.create({
    ...FILES,
    'streamlit-host.toml': '[requests]\nheaders = ["Authorization", "X-Api-Key"]\n',
  });
  await pushLive(asking, host, 'asking');
  const reaches = async (id: string, headers: Record<string, string>): Promise<Record<string, string>> => {
    const { body } = await ask(`/apps/${id}/echo/`, { headers });
    return (JSON.parse(body) as { headers: Record<string, string> }).headers;
  };
  const headers = { authorization: 'Bearer theirs', 'x-api-key': 'key', 'x-email': 'boss' };
  expect(await reaches('asking', headers)).toMatchObject({ authorization: 'Bearer theirs', 'x-api-key': 'key' });
  expect(await reaches('asking', headers)).not.toHaveProperty('x-email');
  expect(await reaches('asking', { authorization: `Bearer ${TOKEN}` })).not.toHaveProperty('authorization');
  for (const name of Object.keys(headers)) expect(await reaches('demo', headers)).not.toHaveProperty(name);
});

test('the packages of a project with a src folder can be imported, as if the project were installed', async () => {
  expect(await (await fetch(`${app}word`)).json()).toEqual({ word: 'from src' });
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Asks with the path and the headers just as they are given. */
async function ask(
  path: string,
  options: { headers?: Record<string, string>; method?: string; socketPath?: string } = {},
): Promise<Answer> {
  const asked = httpRequest({
    host: '127.0.0.1',
    port: Number(new URL(host.url).port),
    socketPath: options.socketPath,
    path,
    agent: false,
    method: options.method ?? 'GET',
    headers: options.headers,
  });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let body = '';
  for await (const part of answer.setEncoding('utf8')) body += part as string;
  return { status: answer.statusCode ?? 0, headers: answer.headers, body };
}

interface Echo {
  method: string;
  raw: string;
  query: string;
  headers: Record<string, string>;
  size: number;
}

async function echo(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Echo> {
  const answer = await ask(`/apps/demo/echo/${path}`, { headers, method });
  expect(answer.status, answer.body).toBe(200);
  return JSON.parse(answer.body) as Echo;
}

/** What the script sees of a page that connects with these headers. */
async function seen(
  headers: Record<string, string>,
): Promise<{ headers: Record<string, string>; cookies: Record<string, string> }> {
  const page = await StreamlitClient.connect(app, { headers });
  try {
    await page.run();
    return {
      headers: JSON.parse(page.text('headers=')) as Record<string, string>,
      cookies: JSON.parse(page.text('cookies=')) as Record<string, string>,
    };
  } finally {
    await page.close();
  }
}

test("1: the visitor's Host header reaches the app", async () => {
  expect((await echo('x', { host: 'apps.example.com:8443' })).headers.host).toBe('apps.example.com:8443');
  const there = await seen({ host: 'apps.example.com', origin: 'http://apps.example.com' });
  expect(there.headers.host).toBe('apps.example.com');
});

test('2: the subprotocols reach the app unchanged, and its choice comes back', async () => {
  const page = await StreamlitClient.connect(app, { session: 'no-such-session' });
  await page.run();
  expect(page.socket.protocol).toBe('streamlit');
  const headers = JSON.parse(page.text('headers=')) as Record<string, string>;
  expect(headers['sec-websocket-protocol']?.split(/, ?/)).toEqual([
    'streamlit',
    'PLACEHOLDER_AUTH_TOKEN',
    'no-such-session',
  ]);
  await page.close();
});

test("3: an app's cookies pass byte for byte, one by one, with only their path changed", async () => {
  const direct = await ask('/apps/demo/cookies', { socketPath });
  const through = await ask('/apps/demo/cookies');
  expect(direct.headers['set-cookie']).toHaveLength(4);
  expect(through.headers['set-cookie']).toEqual([
    '_streamlit_session=state-of-demo; Path=/apps/demo/; HttpOnly',
    '_streamlit_xsrf=2|ab|cd|17; Path=/apps/demo/; SameSite=Lax',
    'plain=a b"c,d; Path=/apps/demo/; Expires=Wed, 21 Oct 2026 07:28:00 GMT',
  ]);
});

test('4: the prefix is kept, and the app opens with and without a trailing slash', async () => {
  expect((await echo('x?a=1&b=%20')).raw).toBe('/apps/demo/echo/x');
  expect((await echo('x?a=1&b=%20')).query).toBe('a=1&b=%20');
  for (const address of [app, app.replace(/\/$/, '')]) {
    for (const accept of ['text/html', '*/*']) {
      const answer = await fetch(address, { headers: { accept } });
      expect(answer.status).toBe(200);
      expect(new URL(answer.url).pathname).toBe('/apps/demo/');
      expect(await answer.text()).toMatch(/<div id="root">/);
    }
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    expect((await echo('x', {}, method)).method).toBe(method);
});

test('4: a release URL serves what its pages request, and a person who opens it gets the app itself', async () => {
  const to = async (path: string, accept: string): Promise<[number, string | undefined]> => {
    const { status, headers } = await ask(`/apps/demo/${path}`, { headers: { accept } });
    return [status, headers.location];
  };
  for (const release of ['~1', '~99']) {
    for (const slash of ['', '/'])
      expect(await to(`${release}${slash}?a=1`, 'text/html')).toEqual([307, '/apps/demo/?a=1']);
    expect(await to(`${release}/P%C3%A1gina?a=1`, 'text/html')).toEqual([307, '/apps/demo/P%C3%A1gina?a=1']);
    expect(await to(`${release}?a=1`, '*/*')).toEqual([307, `/apps/demo/${release}/?a=1`]);
    expect(await to(`${release}/_stcore/health`, 'text/html')).toEqual([200, undefined]);
  }
  // What a page shows in a frame is its release's, unless it is a page itself.
  const frame = async (path: string): Promise<number> =>
    (await ask(`/apps/demo/~1/${path}`, { headers: { accept: 'text/html', 'sec-fetch-dest': 'iframe' } })).status;
  expect([await frame('hello'), await frame('page'), await frame('')]).toEqual([200, 307, 307]);
});

test('a page that can be bound to its release gets no cookie that binds the browser', async () => {
  const headers = { accept: 'text/html' };
  for (const path of ['', 'P%C3%A1gina', 'P%C3%A1gina/', 'echo/x', 'echo/x/']) {
    expect([path, (await ask(`/apps/demo/${path}`, { headers })).headers['set-cookie'] ?? []]).toEqual([
      path,
      expect.not.arrayContaining([expect.stringContaining('streamlit_host_release')]),
    ]);
  }
});

test("5: an upload of 190 MB is not held in the server's memory", async () => {
  const page = await StreamlitClient.connect(app);
  await page.run();
  const health = await ask('/apps/demo/_stcore/health');
  const xsrf = /_streamlit_xsrf=([^;]+)/.exec(health.headers['set-cookie']?.join('\n') ?? '')?.[1] ?? '';
  const size = 190 * MB;
  const boundary = 'a-boundary';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const tail = `\r\n--${boundary}--\r\n`;
  const before = await memory(host.pid);
  let most = before;
  const asked = httpRequest(`${app}_stcore/upload_file/${page.session}/a-file`, {
    method: 'PUT',
    agent: false,
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': head.length + size + tail.length,
      cookie: `_streamlit_xsrf=${xsrf}`,
      'x-xsrftoken': xsrf,
    },
  });
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
  asked.write(head);
  const block = Buffer.alloc(MB, 5);
  for (let sent = 0; sent < size; sent += MB) {
    if (!asked.write(block)) await once(asked, 'drain');
    if (sent % (10 * MB) === 0) most = Math.max(most, await memory(host.pid));
  }
  asked.end(tail);
  const [answer] = await answered;
  answer.resume();
  expect(answer.statusCode).toBe(204);
  expect(most - before).toBeLessThan(60 * MB);
  await page.close();
});

test('no address of a process reaches visitors or its log, only the public one', async () => {
  for (const [method, path] of [
    ['OPTIONS', '_stcore/health'],
    ['GET', '_stcore/health'],
    ['OPTIONS', '_stcore/upload_file/a/b'],
    ['GET', '_stcore/host-config'],
  ] as const) {
    const { headers } = await ask(`/apps/demo/${path}`, { method, headers: { origin: 'https://evil.example' } });
    const allowed = headers['access-control-allow-origin'];
    expect([path, allowed === undefined || allowed.startsWith(host.url)]).toEqual([path, true]);
  }
  const { lines } = (await (await host.api('/apps/demo/logs?tail=1000')).json()) as { lines: string[] };
  expect(lines.join('\n')).not.toMatch(/You can now view|https?:\/\/(127\.0\.0\.1|localhost|0\.0\.0\.0)/);
});

test("an upload from the app's own page needs no cookie, as in a frame of another site, and one from elsewhere is refused", async () => {
  const page = await StreamlitClient.connect(app);
  await page.run();
  const put = async (headers: Record<string, string>): Promise<number> => {
    const form = new FormData();
    form.set('file', new Blob(['text']), 'a.txt');
    const request = new Request(app, { method: 'PUT', body: form });
    const body = Buffer.from(await request.arrayBuffer());
    const asked = httpRequest(`${app}_stcore/upload_file/${page.session}/a-file`, {
      method: 'PUT',
      agent: false,
      headers: { ...headers, 'content-type': request.headers.get('content-type') ?? '', 'content-length': body.length },
    });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode ?? 0;
  };
  const { origin } = new URL(app);
  expect(await put({ origin, 'sec-fetch-site': 'same-origin' })).toBe(204);
  expect(await put({ origin: 'https://evil.example' })).toBe(403);
  expect(await put({ origin, 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await put({})).toBe(403);
  await page.close();
});

test('6: a message of 60 MB reaches the page, and one of 20 MB the app', async () => {
  const page = await StreamlitClient.connect(app);
  const texts = await page.run(`big=${60 * MB}`);
  expect(texts.find((text) => text.startsWith('bbb'))).toHaveLength(60 * MB);
  expect(await page.run('', { widget: 'w'.repeat(20 * MB) })).toContain('runs=2');
  await page.close();
});

test('7: a range request for a media file is answered with that range', async () => {
  const page = await StreamlitClient.connect(app);
  await page.run();
  const path = /\/media\/[0-9a-f]+\.wav/.exec(page.received.toString('latin1'))?.[0] ?? '';
  const part = await ask(`/apps/demo${path}`, { headers: { range: 'bytes=10-19' } });
  expect(part.status).toBe(206);
  expect(part.headers['content-range']).toBe('bytes 10-19/16384');
  expect(part.body).toHaveLength(10);
  const all = await ask(`/apps/demo${path}`, { method: 'HEAD' });
  expect([all.status, all.headers['content-length'], all.body]).toEqual([200, '16384', '']);
  await page.close();
});

test('8: the server itself never looks like Streamlit', async () => {
  for (const path of ['/_stcore/health', '/_stcore/host-config', '/apps/_stcore/health', '/apps/_stcore/host-config']) {
    expect((await ask(path)).status).toBe(404);
  }
  expect(await ask('/apps/demo/_stcore/health')).toMatchObject({ status: 200, body: 'ok' });
});

test('9: endpoints for the host only are hidden, in any spelling', async () => {
  expect((await ask('/apps/demo/_stcore/metrics', { socketPath })).status).toBe(200);
  const paths = ['_stcore/metrics', '_stcore/script-health-check'].flatMap((path) => [
    path,
    `${path}/`,
    `${path}?families=active_sessions`,
    `${path}#a`,
    path.replace('_', '%5F'),
    path.replace('e', '%65'),
    path.replace('/', '%2F'),
    path.replace('/', '//'),
    `/${path}`,
    `~1/${path}`,
    `~99/${path}`,
    path.toUpperCase(),
  ]);
  for (const path of paths) {
    const answer = await ask(`/apps/demo/${path}`);
    expect([path, answer.status, answer.body]).toEqual([path, 404, 'Not found.\n']);
  }
  await expect(StreamlitClient.connect(app, { path: '/apps/demo/_stcore/metrics?x=' })).rejects.toThrow('404');
});

test('10: what a visitor claims about themselves is replaced, and foreign pages get no WebSocket', async () => {
  const claims = {
    'x-forwarded-for': '6.6.6.6',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-email': 'boss@example.com',
    'x-forwarded-user': 'boss',
    forwarded: 'for=6.6.6.6',
    'x-real-ip': '6.6.6.6',
    'remote-user': 'boss',
    'x-auth-request-email': 'boss@example.com',
  };
  for (const headers of [(await echo('x', claims)).headers, (await seen(claims)).headers]) {
    const own = new URL(host.url).host;
    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': own,
    });
    expect(JSON.stringify(headers)).not.toMatch(/boss|6\.6\.6\.6|evil/);
  }
  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1', `${host.url}.evil.example`]) {
    await expect(StreamlitClient.connect(app, { headers: { origin } })).rejects.toThrow('403');
  }
});

test('11: neither the console session nor a password reaches an app', async () => {
  const secrets = { cookie: 'a=1; streamlit_host_session=secret-1; b=2', authorization: 'Bearer secret-2' };
  const there = await seen(secrets);
  expect(there.cookies).toMatchObject({ a: '1', b: '2' });
  expect(JSON.stringify([there, await echo('x', secrets)])).not.toMatch(/secret/);
  expect((await echo('x', { cookie: 'streamlit_host_session=secret-1' })).headers).not.toHaveProperty('cookie');
});

test('12: hop-by-hop headers do not reach the app', async () => {
  const headers = { te: 'trailers', 'proxy-authorization': 'Basic eDp5' };
  const plain = (await echo('x', { ...headers, 'x-hop': '1', connection: 'close, X-Hop' })).headers;
  const page = (await seen(headers)).headers;
  expect(plain).not.toHaveProperty('x-hop');
  for (const found of [plain, page]) for (const name of Object.keys(headers)) expect(found).not.toHaveProperty(name);
});

test('14: a stopped app shows a page that says so, and a page opened during a start gets its session', async () => {
  await host.api('/apps/demo/stop', { method: 'POST' });
  const html = await ask('/apps/demo/', { headers: { accept: 'text/html' } });
  expect(html.status).toBe(503);
  expect(html.headers['content-type']).toMatch(/text\/html/);
  expect((await ask('/apps/demo/media/x')).status).toBe(503);
  await expect(StreamlitClient.connect(app)).rejects.toThrow('503');
  await until('the pages of the stopped app are closed', () => !idle.isOpen);

  await host.api('/apps/demo/start', { method: 'POST' });
  const early = ask('/apps/demo/media/x');
  const page = await StreamlitClient.connect(app);
  expect(await page.run()).toContain('runs=1');
  const answer = await early;
  if (answer.status === 503) expect(answer.headers['retry-after']).toBe('2');
  await page.close();
  socketPath = await socketOf(host, 'demo');
  idle = await StreamlitClient.connect(app);
  await idle.run();
});

test('15: an upgrade that fails leaves no connection behind', async () => {
  const paths = [
    '/apps/demo/echo/x',
    '/apps/demo/_stcore/nowhere',
    '/apps/nobody/_stcore/stream',
    '/apps/demo/_stcore/health',
  ];
  for (const path of paths) {
    const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${new URL(host.url).host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    let said = '';
    socket.on('data', (data: Buffer) => (said += data.toString('latin1')));
    await closeOf(socket);
    expect([path, /^HTTP\/1.1 (4\d\d|200)/.test(said)]).toEqual([path, true]);
  }
  // The one page that is open: nothing else is connected to the app once the free connections have ended.
  await until('nothing but the open page is left', async () => (await connectionsTo(socketPath)) === 1, 15_000);
});

test('a client that offers a protocol other than WebSocket gets an HTTP answer, and the connection stays usable', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const say = async (
    path: string,
    options: { method?: string; body?: string; headers?: Record<string, string> },
  ): Promise<[number, string]> => {
    const asked = httpRequest({
      port: Number(new URL(host.url).port),
      host: '127.0.0.1',
      agent,
      path,
      method: options.method ?? 'GET',
      headers: options.headers,
    });
    asked.end(options.body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return [answer.statusCode ?? 0, await text(answer)];
  };
  // As Java's client does, and curl --http2.
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAA' };
  try {
    expect(await say('/', { headers })).toEqual([200, expect.stringContaining('<html')]);
    expect((await say('/api/apps', { headers: { ...headers, authorization: `Bearer ${TOKEN}` } }))[0]).toBe(200);
    const [status, said] = await say('/apps/demo/echo/x', {
      method: 'POST',
      body: 'twelve bytes',
      headers: { ...headers, 'content-length': '12' },
    });
    expect([status, JSON.parse(said)]).toEqual([200, expect.objectContaining({ method: 'POST', size: 12 })]);
    expect((JSON.parse(said) as { headers: object }).headers).not.toHaveProperty('http2-settings');
    expect((await say('/apps/demo/_stcore/health', {}))[1]).toBe('ok');
  } finally {
    agent.destroy();
  }
});

test('16: three hundred concurrent sessions each get their own state', async () => {
  const pages = await Promise.all(Array.from({ length: 300 }, () => StreamlitClient.connect(app)));
  const runs = await Promise.all(pages.map((page) => page.run('', { limitMs: 90_000 })));
  expect(new Set(pages.map((page) => page.session)).size).toBe(300);
  for (const texts of runs) expect(texts).toContain('runs=1');
  await Promise.all(pages.map((page) => page.close()));
});

test('17: the logins of two apps in one browser do not overwrite each other', async () => {
  const cookies = await Promise.all(
    ['demo', 'other'].map(async (id) => (await ask(`/apps/${id}/cookies`)).headers['set-cookie']?.[0]),
  );
  expect(cookies).toEqual([
    '_streamlit_session=state-of-demo; Path=/apps/demo/; HttpOnly',
    '_streamlit_session=state-of-other; Path=/apps/other/; HttpOnly',
  ]);
});

test('18: page names in any alphabet pass unchanged', async () => {
  expect((await echo('P%C3%A1gina%20%F0%9F%8E%88/a%2Bb')).raw).toBe('/apps/demo/echo/P%C3%A1gina%20%F0%9F%8E%88/a%2Bb');
  for (const accept of ['text/html', '*/*']) {
    const answer = await ask('/apps/demo/P%C3%A1gina', { headers: { accept } });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatch(/<div id="root">/);
  }
});

test('13: a page that was idle the whole time is still connected', async () => {
  expect(idle.isOpen).toBe(true);
  expect(await idle.run()).toContain('runs=2');
});

async function memory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** Connections that an app has accepted, by the kernel's table (https://man7.org/linux/man-pages/man5/proc_pid_net.5.html). */
async function connectionsTo(path: string): Promise<number> {
  const rows = (await readFile('/proc/net/unix', 'utf8')).split('\n').slice(1);
  // They have the name with which their socket was bound, before it was renamed.
  const name = new RegExp(`/\\.${basename(path).slice(1)}$`);
  return rows.map((row) => row.trim().split(/\s+/)).filter((row) => row[5] === '03' && name.test(row[7] ?? '')).length;
}
