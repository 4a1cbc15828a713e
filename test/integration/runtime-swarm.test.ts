import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, readFile, realpath, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogFile } from '../../src/logs/log-file.js';
import { Engine, LABELS } from '../../src/runtime/docker/engine.js';
import { homeOf } from '../../src/runtime/process/cage/bubblewrap.js';
import { readMachine } from '../../src/runtime/process/cage/machine.js';
import { Ports } from '../../src/runtime/process/ports.js';
import type { Instance, InstanceRecord } from '../../src/runtime/runtime.js';
import { Cluster } from '../../src/runtime/swarm/cluster.js';
import { Images } from '../../src/runtime/swarm/images.js';
import { SwarmRuntime } from '../../src/runtime/swarm/swarm-runtime.js';
import { Tunnel } from '../../src/runtime/swarm/tunnel.js';
import { endWithFile, scratch } from '../helpers/ends.js';
import { ROOT, until } from '../helpers/host.js';
import { portRange } from '../helpers/ports.js';
import { runtimeContract } from '../helpers/runtime-contract.js';
import { startSwarm, type SwarmNode } from '../helpers/swarm.js';

/** An app's own user. */
const UID = 10_001;

const { lacks, address, registry, nodes } = await startSwarm(2);
const cluster = new Cluster(new Engine(nodes[0]?.socket ?? '/nowhere/docker.sock'));
if (lacks === '') await cluster.greet();
const machine = await readMachine({ path: '', inner: '', hidden: [] });
const tunnel = await Tunnel.open({ host: lacks === '' ? address : '127.0.0.1', port: 0 }, randomBytes(32));
endWithFile(() => tunnel.close());

function make(mark: string, data: string): SwarmRuntime {
  const { links, folders: system } = machine.system;
  const images = new Images({
    ...{ cluster, mark, registry, links, system, records: join(data, 'images'), ordered: [join(data, 'apps')] },
    ...{ agent: join(ROOT, 'python/agent.py'), launcher: join(ROOT, 'python/launch.py') },
    facts: () => Promise.resolve({ python: undefined, compiled: false }),
    logger: { info: () => undefined, warn: () => undefined },
  });
  return new SwarmRuntime({
    ...{ cluster, tunnel, images, mark, data, machine, sockets: data, ports: new Ports(portRange(10)) },
    server: { host: address, port: tunnel.port },
    ordered: { releases: join(data, 'apps'), secrets: join(data, 'secrets') },
  });
}

/** The node and the container of an instance. */
function containerOf({ mark }: InstanceRecord): { node: SwarmNode; id: string } | undefined {
  for (const node of nodes) {
    const id = docker(node, 'ps', '--quiet', '--filter', `label=${LABELS.mark}=${mark}`).trim();
    if (id !== '') return { node, id };
  }
  return undefined;
}

function docker(node: SwarmNode, ...args: string[]): string {
  // Of a container that has ended in the meantime, it says nothing here.
  return spawnSync('docker', ['--host', `unix://${node.socket}`, ...args], { encoding: 'utf8' }).stdout;
}

runtimeContract({
  name: 'swarm',
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
  runs: (_pid, { record }) => {
    const found = containerOf(record);
    return found !== undefined && docker(found.node, 'top', found.id).includes('sleep 600');
  },
  kill: (record) => {
    const found = containerOf(record);
    if (found !== undefined) docker(found.node, 'kill', found.id);
  },
  ports: false,
});

