import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkScript } from '../../../src/deploys/check.js';
import { DeployLog } from '../../../src/deploys/log.js';
import type { ProcessState } from '../../../src/domain/app/process.js';
import { LogFile } from '../../../src/logs/log-file.js';
import type { AppProcess } from '../../../src/runtime/app-process.js';
import { Paths } from '../../../src/store/paths.js';
import { writeFiles } from '../../helpers/files.js';
import { releaseOf } from '../../helpers/release.js';

const RELEASE = releaseOf(2, 'starting', { entrypoint: 'app.py' });
let paths: Paths;
let server: Server;
let asked: string[];
let handler: RequestListener;
let log: DeployLog;
let state: ProcessState;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'check-')));
  asked = [];
  state = 'ready';
  handler = (_request, response) => void response.end('ok');
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    handler(request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await mkdir(dirname(paths.runLog('shop', 2)), { recursive: true });
  log = new DeployLog(new LogFile(join(paths.data, 'build.log')), (text) => text);
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await log.written;
  await rm(paths.data, { recursive: true, force: true });
});

/** The release's process, which is this test's own server. */
function processOf(): AppProcess {
  const spec = { app: 'shop', cwd: join(paths.data, 'source'), healthPath: '/apps/shop/_stcore/health' };
  return {
    spec,
    release: 2,
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    lastExit: 'it exited with code 3',
    get state() {
      return state;
    },
  } as unknown as AppProcess;
}

const check = (
  settings: Parameters<typeof checkScript>[3] = {},
  signal = new AbortController().signal,
): Promise<void> => checkScript(paths, RELEASE, processOf(), settings, log, signal);

/** What the log says, without the times of its steps. */
function said(): string[] {
  const lines: string[] = [];
  log.follow((line) => lines.push(line.replace(/^ *[\d.]+s {2}/, '').replace(/\([\d.]+ s\)/, '(… s)')))();
  return lines;
}

it('a script without an exception passes the check, and runs once', async () => {
  await check();
  expect(asked).toEqual(['/apps/shop/_stcore/script-health-check']);
  expect(said()).toEqual(['The script ran without an exception (… s)']);
});

it('a check that the app has turned off asks the process nothing', async () => {
  await check({ script: 'off' });
  expect(asked).toEqual([]);
  expect(said()).toEqual(['Script check skipped, as set in streamlit-host.toml']);
});

it('a Streamlit version without the check is not held against the app', async () => {
  handler = (_request, response) => void response.writeHead(404).end('a page');
  await check();
  expect(said()).toEqual(['Script check skipped: this version of Streamlit does not support it']);
});

it("a script that raises an exception is refused after the app's output, without our own lines", async () => {
  handler = (_request, response) => void response.writeHead(503).end('error');
  const printed = '[2026-01-01T00:00:00.000Z] process started\nUvicorn server started on 0.0.0.0:1\nNo such column\n';
  await writeFiles(paths.data, { [paths.runLog('shop', 2).slice(paths.data.length + 1)]: printed });
  await expect(check()).rejects.toMatchObject({ code: 'script-failed', message: 'The script raised an exception.' });
  expect(said()).toEqual(['App output:', '         No such column']);
});

it('a script that writes to its own files is told where it can', async () => {
  handler = (_request, response) => void response.writeHead(503).end('error');
  const printed = "PermissionError: [Errno 13] Permission denied: 'out.csv'\n";
  await writeFiles(paths.data, { [paths.runLog('shop', 2).slice(paths.data.length + 1)]: printed });
  await expect(check()).rejects.toMatchObject({ code: 'script-failed' });
  expect(said().at(-1)).toBe(
    'hint: the app cannot write to out.csv. Write to the folder in the variable STREAMLIT_HOST_STORAGE instead.',
  );
});

it.each([
  [
    'requirements.txt does not list',
    { 'requirements.txt': 'streamlit\n' },
    'seaborn',
    'The package seaborn is not in requirements.txt. Add it and push again.',
  ],
  [
    'has another name than its module',
    { 'requirements.txt': '' },
    'cv2',
    'The package opencv-python-headless (imported as cv2) is not in requirements.txt. Add it and push again.',
  ],
  [
    'none of two lists names',
    { 'uv.lock': '', 'pyproject.toml': '' },
    'seaborn',
    "The package seaborn is not among the project's dependencies. Add it and push again.",
  ],
  [
    'is listed, so that its name is not what is wrong',
    { 'requirements.txt': 'Seaborn\n' },
    'seaborn',
    'The script raised an exception.',
  ],
  [
    'is a folder of the project',
    { 'requirements.txt': '', 'seaborn/one.py': '' },
    'seaborn',
    'The script raised an exception.',
  ],
  ['is needed without any list', { 'app.py': '' }, 'seaborn', 'The script raised an exception.'],
])('a script fails on a package that %s', async (_, files: Record<string, string>, module, message) => {
  handler = (_request, response) => void response.writeHead(503).end('error');
  await writeFiles(join(paths.data, 'source'), files);
  const printed = `Traceback (most recent call last):\n  File "app.py", line 2\nModuleNotFoundError: No module named '${module}'\n`;
  await writeFiles(paths.data, { [paths.runLog('shop', 2).slice(paths.data.length + 1)]: printed });
  await expect(check()).rejects.toMatchObject({ code: 'script-failed', message });
});

it('a script that does not finish in time is refused, with a hint if it calls sys.exit()', async () => {
  handler = () => undefined;
  await writeFiles(join(paths.data, 'source'), { 'app.py': 'import sys\nsys.exit()\n' });
  state = 'crashed';
  await expect(check({ timeout_s: 0.05 })).rejects.toMatchObject({ code: 'app-exited' });
  expect(said()).toEqual(['hint: app.py calls sys.exit(), which Streamlit does not notice. Use st.stop().']);
  handler = (_request, response) => void response.writeHead(503).end('timeout');
  state = 'ready';
  await expect(check({ timeout_s: 5 })).rejects.toMatchObject({
    code: 'script-failed',
    message: 'The script did not finish within 5 s.',
  });
});

it('a process that exits during the check is refused with the way it exited', async () => {
  handler = (request) => {
    state = 'crashed';
    request.socket.destroy();
  };
  await expect(check()).rejects.toMatchObject({ code: 'app-exited', message: 'It exited with code 3.' });
});

it('a cancelled check throws the reason, and shows no app output', async () => {
  const off = new AbortController();
  handler = () => off.abort(new Error('superseded'));
  await expect(check({}, off.signal)).rejects.toThrow('superseded');
  expect(said()).toEqual([]);
});
