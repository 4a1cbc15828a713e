import type { NodesAnswer } from '../web/api/answers.js';
import type { Context } from './context.js';
import { tableLines } from './output.js';

type Node = NodesAnswer['nodes'][number];

/** Lists the machines that apps run on, and which apps run where. */
export async function nodes(cli: Context): Promise<void> {
  const { out } = cli;
  const answer = await (await cli.api()).get<NodesAnswer>('/server/nodes');
  if (out.json) {
    for (const node of answer.nodes) out.data(node);
    return;
  }
  if (!answer.clustered) return out.note('Apps run on the machine of the server only.');
  const lines = tableLines(
    answer.nodes,
    [
      { title: 'Node', value: ({ name }) => name },
      { title: 'Address', value: ({ address }) => address },
      { title: 'Role', value: ({ role }) => role },
      { title: 'State', value: stateOf },
      { title: 'Apps', value: appsOf },
    ],
    out,
  );
  for (const line of lines) out.print(line);
}

/** A node that is ready says what it gets of new work. */
function stateOf({ state, availability }: Node): string {
  if (state !== 'ready' || availability === 'active') return state;
  return availability === 'drain' ? 'drained' : 'paused';
}

function appsOf({ apps }: Node): string | null {
  const named = apps.map(({ id, release, state }) => `${id} v${release}${state === 'running' ? '' : ` (${state})`}`);
  return named.length === 0 ? null : named.join(', ');
}
