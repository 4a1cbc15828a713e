import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Doing } from './activities.js';
import { processesOf, runs, signalAll, type Seen } from './machine.js';
import type { Fault, Plan } from './plan.js';
import type { World } from './world.js';

const run = promisify(execFile);

/** Makes something fail, and everything possible again. The server may be gone afterwards. @returns whether it is */
export async function fail(world: World, plan: Plan, doing: Doing): Promise<boolean> {
  await FAULTS[plan.fault]({ world, doing, plan });
  return !runs(world.host.pid);
}

interface Scene {
  world: World;
  doing: Doing;
  plan: Plan;
}

type Act = (scene: Scene) => Promise<void>;

/** Processes of the server that are of a kind. */
async function find({ world }: Scene, is: (one: Seen) => boolean): Promise<number[]> {
  const seen = await processesOf(world.data, world.mark, [world.host.pid]);
  return seen.filter((one) => one.pid !== world.host.pid && is(one)).map(({ pid }) => pid);
}

const isReceiving = ({ command }: Seen): boolean => /git.*receive-pack/.test(command);
const isBuilding = ({ mark }: Seen): boolean => mark?.startsWith('build') === true;
const isRedis = ({ command }: Seen): boolean => /(redis|valkey)-server/.test(command);
const isSuccessor = ({ command }: Seen): boolean => /streamlit-host\.js start --successor/.test(command);

/** The process of the round's app; none while it has none. */
async function appOf({ world, plan }: Scene): Promise<number[]> {
  const { pid } = await world.host.app(plan.app);
  return typeof pid === 'number' ? [pid] : [];
}

/** Deploys may finish first, or are interrupted. */
function reload({ world, plan }: Scene): Promise<Response> {
  return world.host.send('POST', '/server/reload', { wait_seconds: Math.round(plan.lastsMs / 1_000) });
}

const killServer: Act = async ({ world }) => void (await world.host.signal('SIGKILL'));

/** A disk on which nothing can be written for a while; nothing happens where the run has none of its own. */
const onDisk =
  (begin: (world: World) => Promise<void> | undefined, then: Act = ({ plan }) => sleep(plan.lastsMs)): Act =>
  async (scene) => {
    await begin(scene.world);
    try {
      await then(scene);
    } finally {
      await scene.world.disk?.free();
    }
  };

/** The server is killed meanwhile, and the next one starts while it still lasts. */
const restarted: Act = async (scene) => {
  await killServer(scene);
  await scene.world.restart();
  await sleep(scene.plan.lastsMs);
  await killServer(scene);
};

const fill = (world: World): Promise<void> | undefined => world.disk?.fill();
const takeInodes = (world: World): Promise<void> | undefined => world.disk?.takeInodes();
const protect = (world: World): Promise<void> | undefined => world.disk?.protect(world.data);

const FAULTS: Record<Fault, Act> = {
  none: async () => undefined,
  'kill-server': killServer,
  'kill-server-twice': async (scene) => {
    await killServer(scene);
    await scene.world.restart();
    await sleep(scene.plan.lastsMs / 4);
    await killServer(scene);
  },
  'stop-server': async ({ world }) => void (await world.host.signal('SIGTERM')),
  'kill-receive-pack': async (scene) => signalAll(await find(scene, isReceiving), 'SIGKILL'),
  // It can do nothing any more, and nobody but the next server can end it.
  'freeze-receive-pack': async (scene) => {
    signalAll(await find(scene, isReceiving), 'SIGSTOP');
    await killServer(scene);
    await scene.world.restart();
  },
  'kill-build': async (scene) => signalAll(await find(scene, isBuilding), 'SIGKILL'),
  'kill-app': async (scene) => signalAll(await appOf(scene), 'SIGKILL'),
  'freeze-app': async (scene) => {
    const pids = await appOf(scene);
    signalAll(pids, 'SIGSTOP');
    await sleep(scene.plan.lastsMs);
    signalAll(pids, 'SIGCONT');
  },
  // The next server adopts a process that does not answer.
  'freeze-app-and-kill-server': async (scene) => {
    const pids = await appOf(scene);
    signalAll(pids, 'SIGSTOP');
    await killServer(scene);
    await scene.world.restart();
    await sleep(scene.plan.lastsMs);
    signalAll(pids, 'SIGCONT');
  },
  // Nobody but the server lets it go on.
  'hang-app': async (scene) => signalAll(await appOf(scene), 'SIGSTOP'),
  'kill-redis': async (scene) => signalAll(await find(scene, isRedis), 'SIGKILL'),
  'freeze-redis': async (scene) => {
    const pids = await find(scene, isRedis);
    signalAll(pids, 'SIGSTOP');
    await sleep(scene.plan.lastsMs);
    signalAll(pids, 'SIGCONT');
  },
  'freeze-redis-and-kill-server': async (scene) => {
    signalAll(await find(scene, isRedis), 'SIGSTOP');
    await killServer(scene);
  },
  'hang-redis': async (scene) => signalAll(await find(scene, isRedis), 'SIGSTOP'),
  reload: async (scene) => {
    const answer = await reload(scene);
    if (!answer.ok) throw new Error(`the reload failed: ${await answer.text()}`);
  },
  'reload-and-kill-server': async (scene) => {
    const reloading = reload(scene).catch(() => undefined); // It loses its connection.
    await sleep(scene.plan.lastsMs);
    signalAll(await find(scene, isSuccessor), 'SIGKILL');
    await killServer(scene);
    await reloading;
    // One that was being started.
    signalAll(await find(scene, isSuccessor), 'SIGKILL');
  },
  'full-disk': onDisk(fill),
  'full-disk-and-kill-server': onDisk(fill, restarted),
  'no-inodes': onDisk(takeInodes),
  'no-inodes-and-kill-server': onDisk(takeInodes, restarted),
  'read-only': onDisk(protect),
  'read-only-and-kill-server': onDisk(protect, restarted),
  'few-files': async ({ world, plan }) => {
    const pid = String(world.host.pid);
    const open = await readdir(join('/proc', pid, 'fd'));
    const limits = await readFile(join('/proc', pid, 'limits'), 'utf8');
    const [, soft = '1024', hard = '1024'] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(limits) ?? [];
    await run('prlimit', ['--pid', pid, `--nofile=${open.length + 1}:${hard}`]);
    await sleep(plan.lastsMs);
    await run('prlimit', ['--pid', pid, `--nofile=${soft}:${hard}`]);
  },
  garbage: async ({ world, plan }) => {
    const { hostname, port } = new URL(world.host.url);
    const parts = [
      '\x16\x03\x01\x02',
      'GET / HTTP/9.9\r\n\r\n',
      'POST /git/ada.git/git-receive-pack HTTP/1.1\r\n',
      '\0'.repeat(70_000),
    ];
    const sockets = parts.map((part) => {
      const socket = connect(Number(port), hostname, () => socket.write(part));
      return socket.on('error', () => undefined);
    });
    await sleep(plan.lastsMs);
    for (const socket of sockets) socket.destroy();
  },
  unplug: ({ doing }) => doing.unplug(),
};
