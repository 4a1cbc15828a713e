import { expect, it } from 'vitest';
import { LABELS } from '../../../../src/runtime/docker/engine.js';
import { nodesOf, type Told } from '../../../../src/runtime/swarm/nodes.js';

type Node = Told['nodes'][number];
type Service = Told['services'][number];
type Task = Told['tasks'][number];

const node = (ID: string, Hostname: string, State = 'ready', Availability = 'active', Role = 'worker'): Node => ({
  ...{ ID, Description: { Hostname }, Status: { State, Addr: `10.0.0.${ID}` } },
  Spec: { Availability, Role },
});
const service = (ID: string, mark: string): Service => ({ ID, Spec: { Name: ID, Labels: { [LABELS.mark]: mark } } });
const task = (ServiceID: string, NodeID: string | undefined, State = 'running'): Task => ({
  ...{ ID: `task-${ServiceID}`, ServiceID, Status: { State } },
  ...(NodeID !== undefined && { NodeID }),
});

it('nodes are listed by name, each with the apps that Swarm has sent there', () => {
  const nodes = nodesOf(
    {
      nodes: [node('2', 'beta', 'down'), node('1', 'alpha', 'ready', 'drain', 'manager')],
      services: [service('s1', 'own/shop/3/x'), service('s2', 'own/shop/4/y'), service('s3', 'own/blog/1/z')],
      tasks: [task('s2', '2', 'preparing'), task('s1', '2'), task('s3', '2'), task('s3', undefined, 'pending')],
    },
    'own',
  );
  expect(nodes).toEqual([
    { name: 'alpha', address: '10.0.0.1', role: 'manager', state: 'ready', availability: 'drain', apps: [] },
    {
      ...{ name: 'beta', address: '10.0.0.2', role: 'worker', state: 'down', availability: 'active' },
      apps: [
        { id: 'blog', release: 1, state: 'running' },
        { id: 'shop', release: 3, state: 'running' },
        { id: 'shop', release: 4, state: 'preparing' },
      ],
    },
  ]);
});

it('services of other servers and of other people are not listed', () => {
  const [only] = nodesOf(
    {
      nodes: [{ ...node('1', 'alpha'), Status: { State: 'ready' } }],
      services: [service('s1', 'other/shop/3/x'), service('s2', 'ownish/shop/3/x'), { ID: 's3', Spec: { Name: 'db' } }],
      tasks: [
        task('s1', '1'),
        task('s2', '1'),
        task('s3', '1'),
        { ID: 't', NodeID: '1', Status: { State: 'running' } },
      ],
    },
    'own',
  );
  expect(only).toMatchObject({ address: null, apps: [] });
});
