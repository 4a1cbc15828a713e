import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startHost, until, type TestHost } from '../helpers/host.js';
import { Person, type Ended } from '../helpers/person.js';
import { Project } from '../helpers/project.js';
import { pushLive, refOf, visit } from '../helpers/pushing.js';
import { StreamlitClient } from '../helpers/streamlit-client.js';

/** Values that stand nowhere but here. */
const ONE = 'first-value-8c1f';
const TWO = 'second-value-77ab';
const PASSWORD = 'password-in-toml-e4d0';
const ANY = new RegExp(`${ONE}|${TWO}|${PASSWORD}`);

const SECRETS = `key = 1\n\n[db]\npassword = "${PASSWORD}"\n`;

const APP = `import os
import streamlit as st

st.write("text:" + os.environ.get("REGION", "none") + ("-key" if os.environ.get("API_KEY") else "-nokey"))
`;

let host: TestHost;
let person: Person;
const cli = (args: string[], input = ''): Promise<Ended> => person.run(args, { input });

beforeAll(async () => {
  host = await startHost();
  person = await Person.of(host);
});

// The server's log has none of the values, whatever was done with them.
afterEach(() => expect(host.output).not.toMatch(ANY));

const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

/** Creates an app, and sets its vars (version 1) and secrets (version 2). */
async function configured(id: string, on = host): Promise<void> {
  expect((await on.send('POST', '/apps', { name: id })).status).toBe(201);
  const vars = { API_KEY: ONE, REGION: 'north', SECOND: TWO, EMPTY: '' };
  expect((await on.send('PATCH', `/apps/${id}/config`, { vars })).status).toBe(200);
  expect((await on.send('PUT', `/apps/${id}/secrets`, { toml: SECRETS })).status).toBe(200);
}

/** Creates an app with config, and makes it live. */
async function live(id: string, on = host): Promise<Project> {
  await configured(id, on);
  const project = await Project.create({ 'app.py': APP, 'requirements.txt': 'streamlit\n' });
  await pushLive(project, on, id);
  return project;
}

async function names(id: string): Promise<string[]> {
  return (parse((await cli(['config', id, '--json'])).stdout).vars as { name: string }[]).map(({ name }) => name);
}

