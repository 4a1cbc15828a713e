import { spawnSync } from 'node:child_process';
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { LogFile } from '../../src/logs/log-file.js';
import { HANDED } from '../../src/runtime/docker/container-spec.js';
import { DockerRuntime, type DockerRuntimeOptions } from '../../src/runtime/docker/docker-runtime.js';
import { Engine, LABELS } from '../../src/runtime/docker/engine.js';
import { homeOf } from '../../src/runtime/process/cage/bubblewrap.js';
import { readMachine } from '../../src/runtime/process/cage/machine.js';
import { Ports } from '../../src/runtime/process/ports.js';
import type { InstanceRecord } from '../../src/runtime/runtime.js';
import { startDocker } from '../helpers/container.js';
import { scratch } from '../helpers/ends.js';
import { ROOT } from '../helpers/host.js';
import { portRange } from '../helpers/ports.js';
import { runtimeContract } from '../helpers/runtime-contract.js';

/** An app's own user. */
const UID = 10_001;

const { lacks, socket } = await startDocker();
const engine = new Engine(socket);
if (lacks === '') await engine.greet();
const machine = await readMachine({ path: '', inner: '', hidden: [] });

function docker(...args: string[]): { status: number | null; stdout: string } {
  return spawnSync('docker', ['--host', `unix://${socket}`, ...args], { encoding: 'utf8' });
}

function idOf({ mark }: InstanceRecord): string {
  return docker('ps', '--quiet', '--filter', `label=${LABELS.mark}=${mark}`).stdout.trim();
}

/** An engine whose connections to the stdin of containers can be cut, as they are when the server is killed. */
class Severable extends Engine {
  readonly #streams: Duplex[] = [];

  override async attach(id: string): Promise<Duplex> {
    const stream = await super.attach(id);
    this.#streams.push(stream);
    return stream;
  }

  cut(): void {
    for (const stream of this.#streams) stream.destroy();
  }
}

function make(mark: string, data: string, changes: Partial<DockerRuntimeOptions> = {}): DockerRuntime {
  return new DockerRuntime({
    ...{ engine, mark, data, tmp: data, sockets: data, ports: new Ports(portRange(10)), network: 'host', machine },
    first: join(ROOT, 'python/container.py'),
    ...changes,
  });
}

describe.skipIf(lacks !== '')('Docker', () => {
  it('ends an instance without an order when the server is gone', async () => {
    const severable = new Severable(socket);
    const data = await scratch('runtime-');
    const instance = await make('severed', data, { engine: severable }).begin({
      app: 'demo',
      release: 1,
      command: [process.execPath, '-e', 'process.stdin.resume().on("end", () => process.exit(3))'],
      cwd: '/',
      environment: {},
    });
    expect(instance.running).toBe(true);
    severable.cut();
    expect(await instance.ended).toEqual({ code: 3, signal: null });
    await instance.end(0);
    expect(docker('ps', '--all', '--quiet', '--filter', `label=${LABELS.mark}=${instance.record.mark}`).stdout).toBe(
      '',
    );
  });

  it('leaves an app neither its socket nor its log to put a link in the place of', async () => {
    const data = await scratch('runtime-');
    const log = new LogFile(join(data, 'run.log'));
    const { log: output, sockets } = HANDED;
    const script = [
      `ls -A ${sockets}`,
      `ln -s /etc/passwd ${sockets}/app && echo linked`,
      `rm -f ${output}; ln -s /etc/passwd ${output} && echo replaced`,
      `echo tried all`,
    ].join('\n');
    const command = ['/bin/sh', '-c', script];
    const what = { app: 'demo', release: 1, command, cwd: '/', environment: {}, log, listener: true };
    const instance = await make('links', data).begin(what);
    const { address } = instance;
    expect(await instance.ended).toEqual({ code: 0, signal: null });
    const said = await readFile(log.path, 'utf8');
    expect(said).toContain('tried all');
    expect(said).not.toMatch(/^(app|linked|replaced)$/m);
    expect((await lstat(log.path)).isFile()).toBe(true);
    expect((await lstat((address as { socket: string }).socket)).isSocket()).toBe(true);
    await instance.end(0);
  });

  it('is refused where it lacks the network of the containers', async () => {
    const data = await scratch('runtime-');
    await expect(make('try', data).tryOut()).resolves.toBeUndefined();
    await expect(make('try', data, { network: 'nowhere' }).tryOut()).rejects.toThrow(
      'Docker has no network "nowhere". Create it with "docker network create nowhere"',
    );
    expect(docker('ps', '--all', '--quiet').stdout).toBe('');
  });
});

runtimeContract({
  name: 'docker',
  lacks,
  make,
  interpreter: [process.execPath],
  confines: (folder) => ({
    python: '/usr/bin/python3',
    readOnly: [folder, homeOf(process.execPath)],
    writable: [],
    tmp: folder,
    uid: UID,
  }),
  runs: (_pid, { record }) => docker('top', idOf(record)).stdout.includes('sleep 600'),
  kill: (record) => void docker('kill', idOf(record)),
});
