import { expect, it } from 'vitest';
import type { Api, App } from '../../../src/cli/api.js';
import type { Context } from '../../../src/cli/context.js';
import { status } from '../../../src/cli/status.js';

it('tells below the table why an app failed, without what would steer the terminal', async () => {
  const app = (id: string, state: string, reason: string | null): App => ({
    id, name: id, state, url: `http://x/apps/${id}/`, git_url: '', release: null, pid: null, port: null, uptime_seconds: null, last_deploy: { state: 'failed', reason },
  });
  const printed: string[] = [];
  const out = { json: false, terminal: false, columns: undefined, rows: 24, print: (line: string) => printed.push(line), paint: (_: string, text: string) => text };
  const api = { target: { url: 'http://x' }, apps: async () => [app('one', 'failed', 'its folder /x\u001b[2J is not there'), app('two', 'running', 'an older failure'), app('three', 'failed', null)] };
  await status({ out, api: async () => api as unknown as Api } as unknown as Context, {});
  expect(printed.slice(-2)).toEqual(['', 'one: its folder /x?[2J is not there']);
  expect(printed.join('\n')).not.toContain('an older failure');
});