describe('the config of an app that has not been pushed yet', () => {
  it('is set from standard input, files and arguments, and only stored', async () => {
    expect((await host.send('POST', '/apps', { name: 'typed' })).status).toBe(201);
    expect((await cli(['config', 'typed'])).stdout).toBe('typed has no config vars.\n');
    expect(await cli(['config', 'typed', 'set', 'API_KEY', '-', 'REGION=north'], `${ONE}\n`)).toEqual({
      code: 0,
      stdout: 'Saved. Applied on the next deploy.\n',
      stderr: '',
    });
    await writeFile(join(person.home, 'more.env'), `# what else there is\nexport SECOND="${TWO}"\nEMPTY=\n`);
    expect((await cli(['config', 'typed', 'import', 'more.env'])).code).toBe(0);
    await writeFile(join(person.home, 'secrets.toml'), SECRETS);
    expect((await cli(['secrets', 'typed', 'set', 'secrets.toml'])).code).toBe(0);
    expect((await host.app('typed')).state).toBe('created');
    expect(await (await host.api('/apps/typed/config?reveal=1')).json()).toMatchObject({
      version: 3,
      vars: [
        { name: 'API_KEY', value: ONE },
        { name: 'EMPTY', value: '' },
        { name: 'REGION', value: 'north' },
        { name: 'SECOND', value: TWO },
      ],
    });
    expect(await (await host.api('/apps/typed/secrets?reveal=1')).json()).toMatchObject({ toml: SECRETS });
  });

  it('is not set to nothing by input that is empty, as of a file that is missing', async () => {
    expect((await host.send('POST', '/apps', { name: 'nothing' })).status).toBe(201);
    const empty = await cli(['config', 'nothing', 'set', 'API_KEY', '-']);
    expect([empty.code, empty.stderr]).toEqual([2, expect.stringContaining('Standard input is empty.')]);
    const secrets = await cli(['secrets', 'nothing', 'set', '-']);
    expect([secrets.code, secrets.stderr]).toEqual([2, expect.stringContaining('The file is empty.')]);
    expect(await (await host.api('/apps/nothing/config')).json()).toMatchObject({ version: 0, vars: [] });
  });

  it('is listed by name', async () => {
    await configured('listed');
    const list = await cli(['config', 'listed']);
    expect(list.stdout.split('\n').map((line) => line.split(/\s+/)[0])).toEqual([
      'NAME',
      'API_KEY',
      'EMPTY',
      'REGION',
      'SECOND',
      '',
    ]);
    const json = await cli(['config', 'listed', '--json']);
    expect(parse(json.stdout)).toMatchObject({
      version: 2,
      live_version: null,
      vars: [{ name: 'API_KEY', changed_by: 'admin' }, {}, {}, {}],
    });
    const secrets = await cli(['secrets', 'listed']);
    expect(secrets.stdout).toBe('key\n[db]\n');
    expect(secrets.stderr).toMatch(/^Changed \d+s ago by admin\.\n$/);
    const secretsJson = await cli(['secrets', 'listed', '--json']);
    for (const { stdout, stderr } of [list, json, secrets, secretsJson]) expect(stdout + stderr).not.toMatch(ANY);
    expect(host.output).not.toMatch(/"app":"listed".*were revealed/);
  });

  it('is shown one value at a time, which is logged', async () => {
    await configured('shown');
    expect((await cli(['config', 'shown', 'show', 'API_KEY'])).stdout).toBe(`${ONE}\n`);
    expect(parse((await cli(['config', 'shown', 'show', 'SECOND', '--json'])).stdout)).toEqual({
      name: 'SECOND',
      value: TWO,
    });
    await until('it is in the log', () =>
      /"app":"shown","by":"admin".*"name":"SECOND".*the config vars of an app were revealed/.test(host.output),
    );
    expect((await cli(['secrets', 'shown', 'show'])).stdout).toContain(`password = "${PASSWORD}"\n`);
    await until('it is in the log', () => /"app":"shown".*the secrets of an app were revealed/.test(host.output));
    expect(await cli(['config', 'shown', 'show', 'NOT_THERE'])).toMatchObject({
      code: 1,
      stderr: 'streamlit-host: shown has no config var NOT_THERE.\n',
    });
  });

  it('is refused if it is invalid, and does not change', async () => {
    await configured('strict');
    const tries: [string[], string, number, RegExp][] = [
      [['config', 'strict', 'set'], '', 2, /KEY=VALUE/],
      [['config', 'strict', 'set', 'A'], '', 2, /Standard input is empty\. Send the value of A there/],
      [['config', 'strict', 'set', 'A', 'B'], 'x', 2, /Only one value/],
      [['config', 'strict', 'set', 'PATH=/bin'], '', 1, /PATH is reserved/],
      [['config', 'strict', 'frobnicate'], '', 2, /Allowed choices are set, unset, import, show/],
      [['config', 'strict', 'unset', 'API_KEY', 'NOPE'], '', 2, /has no config var "NOPE"/],
      [['config', 'strict', 'import', '-'], `A=1\n${TWO}\n`, 1, /[Ll]ine 2 /],
      [['config', 'strict', 'import', 'no-such-file'], '', 2, /Cannot read no-such-file/],
      [['secrets', 'strict', 'set', '-'], `a = 1\nb = ${PASSWORD} 5\n`, 1, /line 2, column \d/],
      [['secrets', 'strict', 'set', '-'], '', 2, /file is empty/],
      [['config', 'strikt', 'set', 'A=1'], '', 5, /Did you mean "strict"/],
      [['config', '', 'set', 'A=1'], '', 2, /is empty/],
      [['rollback', 'strict', '--yes'], '', 1, /no earlier release/],
    ];
    for (const [args, input, code, says] of tries) {
      const ended = await cli(args, input);
      expect([args, ended.code, ended.stderr]).toEqual([args, code, expect.stringMatching(says)]);
      expect(ended.stderr).not.toMatch(ANY);
    }
    expect(parse((await cli(['config', 'strict', '--json'])).stdout).version).toBe(2);
  });
});

