import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { describeContainer, resourcesOf, type ContainerSpec } from '../../../../src/runtime/docker/container-spec.js';

const spec: ContainerSpec = {
  mark: 'host/demo/3/id',
  data: '1:2',
  image: 'frame:1',
  first: '/program/python/container.py',
  confines: {
    python: '/opt/python/bin/python3',
    readOnly: ['/data/apps/demo/releases', '/missing'],
    writable: ['/data/apps/demo/storage'],
    tmp: '/data/apps/demo/storage/.tmp',
    uid: 10_001,
    devices: { paths: ['/dev/dri'], groups: [44] },
  },
  system: { links: new Map([['/bin', 'usr/bin']]), folders: ['/usr', '/etc', '/opt', '/sys'], readable: [] },
  hidden: ['/opt/data', '/data'],
  user: { uid: 10_001, gid: 10_001 },
  limits: { memory: 1_000_000_000, tasks: 100 },
  network: 'bridge',
  log: '/data/apps/demo/run.log',
  sockets: '/data/tmp/socket-1',
};

interface Described {
  User: string;
  Env?: string[];
  HostConfig: {
    NetworkMode: string;
    Mounts: { Type: string; Source?: string; Target: string; ReadOnly?: boolean }[];
    [key: string]: unknown;
  };
}

function described(changes: Partial<ContainerSpec> = {}): Described {
  return describeContainer({ ...spec, ...changes }, (path) => path !== '/missing') as Described;
}

it('a container has no rights, nothing writable but its storage and what is in memory, and none of the app’s variables', () => {
  const { HostConfig, User, Env } = described();
  expect(HostConfig).toMatchObject({
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    NetworkMode: 'bridge',
    Memory: 1_000_000_000,
    MemorySwap: 1_000_000_000,
    PidsLimit: 100,
    GroupAdd: ['44'],
    Devices: [{ PathOnHost: '/dev/dri', PathInContainer: '/dev/dri', CgroupPermissions: 'rwm' }],
  });
  expect([User, Env]).toEqual(['10001:10001', undefined]);
  expect(HostConfig.Mounts.filter(({ ReadOnly }) => ReadOnly === false).map(({ Target }) => Target)).toEqual([
    '/data/apps/demo/storage',
    '/run/streamlit-host/log',
    '/run/streamlit-host/sockets',
  ]);
});

it('a container has the system’s folders, what it may read, and the data folder hidden from what lies around it', () => {
  const { Mounts } = described().HostConfig;
  expect(Mounts.filter(({ ReadOnly }) => ReadOnly === true).map(({ Target }) => Target)).toEqual([
    '/usr',
    '/etc',
    '/opt',
    '/opt/python',
    '/data/apps/demo/releases',
    '/program/python/container.py',
  ]);
  expect(Mounts.filter(({ Type }) => Type === 'tmpfs')).toEqual([{ Type: 'tmpfs', Target: '/opt/data' }]);
});

it('a container of an app without a network has none, and one without a socket no folder for it', () => {
  const alone = described({ confines: { ...spec.confines, network: false }, sockets: undefined }).HostConfig;
  expect(alone.NetworkMode).toBe('none');
  expect(alone.Mounts.some(({ Target }) => Target === '/run/streamlit-host/sockets')).toBe(false);
});

it('limits are in Docker’s words, and no more cores than there are', () => {
  expect(resourcesOf({})).toEqual({});
  expect(resourcesOf({ cpu: 0.5 })).toEqual({ NanoCpus: 500_000_000 });
  expect(resourcesOf({ cpu: 1_000 })).toEqual({ NanoCpus: availableParallelism() * 1e9 });
});
