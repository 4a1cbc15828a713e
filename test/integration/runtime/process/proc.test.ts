import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { endMarked, findMarked, MARK } from '../../../../src/runtime/process/marked.js';
import { endGroup } from '../../../../src/runtime/process/group.js';
import {
  holderOf,
  isInGroup,
  isRunning,
  listeningPorts,
  listensOn,
  openFilesOf,
  startTimeOf,
  usageOf,
  usageOfGroups,
  type ProcessIdentity,
} from '../../../../src/runtime/process/proc.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  }
});

/** Runs a script in a group of its own; resolves with what it prints first. */
async function run(
  script: string,
  env: Record<string, string> = {},
): Promise<{ leader: ProcessIdentity; said: string }> {
  const child = spawn('bash', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  children.push(child);
  const [said] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  return {
    leader: { pid: child.pid ?? 0, startTime: startTimeOf(child.pid ?? 0) ?? '' },
    said: said.toString().trim(),
  };
}

const identity = (pid: number): ProcessIdentity => ({ pid, startTime: startTimeOf(pid) ?? 'gone' });

test('a process is identified by its pid and start time together', () => {
  const own = identity(process.pid);
  expect(own.startTime).toMatch(/^\d+$/);
  expect(isRunning(own)).toBe(true);
  expect(isRunning({ ...own, startTime: `${own.startTime}0` })).toBe(false);
  expect(startTimeOf(2 ** 22 + 1)).toBeUndefined();
});

test('a process is known by its control group, and one that does not run is in none', async () => {
  const groups = (await readFile('/proc/self/cgroup', 'utf8')).trim();
  expect(isInGroup(process.pid, groups)).toBe(true);
  expect(isInGroup(process.pid, `${groups}-another`)).toBe(false);
  expect(isInGroup(2 ** 22 + 1, '/')).toBe(false);
});

test('a name with brackets and spaces does not hide the start time', async () => {
  const { said } = await run(`exec -a 'x' bash -c 'printf "a) R 1 (b" > /proc/$$/comm; echo $$; sleep 60 & wait'`);
  expect(startTimeOf(Number(said))).toMatch(/^\d{3,}$/);
});

test('a process with a different start time is never signalled', async () => {
  const { leader } = await run('echo ready; exec sleep 60');
  const other = { ...leader, startTime: '1' };
  await endGroup(other, 0);
  expect(isRunning(leader)).toBe(true);
});

test('a group stops on TERM, with its children', async () => {
  const { leader, said } = await run('sleep 60 & echo $!; wait');
  const child = identity(Number(said));
  const begun = Date.now();
  await endGroup(leader, 5_000);
  expect([isRunning(leader), isRunning(child)]).toEqual([false, false]);
  expect(Date.now() - begun).toBeLessThan(4_000);
});

test('a leader that ignores TERM is killed after its limit, with its children', async () => {
  const { leader, said } = await run(`trap '' TERM; sleep 60 & echo $!; while :; do sleep 1; done`);
  const child = identity(Number(said));
  await endGroup(leader, 100);
  expect([isRunning(leader), isRunning(child)]).toEqual([false, false]);
});

test('a child that ignores TERM does not outlive a leader that obeys it', async () => {
  const { leader, said } = await run(`(trap '' TERM; exec sleep 60) & echo $!; wait`);
  const child = identity(Number(said));
  await endGroup(leader, 100);
  expect([isRunning(leader), isRunning(child)]).toEqual([false, false]);
});

test('a group just started is stopped without a start time, even if its leader has exited', async () => {
  const { leader, said } = await run('(trap "" TERM; exec sleep 60) & echo $!; exit 0');
  const child = identity(Number(said));
  await expect.poll(() => isRunning(leader)).toBe(false);
  expect(isRunning(child)).toBe(true);
  await endGroup({ pid: leader.pid }, 100);
  expect(isRunning(child)).toBe(false);
});

test('every process with a mark is found and stopped, and no other', async () => {
  const mark = `test-${process.pid}-${Date.now()}`;
  const hidden = await run('setsid sleep 60 & echo $!; wait', { [MARK]: `${mark}/a/1` });
  const kept = await run('echo ready; exec sleep 60', { [MARK]: `${mark}/b/1` });
  const foreign = await run('echo ready; exec sleep 60', { [MARK]: `other-${mark}` });
  const found = await findMarked(`${mark}/`);
  expect(new Set(found.map((one) => one.mark))).toEqual(new Set([`${mark}/a/1`, `${mark}/b/1`]));
  expect(await endMarked(`${mark}/`, new Set([`${mark}/b/1`]))).toBe(2);
  expect([hidden.leader, identity(Number(hidden.said)), kept.leader, foreign.leader].map(isRunning)).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect(await endMarked(`${mark}/`, new Set())).toBe(1);
  expect([kept.leader, foreign.leader].map(isRunning)).toEqual([false, true]);
});

test('a process that spawns others faster than they are stopped is stopped too', async () => {
  const mark = `test-${process.pid}-${Date.now()}-fast`;
  await run('chain() { sleep 0.01; ( chain ) & }; echo ready; chain; wait', { [MARK]: mark });
  await endMarked(mark, new Set());
  expect(await findMarked(mark)).toEqual([]);
});

test('without a mark nothing is stopped', async () => {
  await expect(endMarked('', new Set())).rejects.toThrow('without a mark');
});

test('the process that listens on a port is read from the kernel, not from an answer', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const { leader } = await run('echo ready; exec sleep 60');
  expect(await listensOn(process.pid, port)).toBe(true);
  expect(await listensOn(leader.pid, port)).toBe(false);
  expect(await listeningPorts(process.pid)).toContain(port);
  expect(await listeningPorts(leader.pid)).toEqual([]);
  await once(server.close(), 'close');
  expect(await listensOn(process.pid, port)).toBe(false);
});

