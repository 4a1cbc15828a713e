import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ControlGroups } from '../../../../src/runtime/process/control-groups.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groups-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Folders as version 2 shows them. @returns what names the group of this process, in the place of /proc/self */
async function standIn(group: string, parent: { procs: string }): Promise<string> {
  const within = join(folder, group);
  await mkdir(within, { recursive: true });
  for (const [path, procs] of [
    [within, '42\n'],
    [join(within, '..'), parent.procs],
  ] as const) {
    await writeFile(join(path, 'cgroup.procs'), procs);
    await writeFile(join(path, 'cgroup.controllers'), 'cpu memory pids\n');
  }
  const proc = join(folder, 'proc');
  await mkdir(proc);
  await writeFile(join(proc, 'cgroup'), `0::/${group}\n`);
  await writeFile(join(proc, 'mountinfo'), `30 24 0:26 / ${folder} rw - cgroup2 cgroup2 rw\n`);
  return proc;
}

it('a server that was started by another one makes its groups where that one did', async () => {
  const proc = await standIn('host.service/server', { procs: '' });
  expect(ControlGroups.open('test', proc)).toBeDefined();
  expect(await readdir(join(folder, 'host.service'))).toContain('streamlit-host-test');
  expect(await readdir(join(folder, 'host.service/server'))).not.toContain('streamlit-host-test');
});

it('a group that only has that name, in which others run, is left alone', async () => {
  const proc = await standIn('other.slice/server', { procs: '7\n' });
  ControlGroups.open('test', proc);
  expect(await readdir(join(folder, 'other.slice'))).not.toContain('streamlit-host-test');
});

it('a group that others are in, such as that of a terminal, is left as it is', async () => {
  const proc = await standIn('session.scope', { procs: '' });
  // As the kernel refuses it for a group with processes.
  await mkdir(join(folder, 'session.scope/cgroup.subtree_control'));
  expect(ControlGroups.open('test', proc, (pid) => pid !== 42)).toBeUndefined();
  expect(await readdir(join(folder, 'session.scope'))).not.toContain('server');
  ControlGroups.open('test', proc, (pid) => pid === 42);
  expect(await readFile(join(folder, 'session.scope/server/cgroup.procs'), 'utf8')).toBe('42');
});
