import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, constants, lstat, open, rename, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { Refusal } from '../errors.js';
import { execute, spawn } from '../lib/spawn.js';

/** Longer paths of unix sockets are cut or refused (https://man7.org/linux/man-pages/man7/unix.7.html, sun_path). */
const SOCKET_PATH_MAX = 107;
const LOG_MAX = 1_000_000;
const NAMES = ['redis-server', 'valkey-server'];

/** Redis ended before it served. */
export class StartError extends Error {
  /** Everything it logged since it was started. */
  readonly words: string;

  constructor(words: string) {
    // A line is "pid:role day month year time level text".
    const last = beforeCrash(words).trimEnd().split('\n').at(-1) ?? '';
    const text = last
      .replace(/^\d+:\w \d+ \w+ \d+ [\d:.]+ [*#.-] /, '')
      .trim()
      .replace(/\.$/, '');
    super(text === '' ? 'it exited without output' : text);
    this.words = words;
  }
}

/** @param reason why, ending with a full stop */
export function unavailable(reason: string, cause?: unknown): Refusal {
  return new Refusal('unavailable', 'redis-unavailable', `Redis could not be started: ${reason}`, { cause });
}

/** True where what Redis logged says that its own files are at fault, not the disk, memory or rights around them. */
export function saysDataIsBroken(words: string): boolean {
  const around = /permission denied|no space left|cannot allocate|read-only file|out of memory|too many open files/i;
  const said = beforeCrash(words);
  if (around.test(said)) return false;
  // Some broken files make Redis 7.0 crash while it loads them, with nothing said but a report of the crash.
  const loading = /\bload(AppendOnlyFiles|DataFromDisk|SingleAppendOnlyFile)\b|^loading:1/m.test(words);
  return (loading && said !== words) || /append[- ]only file|\bAOF\b|\bRDB\b|loading (the )?DB/i.test(said);
}

/** The words without the long report of a crash. */
function beforeCrash(words: string): string {
  return words.replace(/\n*=== \w+ BUG REPORT START[^]*$/, '');
}

/**
 * Starts Redis in a process group of its own: Ctrl-C in the terminal must reach us first, so that work in progress can
 * be put down. What it says goes to its log.
 * @returns its pid
 */
export async function spawnRedis(binary: string, dir: string, socket: string, log: string): Promise<number> {
  const out = await open(log, 'a', 0o600);
  try {
    const child = spawn(binary, settings(dir, socket, log), {
      cwd: dir,
      env: { LC_ALL: 'C' },
      detached: true,
      stdio: ['ignore', out.fd, out.fd],
    });
    await once(child, 'spawn');
    child.unref();
    if (child.pid === undefined) throw new Error(`${binary} has no pid`);
    return child.pid;
  } finally {
    await out.close();
  }
}

/** Every append is on disk within a second, and a write that was cut off by a crash is dropped at the next start. */
function settings(dir: string, socket: string, log: string): string[] {
  return Object.entries({
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir,
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'aof-load-truncated': 'yes',
    'maxmemory-policy': 'noeviction',
    logfile: log,
    loglevel: 'warning',
    daemonize: 'no',
  }).flatMap(([name, value]) => [`--${name}`, value]);
}

/**
 * A socket below the folder or, where that path is too long, in a short folder that only we may enter.
 * @throws Refusal `redis-unavailable`
 */
export async function socketFor(dir: string): Promise<string> {
  const near = join(dir, 'redis.sock');
  if (Buffer.byteLength(near) <= SOCKET_PATH_MAX) return near;
  const { uid } = userInfo();
  // Always the same for one folder, so that the next server finds a Redis that was left behind.
  const folder = `/tmp/streamlit-host-${uid}-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`;
  await ensureFolder(folder, 0o700);
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw unavailable(`${folder} must belong to the user of the server and have mode 0700. Delete it and start again.`);
  }
  return join(folder, 'redis.sock');
}

/**
 * The first redis-server or valkey-server in these folders that runs and is 6.2 or newer, which BullMQ wants.
 * @throws Refusal `redis-unavailable`
 */
export async function findBinary(folders: string[]): Promise<string> {
  for (const file of folders.filter(isAbsolute).flatMap((f) => NAMES.map((name) => join(f, name)))) {
    try {
      await access(file, constants.X_OK);
      const { stdout } = await execute(file, ['--version'], { timeout: 10_000, env: { LC_ALL: 'C' } });
      const [, major, minor] = /\bv=(\d+)\.(\d+)/.exec(stdout) ?? [];
      if (Number(major) > 6 || (Number(major) === 6 && Number(minor) >= 2)) return file;
    } catch {
      // Not there, not to be run on this machine, or no Redis: the next one may be.
    }
  }
  throw unavailable('neither redis-server nor valkey-server 6.2 or newer was found. Install one, or set REDIS_URL.');
}

/** Redis took longer to answer than it may. */
export class NoAnswer extends Error {}

/** Sends one command and resolves with its answer's first match. @throws NoAnswer after the time-out (ms) */
export async function askRedis(
  path: string,
  command: string,
  answer: RegExp,
  timeout: number,
): Promise<RegExpExecArray> {
  const socket = connect(path);
  socket.setTimeout(timeout, () => socket.destroy(new NoAnswer(`no answer to ${command} within ${timeout / 1_000} s`)));
  try {
    socket.write(`${command}\r\n`);
    let text = '';
    for await (const chunk of socket) {
      text += String(chunk);
      const match = answer.exec(text);
      if (match !== null) return match;
    }
    throw new Error(`the connection was closed before an answer to ${command}`);
  } finally {
    socket.destroy();
  }
}

/** Rotates the log. Redis reopens it for each line, so a rename is enough. */
export async function rotate(log: string): Promise<void> {
  if ((await sizeOf(log)) > LOG_MAX) await rename(log, `${log}.1`);
}

/** In bytes; 0 where there is no such file. */
export async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}

/** What was logged since; at most its last 16 kB. */
export async function wordsOf(log: string, from: number): Promise<string> {
  const file = await open(log, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(from, size - 16_384);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(0, size - start)), { position: start });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
