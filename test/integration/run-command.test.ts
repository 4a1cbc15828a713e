import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandFailed, runCommand, type Command } from '../../src/environments/run.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-'));
});
afterEach(() => rm(folder, { recursive: true }));

const env = { PATH: process.env.PATH ?? '' };

function node(script: string, more: Partial<Command> = {}): Command {
  return { argv: [process.execPath, '-e', script], cwd: folder, env, timeoutMs: 20_000, ...more };
}

async function failureOf(command: Command): Promise<CommandFailed> {
  const error: unknown = await runCommand(command).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof CommandFailed) return error;
  throw new Error(`it did not fail as a command: ${String(error)}`);
}

/** True where a process runs; one that has ended and was not noticed yet by the machine does not. */
function alive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // There is nobody with this id.
    return false;
  }
}

/** A command with a grandchild, which both print their ids, and never end by themselves. */
const FAMILY = `
  const { spawn } = require('node:child_process');
  const child = spawn(process.execPath, ['-e', 'console.log(process.pid); setInterval(() => {}, 1000)'], { stdio: ['ignore', 'inherit', 'inherit'] });
  console.log(process.pid);
  setInterval(() => {}, 1000);
`;

describe('runCommand', () => {
  it('passes on both outputs as lines, and nothing of our environment', async () => {
    const lines: string[] = [];
    const script = `console.log(JSON.stringify(Object.keys(process.env))); console.error('é\\u001b[31m red'); process.stdout.write('last')`;
    await runCommand(node(script, { env: { ONLY: '1' }, onLine: (line) => void lines.push(line) }));
    expect(lines.sort()).toEqual(['["ONLY"]', 'last', 'é red']);
  });

  it('reports the exit code and the last lines of a command that fails', async () => {
    const error = await failureOf(
      node(`for (let i = 0; i < 1000; i += 1) console.log('line ' + i); process.exitCode = 3`),
    );
    expect(error).toMatchObject({
      reason: 'exit',
      exitCode: 3,
      code: 'command-exit',
      message: 'node failed with exit code 3: line 999.',
    });
    expect(error.lines).toHaveLength(60);
  });

  it('distinguishes a missing program from a missing folder', async () => {
    const missing = await failureOf({ argv: ['no-such-program'], cwd: folder, env, timeoutMs: 1_000 });
    expect(missing).toMatchObject({ reason: 'missing', message: 'no-such-program is not installed, or not on PATH.' });
    const gone = await failureOf(node('', { cwd: join(folder, 'gone') }));
    expect(gone.message).toMatch(/^node could not be started because its folder .*gone no longer exists\.$/);
  });

  it('stops the whole group when it is aborted', async () => {
    const stop = new AbortController();
    const pids: number[] = [];
    const spawned: number[] = [];
    const onLine = (line: string): void => {
      if (pids.push(Number(line)) === 2) stop.abort();
    };
    const error = await failureOf(
      node(FAMILY, { signal: stop.signal, onLine, onSpawn: (pid) => void spawned.push(pid) }),
    );
    expect(error.reason).toBe('aborted');
    expect(pids).toContain(spawned[0]);
    expect(pids.map(alive)).toEqual([false, false]);
  });

  it('kills a command that ignores TERM', async () => {
    const stop = new AbortController();
    const started = performance.now();
    const script = `process.on('SIGTERM', () => console.log('no')); setInterval(() => {}, 1000); console.log('up')`;
    const error = await failureOf(
      node(script, { graceMs: 300, signal: stop.signal, onLine: (line) => void (line === 'up' && stop.abort()) }),
    );
    expect(error).toMatchObject({ reason: 'aborted', exitSignal: 'SIGKILL', lines: ['up', 'no'] });
    expect(performance.now() - started).toBeGreaterThan(300);
  });

  it('starts nothing if it is already aborted', async () => {
    const error = await failureOf(node(`require('fs').writeFileSync('started', '')`, { signal: AbortSignal.abort() }));
    expect(error.reason).toBe('aborted');
    await expect(readFile(join(folder, 'started'))).rejects.toThrow('ENOENT');
  });

  it('stops a command that takes too long or prints nothing for too long, and says which', async () => {
    expect(await failureOf(node('setInterval(() => console.log(1), 10)', { timeoutMs: 700 }))).toMatchObject({
      reason: 'timeout',
      message: 'node took longer than 700 ms and was stopped.',
    });
    expect(await failureOf(node('setInterval(() => {}, 10)', { idleMs: 600 }))).toMatchObject({
      reason: 'idle',
      message: 'node printed nothing for 600 ms and was stopped.',
    });
  });

  it('stops processes that a command leaves in its group, even if they hold its output open', async () => {
    const pids: number[] = [];
    await runCommand(
      node(`${FAMILY}; child.on('spawn', () => setTimeout(() => process.exit(0), 200))`, {
        onLine: (line) => void pids.push(Number(line)),
      }),
    );
    expect(pids.length).toBeGreaterThan(0);
    expect(pids.map(alive)).not.toContain(true);
  });

  it('does not wait for a process that left the group with the output', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 15000)'], { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
      console.log(child.pid); child.unref();
    `;
    const lines: string[] = [];
    const { ms } = await runCommand(node(script, { onLine: (line) => void lines.push(line) }));
    process.kill(Number(lines[0]), 'SIGKILL');
    expect(ms).toBeLessThan(10_000);
  });

  it('makes a command wait for its reader, so that a flood does not pile up', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let heard = 0;
    const script = `
      let written = 0;
      const more = () => { while (written < 5e6 && process.stdout.write('x'.repeat(99) + '\\n')) written += 100; require('fs').writeFileSync('written', String(written)); if (written < 5e6) process.stdout.once('drain', more); };
      more();
    `;
    const running = runCommand(node(script, { onLine: async () => void ((heard += 1), await gate) }));
    const written = async (): Promise<number> =>
      Number(await readFile(join(folder, 'written'), 'utf8').catch(() => '0'));
    while ((await written()) === 0) await new Promise(setImmediate);
    expect(heard).toBe(1);
    expect(await written()).toBeLessThan(1_000_000);
    open();
    await running;
    expect(heard).toBeGreaterThanOrEqual(50_000);
  });

  it('stops the command and reports the error if its reader fails', async () => {
    const pids: number[] = [];
    const onLine = (): void => {
      throw new Error('the log is full');
    };
    await expect(runCommand(node(FAMILY, { onLine, onSpawn: (pid) => void pids.push(pid) }))).rejects.toThrow(
      'the log is full',
    );
    expect(pids.map(alive)).toEqual([false]);
  });

  it('recognises a full disk by the output', async () => {
    const full = await failureOf(node(`console.error('OSError: [Errno 28] No space left on device'); process.exit(1)`));
    expect(full.diskFull).toBe(true);
    expect((await failureOf(node('process.exit(1)'))).diskFull).toBe(false);
  });
});