test("a group's memory is that of all its members, and its CPU time that of its leader", async () => {
  const { leader } = await run('for ((i = 0; i < 300000; i += 1)); do :; done; sleep 60 & sleep 60 & echo ready; wait');
  const { leader: lonely } = await run('echo ready; exec sleep 60');
  // Until then, it is another bash.
  await vi.waitFor(async () => expect(await readFile(`/proc/${lonely.pid}/comm`, 'utf8')).toBe('sleep\n'));
  const groups = usageOfGroups();
  const [group, alone] = [groups.get(leader.pid), groups.get(lonely.pid)];
  expect(group?.memory).toBeGreaterThan(alone?.memory ?? Infinity);
  expect(group?.memory).toBeLessThan(50 * 1024 * 1024);
  expect(group?.cpuSeconds).toBeGreaterThan(0.05);
  expect(group?.cpuSeconds).toBeLessThan(60);
  await endGroup(leader, 1_000);
  expect(usageOfGroups().has(leader.pid)).toBe(false);
});

test('the open files of a group are those of all its members', async () => {
  const script = 'exec 3</dev/null 4</dev/null; sleep 60 & exec 3<&- 4<&-; echo ready; wait';
  const { leader } = await run(script);
  const group = usageOfGroups().get(leader.pid);
  const [own = 0, child = 0] = (group?.pids ?? []).map(openFilesOf).sort((a, b) => a - b);
  expect(child - own).toBe(2);
  expect(group && usageOf(group, true)).toMatchObject({ processes: 2, openFiles: own + child });
  expect(group && 'openFiles' in usageOf(group, false)).toBe(false);
  await endGroup(leader, 1_000);
  expect(openFilesOf(leader.pid)).toBe(0);
});

test('the process that holds a port is reported by pid and name', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  expect(await holderOf(port)).toEqual({ pid: process.pid, name: expect.stringMatching(/./) as unknown });
  await new Promise((resolve) => server.close(resolve));
  expect(await holderOf(port)).toBeUndefined();
});
