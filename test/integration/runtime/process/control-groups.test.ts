import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { ControlGroups, isOfServer, type ControlGroup } from '../../../../src/runtime/process/control-groups.js';
import { until } from '../../../helpers/host.js';

const groups = ControlGroups.open(`test-${randomUUID()}`);

/** Starts a script of Python's in a group, which it is put into before it does anything. */
function start(group: ControlGroup, script: string): ChildProcess {
  const child = spawn('sh', ['-c', 'read go; exec python3 -c "$0"', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  group.add(child.pid ?? 0);
  child.stdin?.end('go\n');
  return child;
}

/** In a session of its own and without parents, as a daemon is. */
const DAEMON = 'import os, sys, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n';

it('of the processes in its group, a server takes its own children and what waits for it, and nothing else', async () => {
  const child = spawn('sh', ['-c', 'setsid sleep 100 & echo $!; read go'], { detached: true });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  await until('the child has one of its own', () => said.endsWith('\n'));
  const grandchild = Number(said);
  try {
    expect([process.pid, child.pid ?? 0, grandchild].map((pid) => isOfServer(pid))).toEqual([true, true, true]);
    child.stdin.end('go\n');
    await once(child, 'exit');
    await until('somebody else has it', () => !isOfServer(grandchild));
  } finally {
    process.kill(grandchild);
  }
});

describe.skipIf(groups === undefined)('a control group (needs the right to make one)', () => {
  const made: ControlGroup[] = [];
  const create = (): ControlGroup => {
    const group = groups?.create(randomUUID());
    if (group === undefined) throw new Error('there is no group');
    made.push(group);
    return group;
  };
  afterAll(async () => {
    for (const group of made) await group.end();
    groups?.remove();
  });

  it('counts what has left its session and its parents, and ends it', async () => {
    const group = create();
    await once(start(group, `${DAEMON}os.environ.clear()\nhoard = b"x" * 50_000_000\ntime.sleep(100)`), 'exit');
    await until('the daemon is counted', () => (group.use()?.memory ?? 0) > 50_000_000);
    expect(group.use()).toMatchObject({ pids: [expect.any(Number)], kills: 0, refusals: 0 });
    expect(group.use()?.cpuSeconds).toBeGreaterThan(0);
    await group.end();
    expect(group.use()).toBeUndefined();
  });

  it('has the system end what takes more memory than the limit, also in a session of its own', async () => {
    const group = create();
    group.limit({ memory: 60_000_000 });
    await once(start(group, `${DAEMON}hoard = b"x" * 200_000_000\ntime.sleep(100)`), 'exit');
    await until('the daemon is ended', () => (group.use()?.kills ?? 0) > 0);
    await until('nothing is left', () => group.use()?.pids.length === 0);
  });

  it('stops a fork bomb at the limit of processes', async () => {
    const group = create();
    group.limit({ tasks: 20 });
    const script = 'import os, time\nwhile True:\n  try:\n    os.fork()\n  except OSError:\n    time.sleep(0.1)';
    start(group, script);
    await until('it is refused more', () => (group.use()?.refusals ?? 0) > 0);
    expect(group.use()?.pids.length).toBeLessThanOrEqual(20);
    await group.end();
    expect(group.use()).toBeUndefined();
  });

  it('holds what runs in it to its share of the processor', async () => {
    const group = create();
    group.limit({ cpu: 0.2 });
    start(group, 'while True: pass');
    await until('it has run', () => (group.use()?.cpuSeconds ?? 0) > 0.1);
    const [before, at] = [group.use()?.cpuSeconds ?? 0, performance.now()];
    await until('it has run on', () => (group.use()?.cpuSeconds ?? 0) > before + 0.4);
    expect((performance.now() - at) / 1_000).toBeGreaterThan(1.2);
    await group.end();
  });

  it('is found again by a later server, and removed once nothing runs in it', async () => {
    const name = randomUUID();
    const group = groups?.create(name);
    made.push(...(group === undefined ? [] : [group]));
    groups?.sweep(new Set([name]));
    expect(groups?.find(name)).toBeDefined();
    groups?.sweep(new Set());
    expect(groups?.find(name)).toBeUndefined();
  });
});