describe('the config of a live app', () => {
  it('creates a release that is followed; a value is prompted for without echo and never passed on', async () => {
    await live('prompted');
    const { child, ended, printed } = person.beginOnTerminal(['config', 'prompted', 'set', 'API_KEY']);
    await until('the question', () => printed().includes('Value of API_KEY: '));
    const lines = await Promise.all(
      (await readdir('/proc'))
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    );
    child.stdin?.write(`${TWO}x\r`);
    const { code, stdout } = await ended;
    expect(code, stdout).toBe(0);
    expect(stdout).toContain('Reusing the code and environment of release 1');
    expect(stdout).toContain('Live: ');
    expect(stdout + lines.join('\n')).not.toMatch(ANY);
    expect((await host.app('prompted')).release).toBe(2);
    expect(await cli(['config', 'prompted', 'set', 'REGION=north'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('No changes.') as string,
    });
  });

  it('is removed by name', async () => {
    await live('removed');
    const queued = await cli(['config', 'removed', 'unset', 'SECOND', 'EMPTY', '--no-wait', '--json']);
    expect(parse(queued.stdout)).toMatchObject({ release: 2, source: 'config' });
    await until('it is live', async () => (await host.app('removed')).release === 2);
    expect(await names('removed')).toEqual(['API_KEY', 'REGION']);
  });

  it('says when a change that the app did not start with is repeated that it is not live yet, and how to apply it', async () => {
    const project = await live('picky');
    const strict = `${APP}if os.environ.get("REGION") == "nowhere":\n    raise SystemError("no such region")\n`;
    await project.commit({ 'app.py': strict }, 'Look at the region');
    await pushLive(project, host, 'picky');
    const set = ['config', 'picky', 'set', 'REGION=nowhere'];
    expect((await cli(set)).code).toBe(1);
    const again = await cli(set);
    expect([again.code, again.stdout]).toEqual([
      0,
      expect.stringContaining('Apply it with "streamlit-host redeploy picky".'),
    ]);
    expect(await visit(host, 'picky')).toContain('text:north-key');
  });
});

describe('a rollback', () => {
  it('first shows what changes in code and config, and does nothing without a yes', async () => {
    const project = await live('compared');
    expect((await cli(['config', 'compared', 'unset', 'SECOND', 'EMPTY'])).code).toBe(0);
    expect((await cli(['config', 'compared', 'set', 'API_KEY', '-'], `${TWO}x\n`)).code).toBe(0);
    await project.commit({ 'app.py': `${APP}st.write("newer")\n` }, 'Newer');
    await pushLive(project, host, 'compared');
    const head = await refOf(host, 'compared');
    const difference = await cli(['diff', 'compared', '1']);
    expect(difference).toMatchObject({ code: 0, stderr: '' });
    expect(difference.stdout).toContain('-st.write("newer")');
    expect(difference.stdout).toContain('Config:\n + EMPTY\n + SECOND\n ~ API_KEY: value differs\n');
    expect(parse((await cli(['diff', 'compared', '1', '--json'])).stdout)).toMatchObject({
      release: 1,
      live: 4,
      patch: expect.stringMatching(/^diff --git a\/app.py/) as string,
      config: {
        vars: { added: ['EMPTY', 'SECOND'], removed: [], changed: ['API_KEY'] },
        secrets: { added: [], removed: [], changed: [] },
      },
      config_problem: null,
    });
    expect(difference.stdout).not.toMatch(ANY);

    expect(await cli(['rollback', 'compared'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Pass --yes') as string,
    });
    const { child, ended, printed } = person.beginOnTerminal(['rollback', 'compared', '1']);
    await until('the question', () => printed().includes('Roll back to release 1? [y/N]'));
    child.stdin?.write('\r');
    const { code, stdout } = await ended;
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/ app\.py \| 1 -[^]*API_KEY: value differs[^]*Nothing was rolled back/),
    ]);
    expect((await host.app('compared')).release).toBe(4);
    expect(await refOf(host, 'compared')).toBe(head);
  });

  it('goes to the previously live release, and is followed', async () => {
    const project = await live('back');
    await project.commit({ 'app.py': `${APP}st.write("newer")\n` }, 'Newer');
    await pushLive(project, host, 'back');
    const back = await cli(['rollback', 'back', '--yes', '--json']);
    expect(back.code, back.stderr).toBe(0);
    expect(parse(back.stdout)).toMatchObject({
      release: 3,
      source: 'rollback',
      state: 'live',
      app_url: `${host.url}/apps/back/`,
    });
    expect(back.stderr).toContain('Release 1 of back, compared with the live release 2:');
    expect(back.stderr).toContain('Config: no changes');
    expect(await visit(host, 'back')).toContain('text:north-key');
    expect(await cli(['rollback', 'back', '99', '--yes'])).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('a release with open pages', () => {
  it('shows how many while it drains, and can be stopped', async () => {
    await live('paged');
    const retire = (n: number): Promise<Response> => host.api(`/apps/paged/deploys/${n}/retire`, { method: 'POST' });
    const open = async (n: number): Promise<number | undefined> =>
      ((await (await host.api(`/apps/paged/deploys/${n}`)).json()) as { open_pages?: number }).open_pages;
    expect((await cli(['config', 'paged', 'set', 'REGION=east'])).code).toBe(0);
    await retire(1);
    const page = await StreamlitClient.connect(`${host.url}/apps/paged/~2/`);
    try {
      await page.run('', { limitMs: 15_000 });
      expect(await open(2)).toBe(1);
      expect((await cli(['config', 'paged', 'set', 'REGION=south'])).code).toBe(0);
      expect([await open(2), await open(3), await open(1)]).toEqual([1, 0, undefined]);
      const { deploys } = (await (await host.api('/apps/paged/deploys')).json()) as {
        deploys: { release: number; open_pages?: number }[];
      };
      expect(
        deploys.filter((each) => each.open_pages !== undefined).map(({ release, open_pages }) => [release, open_pages]),
      ).toEqual([
        [3, 0],
        [2, 1],
      ]);
      await retire(2);
      expect(await open(2)).toBeUndefined();
      expect((await host.app('paged')).release).toBe(3);
    } finally {
      await page.close();
    }
  });
});

describe('a config that cannot be read', () => {
  it('does not hide the code changes, and is reported in a sentence', async () => {
    const own = await startHost();
    const other = await Person.of(own);
    const project = await live('unread', own);
    await project.commit({ 'app.py': `${APP}st.write("newer")\n` }, 'Newer');
    await pushLive(project, own, 'unread');
    await rm(join(own.data, 'vault.key'));
    const { stdout, code } = await other.run(['diff', 'unread', '1']);
    expect(code).toBe(0);
    expect(stdout).toContain('-st.write("newer")');
    expect(stdout).toMatch(/Config: cannot be compared\. The key file .*vault\.key is missing/);
    expect((await other.run(['config', 'unread'])).stderr).toMatch(/The key file .*vault\.key is missing/);
    expect(own.output).not.toMatch(ANY);
  });
});
