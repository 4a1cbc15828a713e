import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
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

const APP = `import os
import streamlit as st

st.write("text:" + os.environ.get("REGION", "none") + ("-key" if os.environ.get("API_KEY") else "-nokey"))
`;

let host: TestHost;
let person: Person;
let project: Project;
const cli = (args: string[], input = ''): Promise<Ended> => person.run(args, { input });

beforeAll(async () => {
  host = await startHost();
  person = await Person.of(host);
  project = await Project.create({ 'app.py': APP, 'requirements.txt': 'streamlit\n' });
  await host.send('POST', '/apps', { name: 'conf' });
});

const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

async function names(): Promise<string[]> {
  return (parse((await cli(['config', 'conf', '--json'])).stdout).vars as { name: string }[]).map(({ name }) => name);
}

describe('the config of an app that has not been pushed yet', () => {
  it('is set from standard input, files and arguments, and only stored', async () => {
    expect((await cli(['config', 'conf'])).stdout).toBe('conf has no config vars.\n');
    expect(await cli(['config', 'conf', 'set', 'API_KEY', '-', 'REGION=north'], `${ONE}\n`)).toEqual({
      code: 0,
      stdout: 'Saved. Applied on the next deploy.\n',
      stderr: '',
    });
    await writeFile(join(person.home, 'more.env'), `# what else there is\nexport SECOND="${TWO}"\nEMPTY=\n`);
    expect((await cli(['config', 'conf', 'import', 'more.env'])).code).toBe(0);
    await writeFile(join(person.home, 'secrets.toml'), `key = 1\n\n[db]\npassword = "${PASSWORD}"\n`);
    expect((await cli(['secrets', 'conf', 'set', 'secrets.toml'])).code).toBe(0);
    expect((await host.app('conf')).state).toBe('created');
  });

  it('is listed by name', async () => {
    const list = await cli(['config', 'conf']);
    expect(list.stdout.split('\n').map((line) => line.split(/\s+/)[0])).toEqual([
      'NAME',
      'API_KEY',
      'EMPTY',
      'REGION',
      'SECOND',
      '',
    ]);
    const json = await cli(['config', 'conf', '--json']);
    expect(parse(json.stdout)).toMatchObject({
      version: 3,
      live_version: null,
      vars: [{ name: 'API_KEY', changed_by: 'admin' }, {}, {}, {}],
    });
    const secrets = await cli(['secrets', 'conf']);
    expect(secrets.stdout).toBe('key\n[db]\n');
    expect(secrets.stderr).toMatch(/^Changed \d+s ago by admin\.\n$/);
    const secretsJson = await cli(['secrets', 'conf', '--json']);
    for (const { stdout, stderr } of [list, json, secrets, secretsJson]) expect(stdout + stderr).not.toMatch(ANY);
    expect(host.output).not.toContain('revealed');
  });

  it('is shown one value at a time, which is logged', async () => {
    expect((await cli(['config', 'conf', 'show', 'API_KEY'])).stdout).toBe(`${ONE}\n`);
    expect(parse((await cli(['config', 'conf', 'show', 'SECOND', '--json'])).stdout)).toEqual({
      name: 'SECOND',
      value: TWO,
    });
    await until('it is in the log', () =>
      /"app":"conf","by":"admin".*"name":"SECOND".*the config vars of an app were revealed/.test(host.output),
    );
    expect((await cli(['secrets', 'conf', 'show'])).stdout).toContain(`password = "${PASSWORD}"\n`);
    await until('it is in the log', () => host.output.includes('the secrets of an app were revealed'));
    expect(host.output).not.toMatch(ANY);
    expect(await cli(['config', 'conf', 'show', 'NOT_THERE'])).toMatchObject({
      code: 1,
      stderr: 'streamlit-host: conf has no config var NOT_THERE.\n',
    });
  });

  it('is refused if it is invalid, and does not change', async () => {
    const tries: [string[], string, number, RegExp][] = [
      [['config', 'conf', 'set'], '', 2, /KEY=VALUE/],
      [['config', 'conf', 'set', 'A'], '', 2, /Standard input is empty\. Send the value of A there/],
      [['config', 'conf', 'set', 'A', 'B'], 'x', 2, /Only one value/],
      [['config', 'conf', 'set', 'PATH=/bin'], '', 1, /PATH is reserved/],
      [['config', 'conf', 'frobnicate'], '', 2, /Allowed choices are set, unset, import, show/],
      [['config', 'conf', 'unset', 'API_KEY', 'NOPE'], '', 2, /has no config var "NOPE"/],
      [['config', 'conf', 'import', '-'], `A=1\n${TWO}\n`, 1, /[Ll]ine 2 /],
      [['config', 'conf', 'import', 'no-such-file'], '', 2, /Cannot read no-such-file/],
      [['secrets', 'conf', 'set', '-'], `a = 1\nb = ${PASSWORD} 5\n`, 1, /line 2, column \d/],
      [['secrets', 'conf', 'set', '-'], '', 2, /file is empty/],
      [['config', 'konf', 'set', 'A=1'], '', 5, /Did you mean "conf"/],
      [['config', '', 'set', 'A=1'], '', 2, /is empty/],
      [['rollback', 'conf', '--yes'], '', 1, /no earlier release/],
    ];
    for (const [args, input, code, says] of tries) {
      const ended = await cli(args, input);
      expect([args, ended.code, ended.stderr]).toEqual([args, code, expect.stringMatching(says)]);
      expect(ended.stderr).not.toMatch(ANY);
    }
    expect(parse((await cli(['config', 'conf', '--json'])).stdout).version).toBe(3);
  });
});

