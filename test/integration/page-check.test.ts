import { beforeAll, expect, it } from 'vitest';
import { readMeta, startHost, type TestHost } from '../helpers/host.js';
import { Project } from '../helpers/project.js';
import { serves } from '../helpers/pushing.js';

const SETTINGS = '[check]\nscript = "all-pages"\n';
const page = (body: string): string => `import streamlit as st\n\n${body}\n`;

let host: TestHost;
let project: Project;

beforeAll(async () => {
  host = await startHost();
  project = await Project.create({
    'streamlit-host.toml': SETTINGS,
    'requirements.txt': 'streamlit\n',
    'app.py': page('st.text("text:main")\nst.session_state.seen = True'),
    'pages/1_Sums.py': page('assert st.session_state.seen, "the main page ran before, as for a visitor"'),
    'pages/2_Último.py': page('st.write(2)'),
  });
});

const push = (): Promise<{ code: number; output: string }> => project.git('push', host.remote('paged'), 'main');

it('all pages run in one visit before a release serves, if the app asks for it', async () => {
  const pushed = await push();
  expect(pushed.code, pushed.output).toBe(0);
  expect(pushed.output).toMatch(/All 3 pages ran without an exception/);
});

it('a page that fails rejects the push with its traceback, by project paths, and the live release stays', async () => {
  const before = await serves(host, 'paged');
  await project.commit({ 'pages/2_Último.py': page('table = {}\nst.write(table["nothing"])') }, 'A page fails');
  const pushed = await push();
  expect(pushed.code).toBe(1);
  expect(pushed.output).toMatch(/\[remote rejected\].*page "\S*ltimo" raised an exception; paged is unchanged/);
  expect(pushed.output).toContain("KeyError: 'nothing'");
  expect(pushed.output).toContain('File "pages/2_Último.py", line 4');
  expect(pushed.output).not.toContain(host.data);
  const { deploys } = (await (await host.api('/apps/paged/deploys')).json()) as { deploys: object[] };
  const phases: unknown[] = ['checkout', 'environment', 'start', 'check'].map((name) => ({ name }));
  expect(deploys[0]).toMatchObject({ state: 'failed', phases });
  expect(await serves(host, 'paged')).toEqual(before);
});

it('the pages of st.navigation are checked as well, including one that is not Python and one that does not finish', async () => {
  const before = await serves(host, 'paged');
  const navigation = `
def home():
    st.text("text:main")

st.navigation([st.Page(home, default=True), st.Page("views/more.py")]).run()`;
  await project.git('rm', '-rq', 'pages');
  await project.commit(
    { 'app.py': page(navigation), 'views/more.py': 'import streamlit as st\nst.write(\n' },
    'No Python',
  );
  const broken = await push();
  expect(broken.code).toBe(1);
  expect(broken.output).toContain('SyntaxError');
  expect(broken.output).toMatch(/SyntaxError in views\/more\.py, line 2: '\(' was never closed; paged is unchanged/);
  expect(broken.output).not.toContain('ast.py');
  await project.commit(
    {
      'views/more.py': page('import time\nwhile True: time.sleep(0.1)'),
      'streamlit-host.toml': `${SETTINGS}timeout_s = 2\n`,
    },
    'Without an end',
  );
  const endless = await push();
  expect(endless.code).toBe(1);
  expect(endless.output).toMatch(/page "more" did not finish within 2 s; paged is unchanged/i);
  expect(await serves(host, 'paged')).toEqual(before);
  await project.commit({ 'views/more.py': page('st.write("more")') }, 'Mended');
  const mended = await push();
  expect(mended.output).toContain('All 2 pages ran without an exception');
});

it('an app with one page has that page run once', async () => {
  await project.git('rm', '-rq', 'views');
  await project.commit({ 'app.py': page('print("runs")\nst.text("text:main")') }, 'One page');
  const pushed = await push();
  expect(pushed.output).toContain('The only page ran without an exception');
  const log = await (await host.api('/apps/paged/logs')).text();
  // Once for Streamlit's own check, and once for the page.
  expect(log.match(/runs/g)).toHaveLength(2);
});

it('an app that is not at the top of its repository is pushed as the refusal says, and stays found', async () => {
  const other = await Project.create({
    'train.py': '',
    'util.py': '',
    'lib/shared.py': 'WORD = "shared"\n',
    'dash/report.py': page('import beside\nfrom lib.shared import WORD\nst.text(f"text:{WORD}-{beside.WORD}")'),
    'dash/beside.py': 'WORD = "beside"\n',
    'dash/requirements.txt': 'streamlit\n',
  });
  const refused = await other.git('push', host.remote('elsewhere'), 'main');
  expect(refused.code).toBe(1);
  expect(refused.output).toContain('git push -o main=dash/report.py host main');
  const pushed = await other.git('push', '-o', 'main=dash/report.py', host.remote('elsewhere'), 'main');
  expect(pushed.code, pushed.output).toBe(0);
  expect(pushed.output).toContain('Dependencies: dash/requirements.txt');
  expect(pushed.output).toContain('The main file of elsewhere is dash/report.py from now on.');
  expect(await serves(host, 'elsewhere')).toMatchObject({ text: 'text:shared-beside' });

  await other.commit({ 'lib/shared.py': 'WORD = "later"\n' }, 'No option');
  const again = await other.git('push', host.remote('elsewhere'), 'main');
  expect(again.code, again.output).toBe(0);
  expect(await serves(host, 'elsewhere')).toMatchObject({ text: 'text:later-beside' });

  await other.commit(
    {
      'dash/data.txt': 'rooted',
      'dash/.streamlit/config.toml': '[server]\nmaxUploadSize = 20\nmaxMessageSize = 5000\n',
      'dash/report.py': page(
        `names = ["server.maxUploadSize", "server.maxMessageSize", "browser.serverPort"]
st.text("text:" + "-".join([open("data.txt").read(), *(str(st.get_option(name)) for name in names)]))`,
      ),
    },
    'A root',
  );
  const rooted = await other.git('push', '-o', 'root=dash', '-o', 'main=', host.remote('elsewhere'), 'main');
  expect(rooted.code).toBe(1);
  await other.git('mv', 'dash/report.py', 'dash/app.py');
  await other.commit({ 'dash/requirements.txt': 'streamlit\n' }, 'A name that is found');
  const found = await other.git('push', '-o', 'root=dash', '-o', 'main=', host.remote('elsewhere'), 'main');
  expect(found.code, found.output).toBe(0);
  expect(await serves(host, 'elsewhere')).toMatchObject({
    text: `text:rooted-20-1000-${new URL(host.url).port}`,
  });
  expect(found.output).toContain('server.maxMessageSize is 5000 MB, but this server allows 1000 MB.');
  expect((await readMeta(host, 'elsewhere')).layout).toEqual({ root: 'dash' });
});
