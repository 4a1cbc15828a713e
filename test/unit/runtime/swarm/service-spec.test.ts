import { expect, it } from 'vitest';
import { describeService } from '../../../../src/runtime/swarm/service-spec.js';

const spec = {
  ...{ name: 'streamlit-host-1', mark: 'm/demo/1/streamlit-host-1', data: '1:2', image: 'registry:5000/frame:1' },
  ...{ first: '/opt/agent.py', server: '10.0.0.5:8400', ticket: 'word', user: { uid: 10_001, gid: 10_001 } },
  ...{ hidden: ['/usr/data'], limits: { memory: 1_000, tasks: 2, cpu: 1.5 } },
  system: { links: new Map(), folders: ['/usr', '/sys'], readable: [] },
  confines: { python: '/usr/bin/python3', readOnly: ['/data/app', '/gone'], writable: ['/data/storage'] },
};

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
  const { Mounts: mounts } = (body as { TaskTemplate: { ContainerSpec: { Mounts: object[] } } }).TaskTemplate
    .ContainerSpec;
  expect(mounts).toContainEqual({ Type: 'bind', Source: '/data/app', Target: '/data/app', ReadOnly: true });
  expect(mounts).toContainEqual({ Type: 'bind', Source: '/data/storage', Target: '/data/storage', ReadOnly: false });
  expect(mounts).toContainEqual({ Type: 'tmpfs', Target: '/usr/data' });
  expect(JSON.stringify(mounts)).not.toMatch(/gone|sys/);
});