describe('the config of a live app', () => {
  beforeAll(() => pushLive(project, host, 'conf'));

  it('creates a release that is followed; a value is prompted for without echo and never passed on', async () => {
    const { child, ended, printed } = person.beginOnTerminal(['config', 'conf', 'set', 'API_KEY']);
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
    expect((await host.app('conf')).release).toBe(2);
    expect(await cli(['config', 'conf', 'set', 'REGION=north'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('No changes.') as string,
    });
  });

  it('is removed by name', async () => {
    const queued = await cli(['config', 'conf', 'unset', 'SECOND', 'EMPTY', '--no-wait', '--json']);
    expect(parse(queued.stdout)).toMatchObject({ release: 3, source: 'config' });
    await until('it is live', async () => (await host.app('conf')).release === 3);
    expect(await names()).toEqual(['API_KEY', 'REGION']);
  });
});

describe('a rollback', () => {
  it('first shows what changes in code and config, and does nothing without a yes', async () => {
    await project.commit({ 'app.py': `${APP}st.write("newer")\n` }, 'Newer');
    await pushLive(project, host, 'conf');
    const head = await refOf(host, 'conf');
    const difference = await cli(['diff', 'conf', '1']);
    expect(difference).toMatchObject({ code: 0, stderr: '' });
    expect(difference.stdout).toContain('-st.write("newer")');
    expect(difference.stdout).toContain('Config:\n + EMPTY\n + SECOND\n ~ API_KEY: value differs\n');
    expect(parse((await cli(['diff', 'conf', '1', '--json'])).stdout)).toMatchObject({
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

    expect(await cli(['rollback', 'conf'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Pass --yes') as string,
    });
    const { child, ended, printed } = person.beginOnTerminal(['rollback', 'conf', '1']);
    await until('the question', () => printed().includes('Roll back to release 1? [y/N]'));
    child.stdin?.write('\r');
    const { code, stdout } = await ended;
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/ app\.py \| 1 -[^]*API_KEY: value differs[^]*Nothing was rolled back/),
    ]);
    expect((await host.app('conf')).release).toBe(4);
    expect(await refOf(host, 'conf')).toBe(head);
  });

  it('goes to the previously live release, and is followed', async () => {
    const back = await cli(['rollback', 'conf', '--yes', '--json']);
    expect(back.code, back.stderr).toBe(0);
    expect(parse(back.stdout)).toMatchObject({
      release: 5,
      source: 'rollback',
      state: 'live',
      app_url: `${host.url}/apps/conf/`,
    });
    expect(back.stderr).toContain('Release 3 of conf, compared with the live release 4:');
    expect(back.stderr).toContain('Config: no changes');
    expect(await visit(host, 'conf')).toContain('text:north-key');
    expect(await cli(['rollback', 'conf', '99', '--yes'])).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('a release with open pages', () => {
  it('shows how many while it drains, and can be stopped', async () => {
    const open = async (n: number): Promise<number | undefined> =>
      ((await (await host.api(`/apps/conf/deploys/${n}`)).json()) as { open_pages?: number }).open_pages;
    const page = await StreamlitClient.connect(`${host.url}/apps/conf/~5/`);
    try {
      await page.run('', { limitMs: 15_000 });
      expect(await open(5)).toBe(1);
      expect((await cli(['config', 'conf', 'set', 'REGION=south'])).code).toBe(0);
      expect([await open(5), await open(6), await open(1)]).toEqual([1, 0, undefined]);
      const { deploys } = (await (await host.api('/apps/conf/deploys')).json()) as {
        deploys: { release: number; open_pages?: number }[];
      };
      expect(
        deploys.filter((each) => each.open_pages !== undefined).map(({ release, open_pages }) => [release, open_pages]),
      ).toEqual([
        [6, 0],
        [5, 1],
      ]);
      await host.api('/apps/conf/deploys/5/retire', { method: 'POST' });
      expect(await open(5)).toBeUndefined();
      expect((await host.app('conf')).release).toBe(6);
    } finally {
      await page.close();
    }
  });
});

describe('a change that the app did not start with', () => {
  it('says when repeated that it is not live yet, and how to apply it', async () => {
    const strict = `${APP}if os.environ.get("REGION") == "nowhere":\n    raise SystemError("no such region")\n`;
    await project.commit({ 'app.py': strict }, 'Look at the region');
    await pushLive(project, host, 'conf');
    const set = ['config', 'conf', 'set', 'REGION=nowhere'];
    expect((await cli(set)).code).toBe(1);
    const again = await cli(set);
    expect([again.code, again.stdout]).toEqual([
      0,
      expect.stringContaining('Apply it with "streamlit-host redeploy conf".'),
    ]);
    expect(await visit(host, 'conf')).toContain('text:south-key');
  });
});

describe('a config that cannot be read', () => {
  it('does not hide the code changes, and is reported in a sentence', async () => {
    await rm(join(host.data, 'vault.key'));
    const { stdout, code } = await cli(['diff', 'conf', '1']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Config: cannot be compared\. The key file .*vault\.key is missing/);
    expect((await cli(['config', 'conf'])).stderr).toMatch(/The key file .*vault\.key is missing/);
  });
});

describe('the server log', () => {
  it('has none of the values', () => {
    expect(host.output).not.toMatch(ANY);
  });
});
