import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DockerRuntime } from '../../src/runtime/docker/docker-runtime.js';
import { Engine, LABELS } from '../../src/runtime/docker/engine.js';
import { homeOf } from '../../src/runtime/process/cage/bubblewrap.js';
import { readMachine } from '../../src/runtime/process/cage/machine.js';
import { Ports } from '../../src/runtime/process/ports.js';
import type { InstanceRecord } from '../../src/runtime/runtime.js';
import { startDocker } from '../helpers/container.js';
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

runtimeContract({
  name: 'docker',
  lacks,
  make: (mark, data) =>
    new DockerRuntime({
      ...{ engine, mark, data, tmp: data, sockets: data, ports: new Ports(portRange(10)), network: 'host', machine },
      first: join(ROOT, 'python/container.py'),
    }),
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
