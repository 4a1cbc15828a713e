import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, open, rename, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, Refusal } from '../errors.js';
import { Deadline } from '../lib/deadline.js';
import { Api } from './api.js';
import type { Context, Launcher } from './context.js';
import { unreachable } from './failures.js';
import { dataFolder, findLocal, findServing, type LocalServer } from './local.js';

/** The time limit (ms) for a server to answer; it checks every app first. */
const START_LIMIT_MS = 120_000;
/** The time limit (ms) for a listening server to answer at its public URL, which may lead elsewhere from here. */
const ANSWER_LIMIT_MS = 10_000;
/** A log of earlier servers larger than this (bytes) is rotated. */
const MAX_LOG = 5 * 1024 * 1024;

/** How the local server is started. The last two are for servers that this program starts itself. */
export interface StartOptions {
  detach?: boolean;
  /** Replaces the server that started this process. */
  successor?: boolean;
  /** Nobody waits for the end of this process. */
  detached?: boolean;
}

/**
 * Runs the local server: in the foreground until it stops, or detached, returning once it answers. If a server is
 * already running, that is fine with --detach, and an error in the foreground, where a service manager relies on this
 * process being the server.
 * @throws Refusal `already-running`, `start-failed`
 */
export async function startServer(cli: Context, options: StartOptions): Promise<void> {
  const launcher = cli.launcher;
  if (launcher === undefined) throw new Error('the command line was started without its server');
  const data = dataFolder(cli.env, cli.cwd, launcher.root);
  const running = await findLocal(data);
  const { successor = false, detached = false } = options;
  if (running !== undefined && options.detach !== true && !successor) throw alreadyRuns(running, data);

  const env = { ...cli.env, STREAMLIT_HOST_DATA: data, ...foldersOf(cli) };
  if (options.detach !== true) {
    await launcher.prepare({ env, say: (line) => cli.out.print(line), load: true });
    // The server reads its settings from the process environment, and from nowhere else.
    process.env.STREAMLIT_HOST_DATA = data;
    await launcher.serve({ successor, detached });
    return;
  }
  // One that is just starting may yet fail to.
  const other = running === undefined ? undefined : await findServing(data, START_LIMIT_MS);
  if (other !== undefined) return nameOther(cli, other, data);
  await launcher.prepare({ env, say: (line) => cli.out.note(line) });
  const { server, ours } = await detach(launcher, data, env);
  // Another start may have been quicker.
  await (ours ? announce(cli, server, data) : nameOther(cli, server, data));
}

/** Returns the settings that depend on the current folder, wherever the server itself runs. */
function foldersOf({ env, cwd }: Context): NodeJS.ProcessEnv {
  const named = ['CONFIG', 'APPS', 'LOGS'].flatMap((name) => {
    const path = env[`STREAMLIT_HOST_${name}`]?.trim();
    return path === undefined || path === '' ? [] : [[`STREAMLIT_HOST_${name}`, resolve(cwd, path)]];
  });
  return { STREAMLIT_HOST_CONFIG: resolve(cwd, 'config.json'), ...(Object.fromEntries(named) as NodeJS.ProcessEnv) };
}

function alreadyRuns({ url, pid }: LocalServer, data: string): Refusal {
  const where = `${url === '' ? 'it is starting up' : `${url}/`} (pid ${pid})`;
  return new Refusal('conflict', 'already-running', `A server is already running on ${data}: ${where}.`);
}

function nameOther(cli: Context, server: LocalServer, data: string): void {
  if (cli.out.json) cli.out.data({ url: server.url, pid: server.pid, data, started: false });
  else cli.out.print(alreadyRuns(server, data).message);
}

/**
 * Starts a server that outlives this command, and waits until it serves.
 * @returns the server that serves: ours, or another that was quicker
 * @throws Refusal `start-failed`, `not-reachable`
 */
async function detach(
  launcher: Launcher,
  data: string,
  env: NodeJS.ProcessEnv,
): Promise<{ server: LocalServer; ours: boolean }> {
  await mkdir(data, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new Refusal(
      'unavailable',
      'data-not-writable',
      `Cannot create the data folder ${data}: ${messageOf(error)}.`,
      { cause: error },
    );
  });
  const file = join(data, 'server.log');
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size > MAX_LOG) await rename(file, `${file}.1`);
  const from = size > MAX_LOG ? 0 : size;
  const log = await open(file, 'a', 0o600);
  let child: ChildProcess;
  try {
    // What it greets with is a login link.
    await chmod(file, 0o600);
    const [program, ...args] = launcher.command;
    child = spawn(program, [...args, 'start', '--detached'], {
      cwd: data,
      env,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
  } finally {
    await log.close();
  }
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = signal ?? `exit code ${code ?? 0}`));
  child.unref();

  for (const deadline = new Deadline(START_LIMIT_MS); ; await sleep(50)) {
    // Read first: a process that wrote the record and then ended is not a server any more.
    const gone = ended;
    const ours = await findLocal(data);
    if (gone === undefined && ours !== undefined && ours.pid === child.pid && ours.url !== '')
      return { server: ours, ours: true };
    if (gone !== undefined) {
      const other = await findServing(data, START_LIMIT_MS);
      if (other !== undefined) return { server: other, ours: false };
      throw new Refusal(
        'unavailable',
        'start-failed',
        `The server did not start (${gone}).\n${await lastLines(file, from)}\nThe full log is in ${file}.`,
      );
    }
    if (deadline.isOver) {
      throw unreachable(
        `The server did not respond within ${START_LIMIT_MS / 1_000} seconds and is still starting (pid ${child.pid ?? '?'}). See ${file}.`,
      );
    }
  }
}

async function announce(cli: Context, server: LocalServer, data: string): Promise<void> {
  const api = new Api({ url: server.local ?? server.url, token: undefined });
  for (const deadline = new Deadline(ANSWER_LIMIT_MS); !(await api.isHealthy()); await sleep(50)) {
    if (!deadline.isOver) continue;
    cli.out.note(
      `The server is running, but ${server.url} does not reach it from here. Check STREAMLIT_HOST_PUBLIC_BASE and your reverse proxy.`,
    );
    break;
  }
  if (cli.out.json) return cli.out.data({ url: server.url, pid: server.pid, data, started: true });
  cli.out.print(`streamlit-host is running at ${server.url}/ (pid ${server.pid})`);
  cli.out.print(
    `Console: ${server.url}/console/ (log in with "streamlit-host login-link") · Log: ${join(data, 'server.log')}`,
  );
}

/** Returns the last lines that this server has printed. */
async function lastLines(file: string, from: number): Promise<string> {
  const log = await open(file, 'r');
  try {
    const { size } = await log.stat();
    const begin = Math.max(from, size - 4_096);
    const { buffer, bytesRead } = await log.read(Buffer.alloc(4_096), 0, 4_096, begin);
    return buffer.subarray(0, bytesRead).toString('utf8').trimEnd().split('\n').slice(-10).join('\n');
  } finally {
    await log.close();
  }
}
