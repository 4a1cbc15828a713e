import { expect, it } from 'vitest';
import type { Api, App, Overview } from '../../../src/cli/api.js';
import type { Context } from '../../../src/cli/context.js';
import { status } from '../../../src/cli/status.js';

const app = (id: string, state: App['state'], reason: string | null): App => ({
  id,
  name: id,
  state,
  url: `http://x/apps/${id}/`,
  git_url: '',
  release: null,
  pid: null,
  port: null,
  uptime_seconds: null,
  last_deploy: { state: 'failed', reason },
});

/** What is printed of this, the table and what is not part of the result. */
async function shown(overview: Overview): Promise<{ printed: string[]; noted: string[] }> {
  const printed: string[] = [];
  const noted: string[] = [];
  const out = {
    json: false,
    terminal: false,
    columns: undefined,
    rows: 24,
    print: (line: string) => printed.push(line),
    note: (line: string) => noted.push(line),
    paint: (_: string, text: string) => text,
  };
  const api = { target: { url: 'http://x' }, overview: async () => overview };
  await status({ out, api: async () => api as unknown as Api } as unknown as Context, {});
  return { printed, noted };
}

it('tells below the table why an app failed, without what would steer the terminal', async () => {
  const apps = [
    app('one', 'failed', 'its folder /x\u001b[2J is not there'),
    app('two', 'running', 'an older failure'),
    app('three', 'failed', null),
  ];
  const { printed, noted } = await shown({ apps, config_mistakes: [] });
  expect(printed.slice(-2)).toEqual(['', 'one: its folder /x?[2J is not there']);
  expect(printed.join('\n')).not.toContain('an older failure');
  expect(noted).toEqual([]);
});

it('tells what is wrong with config.json, whoever has written it', async () => {
  const { noted } = await shown({ apps: [], config_mistakes: ['config.json, line 3: this is not JSON\u001b[2J'] });
  expect(noted).toEqual([
    '\nconfig.json has errors. The last valid version stays in effect.\nconfig.json, line 3: this is not JSON?[2J',
  ]);
});
