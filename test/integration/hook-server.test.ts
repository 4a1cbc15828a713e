import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HookGone, HookServer, type HookCall } from '../../src/git/hook-server.js';

const HOOKS = join(dirname(fileURLToPath(import.meta.url)), '../../hooks');

let folder: string;
let socket: string;
let failures: unknown[];
let server: HookServer | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hooks-'));
  socket = join(folder, 'run', 'hooks.sock');
  failures = [];
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function listen(handle: (call: HookCall) => Promise<void>): Promise<void> {
  server = new HookServer(socket, handle, (error) => failures.push(error));
  await server.listen();
}

/** Runs a hook as git does. */
function hook(name: 'pre-receive' | 'proc-receive'): ChildProcess {
  return spawn(join(HOOKS, name), [], {
    env: {
      PATH: process.env.PATH,
      STREAMLIT_HOST_HOOKS: socket,
      STREAMLIT_HOST_PUSH: 'the-secret',
      GIT_QUARANTINE_PATH: '/q',
      HOME: '/nowhere',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

async function outcome(child: ChildProcess): Promise<{ code: unknown; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, stdout, stderr };
}

describe('a hook', () => {
  it("sends the server its id and git's input, and does what the server answers", async () => {
    const calls: HookCall[] = [];
    let said = '';
    await listen(async (call) => {
      calls.push(call);
      for await (const chunk of call.input) said += chunk.toString();
      call.answer(Buffer.from('for git'));
      call.say('für den Menschen');
      call.exit(7);
    });
    const child = hook('pre-receive');
    child.stdin?.end('old new refs/heads/main\n');
    expect(await outcome(child)).toEqual({ code: 7, stdout: 'for git', stderr: 'für den Menschen\n' });
    expect(said).toBe('old new refs/heads/main\n');
    expect(calls).toHaveLength(1);
    // No more of the environment than is needed.
    expect(calls[0]).toMatchObject({ hook: 'pre-receive', push: 'the-secret', env: { GIT_QUARANTINE_PATH: '/q' } });
    expect(failures).toEqual([]);
  });

  it('passes on large answers completely', async () => {
    const large = Buffer.alloc(3 * 1024 * 1024, 'x');
    await listen(async (call) => {
      call.answer(large);
      call.exit(0);
    });
    const { code, stdout } = await outcome(hook('proc-receive'));
    expect(code).toBe(0);
    expect(stdout).toHaveLength(large.length);
  });

  it('refuses the push with a sentence if no server listens', async () => {
    const { code, stderr } = await outcome(hook('pre-receive'));
    expect(code).toBe(1);
    expect(stderr).toContain('streamlit-host: lost the connection to the server.');
  });

  it('refuses the push with a sentence if the server goes away', async () => {
    await listen(async () => new Promise(() => undefined));
    const child = hook('proc-receive');
    const ended = outcome(child);
    child.stdin?.write('0000');
    await server?.close();
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('streamlit-host: lost the connection to the server.');
  });
});

describe('the server', () => {
  it('can be reached by its own user only', async () => {
    await listen(async (call) => call.exit(0));
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(socket))).mode & 0o777).toBe(0o700);
  });

  it('tells the result to all pending hooks before it closes', async () => {
    await listen(async (call) => {
      call.say('the end');
      call.exit(0);
      // As when everything stops in the same moment.
      void server?.close();
    });
    expect(await outcome(hook('proc-receive'))).toEqual({ code: 0, stdout: '', stderr: 'the end\n' });
  });

  it.each([
    ['nothing', ''],
    ['something else', 'GET / HTTP/1.1\n'],
    ['another hook', '{"hook":"post-receive"}\n'],
    ['no end of it', 'x'.repeat(40_000)],
    ['json that is none of ours', 'null\n'],
  ])('hangs up on a client that says %s, and keeps running', async (_name, greeting) => {
    await listen(async (call) => call.exit(0));
    const stranger = connect(socket);
    stranger.on('error', () => undefined);
    stranger.end(greeting);
    stranger.resume();
    await once(stranger, 'close');
    expect(failures).toHaveLength(1);
    expect((await outcome(hook('proc-receive'))).code).toBe(0);
  });

  it('tells a hook that was killed from a failure of its own', async () => {
    let read: Promise<unknown> | undefined;
    await listen(async (call) => {
      call.say('more than it reads');
      const parts = call.input[Symbol.asyncIterator]();
      read = parts.next().catch((error: unknown) => error);
      await read;
    });
    const killed = connect(socket);
    killed.pause();
    killed.write('{"hook":"pre-receive"}\n');
    await vi.waitFor(() => expect(read).toBeDefined());
    killed.destroy();
    expect(await read).toBeInstanceOf(HookGone);
    expect(failures).toEqual([]);
  });

  it('hangs up when the answer fails, so that git does not wait forever', async () => {
    await listen(async () => {
      throw new Error('broken');
    });
    const { code } = await outcome(hook('pre-receive'));
    expect(code).toBe(1);
    expect(failures).toEqual([new Error('broken')]);
  });
});

it('a hook server that closes leaves the socket to the one that has taken its place', async () => {
  await listen(() => Promise.resolve());
  const before = server;
  await listen((call) => Promise.resolve(call.exit(7)));
  await before?.close();
  expect((await outcome(hook('pre-receive'))).code).toBe(7);
});
