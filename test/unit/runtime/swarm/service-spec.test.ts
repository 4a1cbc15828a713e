import { expect, it } from 'vitest';
import { describePull, describeService } from '../../../../src/runtime/swarm/service-spec.js';

const spec = {
  ...{ name: 'streamlit-host-1', mark: 'm/demo/1/streamlit-host-1', data: '1:2', image: 'registry:5000/frame:1' },
  ...{ first: '/opt/agent.py', server: '10.0.0.5:8400', ticket: 'word', user: { uid: 10_001, gid: 10_001 } },
  ...{ hidden: ['/usr/data'], limits: { memory: 1_000, tasks: 2, cpu: 1.5 } },
  system: { links: new Map(), folders: ['/usr', '/sys'], readable: [] },
  confines: { python: '/usr/bin/python3', readOnly: ['/data/app', '/gone'], writable: ['/data/storage'] },
  ordered: { releases: '/data/apps', secrets: '/data/run/secrets' },
  architecture: 'amd64',
};
/** Of an app whose files the machines do not have. */
const parts = {
  ...{ environment: '/opt/data/environments/e', launcher: '/opt/launch.py', storage: '/opt/data/apps/a/storage' },
  ordered: ['/opt/data/apps/a/releases', '/opt/data/run/secrets/a'],
};
const sent = {
  ...spec,
  system: { links: new Map(), folders: ['/usr', '/opt'], readable: [] },
  confines: {
    python: '/opt/data/tools/python/bin/python3',
    readOnly: [parts.environment, parts.launcher, ...parts.ordered, '/srv/models'],
    writable: [parts.storage, '/srv/shared'],
    parts,
  },
};

function mountsOf(body: object): { Type: string; Source?: string; Target: string }[] {
  return (body as { TaskTemplate: { ContainerSpec: { Mounts: never } } }).TaskTemplate.ContainerSpec.Mounts;
}

it('a service is one task that Swarm never starts again, without rights, with its limits and its files', () => {
  const body = describeService(spec, (path) => path !== '/gone');
  expect(body).toMatchObject({
    Name: 'streamlit-host-1',
    Labels: { 'streamlit-host.mark': 'm/demo/1/streamlit-host-1', 'streamlit-host.data': '1:2' },
    TaskTemplate: {
      ContainerSpec: { User: '10001:10001', ReadOnly: true, CapabilityDrop: ['ALL'], StopGracePeriod: 5e9 },
      Resources: { Limits: { MemoryBytes: 1_000, Pids: 2, NanoCPUs: 1.5e9 } },
      RestartPolicy: { Condition: 'none' },
      LogDriver: { Name: 'none' },
    },
    Mode: { Replicated: { Replicas: 1 } },
    EndpointSpec: { Mode: 'dnsrr' },
  });
  const mounts = mountsOf(body);
  expect(mounts).toContainEqual({ Type: 'bind', Source: '/data/app', Target: '/data/app', ReadOnly: true });
  expect(mounts).toContainEqual({ Type: 'bind', Source: '/data/storage', Target: '/data/storage', ReadOnly: false });
  expect(mounts).toContainEqual({ Type: 'tmpfs', Target: '/usr/data' });
  expect(JSON.stringify(mounts)).not.toMatch(/gone|sys/);
});

it('mounts nothing of the data folder where the image has the environment, and what the machines must have', () => {
  const mounts = mountsOf(describeService({ ...sent, volume: 'app-files', node: 'n-1' }, () => true));
  expect(mounts.filter(({ Type }) => Type === 'bind').map(({ Source }) => Source)).toEqual([
    ...['/usr', '/srv/models', '/srv/shared'],
  ]);
  expect(mounts.filter(({ Type }) => Type === 'volume')).toEqual([
    { Type: 'volume', Target: '/data/apps' },
    { Type: 'volume', Source: 'app-files', Target: '/run/streamlit-host/storage' },
  ]);
  // Secrets are in memory alone.
  expect(mounts).toContainEqual(expect.objectContaining({ Type: 'tmpfs', Target: '/data/run/secrets' }));
});

it('is bound to the machine that has the files of the app, and to the processor of its image', () => {
  const placed = (more: object): unknown =>
    (describeService({ ...sent, ...more }, () => true) as { TaskTemplate: { Placement: object } }).TaskTemplate
      .Placement;
  const Platforms = [{ OS: 'linux', Architecture: 'amd64' }];
  expect(placed({ volume: 'app-files', node: 'n-1' })).toEqual({ Platforms, Constraints: ['node.id==n-1'] });
  expect(placed({})).toEqual({ Platforms });
  const mounts = mountsOf(describeService(sent, () => true));
  expect(mounts).toContainEqual({
    ...{ Type: 'bind', Source: parts.storage, Target: '/run/streamlit-host/storage', ReadOnly: false },
  });
});

it('a service that pulls an image ends by itself on every machine, and has no mark of an app', () => {
  expect(describePull('pull-1', 'registry:5000/e@sha256:1', 'm')).toMatchObject({
    ...{ Name: 'pull-1', Labels: { 'streamlit-host.pull': 'm' }, Mode: { GlobalJob: {} } },
    TaskTemplate: { ContainerSpec: { Image: 'registry:5000/e@sha256:1' }, RestartPolicy: { Condition: 'none' } },
  });
});