describe.skipIf(lacks !== '')('an instance on a Swarm', () => {
  const begin = async (folder: string, script: string) => {
    await chmod(folder, 0o755);
    await writeFile(join(folder, 'app.py'), script);
    const log = new LogFile(join(folder, 'run.log'));
    const runtime = make(`one-${process.pid}`, folder);
    const instance = await runtime.begin({
      ...{ app: 'demo', release: 1, cwd: folder, environment: {}, log, listener: true },
      command: ['/usr/bin/python3', join(folder, 'app.py')],
      confines: { python: '/usr/bin/python3', readOnly: [folder], writable: [], tmp: folder, uid: UID },
    });
    const said = (): Promise<string> => readFile(log.path, 'utf8').catch(() => '');
    return { runtime, instance, log, said };
  };
  const folderOf = async (): Promise<string> => realpath(await scratch('runtime-'));
  const order = { argv: [], cwd: '/', environment: {}, log: '' };

  it('loses no line of its output and doubles none while servers come, are killed and go', async () => {
    const folder = await folderOf();
    const { instance, log, said } = await begin(
      folder,
      'import sys, time\nsys.stdin.read()\nfor n in range(4000):\n  print("line", n, flush=True)\n  n % 50 or time.sleep(0.03)\nprint("all", flush=True)\ntime.sleep(600)\n',
    );
    await instance.tell({ ...order, log: log.path });
    let current: Instance = instance;
    for (let server = 0; server < 4; server += 1) {
      const before = (await said()).length;
      await until('there is more', async () => (await said()).length > before + 500);
      current.leave();
      // A server writes lines of its own, whatever else happens.
      await log.append(`server ${server}`);
      const adopted = await make(`one-${process.pid}`, folder).adopt(instance.record);
      if (adopted === undefined) throw new Error('it was not adopted');
      current = adopted;
    }
    await until('all is said', async () => (await said()).includes('\nall\n'));
    const lines = (await said()).split('\n').filter((line) => line.startsWith('line '));
    expect(lines).toEqual(Array.from({ length: 4000 }, (_, n) => `line ${n}`));
    await current.end(0);
  });

  it('has nothing of its variables in what Swarm tells, and its word is good only once', async () => {
    const folder = await folderOf();
    const { instance, log } = await begin(folder, 'import sys, time\nsys.stdin.read()\ntime.sleep(600)\n');
    await instance.tell({ ...order, environment: { PASSWORD: 'hidden-in-the-order' }, log: log.path });
    const name = instance.record.mark.split('/').at(-1) ?? '';
    const [manager] = nodes;
    const told = await manager?.docker('service', 'inspect', name);
    expect(told).toContain('STREAMLIT_HOST_TICKET=');
    expect(told).not.toContain('hidden-in-the-order');
    const ticket = /STREAMLIT_HOST_TICKET=([\w-]+)/.exec(told ?? '')?.[1] ?? '';
    const status = await new Promise((resolve, reject) => {
      const asked = request({
        ...{ host: address, port: tunnel.port, path: `/instances/${name}/control` },
        headers: { connection: 'Upgrade', upgrade: 'streamlit-host', authorization: `Bearer ${ticket}` },
      });
      asked
        .on('response', (answer) => resolve(answer.statusCode))
        .on('upgrade', () => resolve(101))
        .on('error', reject);
      asked.end();
    });
    expect(status).toBe(401);
    await instance.end(0);
  });

  it('is known to have been killed because its memory was used up', async () => {
    const folder = await folderOf();
    await chmod(folder, 0o755);
    await writeFile(
      join(folder, 'app.py'),
      'import sys\nsys.stdin.read()\nx = bytearray(300_000_000)\nx[::4096] = b"1" * len(x[::4096])\n',
    );
    const log = new LogFile(join(folder, 'run.log'));
    const instance = await make(`memory-${process.pid}`, folder).begin({
      ...{ app: 'demo', release: 1, cwd: folder, environment: {}, log, listener: true },
      command: ['/usr/bin/python3', join(folder, 'app.py')],
      confines: { python: '/usr/bin/python3', readOnly: [folder], writable: [], tmp: folder, uid: UID },
      limits: { memory: 60_000_000 },
    });
    await instance.tell({ ...order, log: log.path });
    expect(await instance.ended).toEqual({ code: null, signal: 'SIGKILL', outOfMemory: true });
    await instance.end(0);
  });
});
