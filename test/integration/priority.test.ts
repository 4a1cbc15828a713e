import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/environments/run.js';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { MemoryGroup } from '../helpers/memory-group.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

const score = (pid: number): number => Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));

/** What the server can have: only with CAP_SYS_RESOURCE may a process go below its parent. */
function protectedScore(): number {
  const own = readFileSync('/proc/self/status', 'utf8');
  const [, capabilities = '0'] = /^CapEff:\t(\w+)$/m.exec(own) ?? [];
  return (BigInt(`0x${capabilities}`) >> 24n) & 1n ? -500 : score(process.pid);
}

it('a build yields memory and CPU to the server and the apps', async () => {
  const lines: string[] = [];
  const script = [
    'import os, time',
    'score = lambda: int(open("/proc/self/oom_score_adj").read())',
    'while score() != 700 or os.nice(0) == 0: time.sleep(0.01)',
    'print(score(), os.nice(0))',
  ].join('\n');
  await runCommand({
    argv: ['python3', '-c', script],
    cwd: '/',
    env: { PATH: process.env.PATH ?? '' },
    timeoutMs: 20_000,
    onLine: (line) => void lines.push(line),
  });
  expect(lines).toEqual([`700 ${Math.min(19, getPriority() + 10)}`]);
});

const group = MemoryGroup.create(`small-machine-${process.pid}`, 900 * 1024 * 1024);

describe.skipIf(group === undefined)('a machine that runs out of memory (needs root and memory control groups)', () => {
  let host: TestHost;

  afterAll(async () => {
    await host?.stop();
    await until('the group is empty', () => {
      try {
        group?.remove();
        return true;
      } catch {
        return false;
      }
    });
  });

  it('loses processes started by an app, and neither the server nor its Redis nor other apps', async () => {
    host = await startHost({ under: group?.under ?? [] });
    await pushLive(await Project.create(textApp('text:steady')), host, 'steady');
    const { pid: steady } = (await host.app('steady')) as { pid: number };
    const redis = JSON.parse(readFileSync(join(host.data, 'run/redis.json'), 'utf8')) as { pid: number };
    expect([score(host.pid), score(redis.pid), score(steady)]).toEqual([protectedScore(), protectedScore(), 500]);

    const hungry = [
      'import subprocess, sys, streamlit as st',
      'eat = "import time; all = bytearray(60_000_000); all[::4096] = b\'x\' * len(all[::4096]); time.sleep(20)"',
      'for _ in range(22): subprocess.Popen([sys.executable, "-c", eat], start_new_session=True)',
      'st.write("hungry")',
    ].join('\n');
    const project = await Project.create({ ...textApp(''), 'app.py': hungry });
    await project.git('push', '-o', 'nowait', host.remote('hungry'), 'main');
    await until('the kernel has ended something', () => (group?.kills ?? 0) > 0);
    for (let probe = 0; probe < 40; probe += 1) expect((await fetch(`${host.url}/healthz`)).status).toBe(200);
    for (const pid of [host.pid, redis.pid]) expect(readdirSync(`/proc/${pid}`)).toContain('stat');
    await host.api('/apps/hungry?confirm=hungry', { method: 'DELETE' });
    await until('the other app serves', async () => (await host.app('steady')).state === 'running');
  });
});
