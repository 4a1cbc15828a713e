import { expect, it } from 'vitest';
import type { Api } from '../../../src/cli/api.js';
import type { Context } from '../../../src/cli/context.js';
import { nodes } from '../../../src/cli/nodes.js';
import type { NodesAnswer } from '../../../src/web/api/answers.js';

/** What it prints of an answer. */
async function shown(answer: NodesAnswer, json = false): Promise<string[]> {
  const printed: string[] = [];
  const out = {
    json,
    columns: undefined,
    print: (line: string) => printed.push(line),
    note: (line: string) => printed.push(line),
    data: (data: unknown) => printed.push(JSON.stringify(data)),
    paint: (_: string, text: string) => text,
  };
  const api = { get: () => Promise.resolve(answer) } as unknown as Api;
  await nodes({ out, api: () => Promise.resolve(api) } as unknown as Context);
  return printed;
}

type Node = NodesAnswer['nodes'][number];
const one: Node = {
  ...{ name: '', address: '10.0.0.1', role: 'manager', state: 'ready', availability: 'active', apps: [] },
};
const ANSWER: NodesAnswer = {
  clustered: true,
  nodes: [
    {
      ...{ ...one, name: 'alpha' },
      apps: [
        { id: 'blog', release: 1, state: 'running' },
        { id: 'shop', release: 4, state: 'preparing' },
      ],
    },
    { ...one, name: 'beta', role: 'worker', availability: 'drain' },
    { ...one, name: 'gamma', role: 'worker', availability: 'pause', address: null },
    { ...one, name: 'delta', role: 'worker', availability: 'drain', state: 'down' },
  ],
};

it('each node is a line with its state and its apps', async () => {
  expect(await shown(ANSWER)).toEqual([
    'NODE   ADDRESS   ROLE     STATE    APPS',
    'alpha  10.0.0.1  manager  ready    blog v1, shop v4 (preparing)',
    'beta   10.0.0.1  worker   drained  -',
    'gamma  -         worker   paused   -',
    'delta  10.0.0.1  worker   down     -',
  ]);
});

it('a script gets one line of JSON for each node', async () => {
  expect((await shown(ANSWER, true)).map((line) => JSON.parse(line) as unknown)).toEqual(ANSWER.nodes);
});

it('a server without a Swarm says that there is one machine', async () => {
  expect(await shown({ clustered: false, nodes: [] })).toEqual(['Apps run on the machine of the server only.']);
});
