import { expect, it } from 'vitest';
import type { Api, App, Overview } from '../../../src/cli/api.js';
import type { Context } from '../../../src/cli/context.js';
import { narrowed, status } from '../../../src/cli/status.js';
import { Refusal } from '../../../src/errors.js';

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
  await status({ out, api: async () => api as unknown as Api } as unknown as Context, undefined, {});
  return { printed, noted };
}

it('status shows why an app failed below the table, without control characters', async () => {
  const apps = [
    app('one', 'failed', 'its folder /x\u001b[2J is not there'),
    app('two', 'running', 'an older failure'),
    app('three', 'failed', null),
  ];
  const { printed, noted } = await shown({ apps, config_mistakes: [] });
  expect(printed.slice(-2)).toEqual(['', 'one: Its folder /x?[2J is not there.']);
  expect(printed.join('\n')).not.toContain('an older failure');
  expect(noted).toEqual([]);
});

it('status shows errors in config.json, without control characters', async () => {
  const { noted } = await shown({ apps: [], config_mistakes: ['config.json, line 3: this is not JSON\u001b[2J'] });
  expect(noted).toEqual([
    '\nconfig.json has errors. The last valid version stays in effect.\nconfig.json, line 3: this is not JSON?[2J',
  ]);
});

it('status of one app shows only that app, and an unknown one is refused', async () => {
  const printed: string[] = [];
  const apps = [app('one', 'failed', 'no main file'), app('two', 'running', null)];
  const api = {
    target: { url: 'http://x' },
    app: async (id: string) => {
      const found = apps.find((each) => each.id === id);
      if (found === undefined) throw new Refusal('not-found', 'app-not-found', `There is no app "${id}".`);
      return found;
    },
  };
  const run = (id: string, json: boolean): Promise<void> => {
    const out = {
      json,
      print: (line: string) => printed.push(line),
      data: (data: unknown) => printed.push(JSON.stringify(data)),
      paint: (_: string, text: string) => text,
    };
    return status({ out, api: async () => api as unknown as Api } as unknown as Context, id, {});
  };
  await run('one', false);
  expect(printed.slice(-2)).toEqual(['', 'one: No main file.']);
  expect(printed.join('\n')).not.toContain('two');
  await run('two', true);
  expect(JSON.parse(printed.at(-1) ?? '')).toMatchObject({ id: 'two', state: 'running' });
  await expect(run('three', false)).rejects.toMatchObject({ code: 'app-not-found' });
});

it("status of one app with --watch shows only that app's changes", () => {
  const [one, two] = [app('one', 'running', null), app('two', 'running', null)];
  expect(narrowed('snapshot', { apps: [one, two] }, 'one')).toEqual({ apps: [one] });
  expect(narrowed('app', one, 'one')).toBe(one);
  expect(narrowed('app', two, 'one')).toBeUndefined();
  expect(narrowed('removed', { id: 'two' }, 'one')).toBeUndefined();
  expect(narrowed('removed', { id: 'two' }, undefined)).toEqual({ id: 'two' });
});
