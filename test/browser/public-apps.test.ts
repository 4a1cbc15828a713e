import { execFile } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { openBrowser, tellFailures } from '../helpers/browser.js';
import { scratch } from '../helpers/ends.js';
import { ROOT, startHost, until, type TestHost } from '../helpers/host.js';
import { startIndex } from '../helpers/package-index.js';
import { Project, run } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';
import { wheelOf } from '../helpers/wheel.js';
import { Visit } from './visits.js';

// Apps in the shapes of public repositories (test/fixtures/public-apps/README.md): each is pushed, used on every page, and
// deployed again while a tab of it is open. The pictures in test/artifacts are for people to look at.

const exec = promisify(execFile);
const APPS = join(ROOT, 'test/fixtures/public-apps');
/** The folder of the app with charts in the repository of many. */
const CHARTS = '1.16.0/demo_app_altair';

let host: TestHost;
let browser: Browser;
/** The tab that was opened last. */
let shown: Visit | undefined;

beforeAll(async () => {
  [host, browser] = await Promise.all([startHost(), openBrowser()]);
});

tellFailures(() => shown && { host, page: shown.page });

/** A picture that Streamlit has replaced before the browser asked for it. */
const REPLACED = [/^404 .*\/media\/\w+\.jpg$/];

/** Names that public repositories give to files, and that not every tool and system can have. */
const NAMES: Record<string, Record<string, string>> = {
  pages: {
    'pages/1_Timelapse.py': 'pages/1_📷_Timelapse.py',
    'pages/2_U.S._Housing.py': 'pages/2_🏠_U.S._Housing.py',
    'pages/13_Buildings.py': 'pages/13_🏘️_Buildings.py',
    'pages/13_Ordnance_Survey.py': 'pages/13_🧱_Ordnance Survey.py',
  },
  poetry: { 'src/pages/11_table.py': 'src/pages/11_データ表.py' },
  monorepo: {
    [`${CHARTS}/Home.py`]: `${CHARTS}/🎨_Home.py`,
    [`${CHARTS}/pages/0_Annotations.py`]: `${CHARTS}/pages/0_✍️_Demo:_Annotations.py`,
    [`${CHARTS}/pages/04_Cloud_files.py`]: `${CHARTS}/pages/04_🗂️_S3,_GCS,_and_cloud_files.py`,
    [`${CHARTS}/pages/62_Questions.py`]: `${CHARTS}/pages/62_Q&A (half).py`,
  },
};

async function copyOf(shape: string): Promise<Project> {
  const project = await Project.copyOf(join(APPS, shape));
  for (const [from, to] of Object.entries(NAMES[shape] ?? {}))
    await rename(join(project.folder, from), join(project.folder, to));
  await project.commit({}, 'Name the files');
  return project;
}

/** Pushes with options, which must make the app live. @returns what the pusher saw */
async function pushWith(project: Project, id: string, ...options: string[]): Promise<string> {
  const argv = options.flatMap((option) => ['-o', option]);
  const { code, output } = await project.git('push', ...argv, host.remote(id), 'main');
  expect(output).toContain(`${id} is live`);
  expect(code, output).toBe(0);
  return output;
}

/** Pushes what must be rejected. @returns what the pusher saw */
async function pushRejected(project: Project, id: string): Promise<string> {
  const { code, output } = await project.git('push', host.remote(id), 'main');
  expect(code, output).not.toBe(0);
  // Lines of a remote end in spaces, and long ones are broken.
  return output.replace(/\s*\nremote:\s*/g, ' ');
}

/** Replaces a text in a file of a project, where it must be. */
async function replaceIn(project: Project, path: string, from: string, to: string): Promise<void> {
  const file = join(project.folder, path);
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replaceAll(from, to));
}

async function open(id: string, path = ''): Promise<Visit> {
  shown = await Visit.open(browser, host, id, path);
  return shown;
}

describe('an app in the shape of a public repository', () => {
  it('has a folder of pages with icons and dots in their names', async () => {
    const id = 'field-notes';
    const project = await copyOf('pages');
    await pushLive(project, host, id);
    const old = await open(id);
    await old.sees('Field notes');
    expect(await old.pages()).toEqual(['app', 'Timelapse', 'U.S. Housing', 'Buildings', 'Ordnance Survey']);
    await old.clicks('Count a visit');
    await old.reads('Visits: 1');
    await old.isSound('home');
    await old.turnsTo('Timelapse');
    await old.reads('seen 1 times');
    await old.uploads('region.geojson', Buffer.alloc(4_000, 'x'));
    await old.reads('region.geojson has 4000 bytes');
    await old.isSound('timelapse');
    await old.turnsTo('U.S. Housing');
    expect(new URL(old.page.url()).pathname).toBe(`/apps/${id}/U.S._Housing`);
    await old.page.getByTestId('stVegaLiteChart').locator('canvas, svg').first().waitFor();
    const { name, bytes } = await old.downloads('Download the prices');
    expect([name, bytes.toString()]).toEqual([
      'houses.csv',
      await readFile(join(APPS, 'pages/data/houses.csv'), 'utf8'),
    ]);
    await old.isSound('housing');
    await old.turnsTo('Buildings');
    await old.page.getByTestId('stDeckGlJsonChart').locator('canvas').first().waitFor();
    await old.isSound('buildings');
    await old.turnsTo('Ordnance Survey');
    await old.isSound('survey');
    const direct = await open(id, 'U.S._Housing');
    await direct.sees('U.S. Housing');
    await direct.isSound('housing-direct');
    await direct.close();

    await rename(join(project.folder, 'pages/1_📷_Timelapse.py'), join(project.folder, 'pages/3_🪟_Split_Map.py'));
    await replaceIn(project, 'pages/3_🪟_Split_Map.py', '"Timelapse"', '"Split Map"');
    await project.commit({ 'data/houses.csv': 'county,price\nEast,1\n' }, 'Second');
    await pushLive(project, host, id);
    await old.turnsTo('Timelapse');
    await old.reads('seen 1 times');
    await old.turnsTo('U.S. Housing');
    expect((await old.downloads('Download the prices')).bytes.toString()).toContain('North,310000');
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.sees('Field notes');
    expect(await fresh.pages()).toEqual(['app', 'U.S. Housing', 'Split Map', 'Buildings', 'Ordnance Survey']);
    await fresh.turnsTo('U.S. Housing');
    expect((await fresh.downloads('Download the prices')).bytes.toString()).toBe('county,price\nEast,1\n');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('has its main file in a folder, and pages by st.navigation that come with a login', async () => {
    const id = 'hockey';
    const project = await copyOf('navigation');
    expect(await pushRejected(project, id)).toContain('-o main=apps/app.py');
    await pushWith(project, id, 'main=apps/app.py');
    const old = await open(id);
    await old.sees('Console');
    await old.seesPictures(2);
    await old.isSound('console');
    await old.clicks('Open the results');
    await old.sees('Game Results');
    await old.turnsTo('Log in');
    expect(new URL(old.page.url()).pathname).toBe(`/apps/${id}/auth`);
    await old.types('Name', 'treasurer');
    await old.reads('Welcome, treasurer');
    await old.isSound('login');
    await old.turnsTo('Fees');
    await old.isSound('fees');
    await old.turnsTo('Fees outstanding');
    await old.isSound('outstanding');
    const linked = await open(id, 'game_results?grade=1R');
    await linked.sees('Game Results');
    await linked.reads('Grade 1R');
    await linked.isSound('linked');
    await linked.close();

    await replaceIn(project, 'apps/config.py', 'season one', 'season two');
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.turnsTo('Fees');
    await old.reads('season one');
    await old.turnsTo('Console');
    await old.seesPictures(2);
    await old.isSound('old');
    const fresh = await open(id, 'auth');
    await fresh.sees('Log in');
    await fresh.reads('season two');
    expect(await fresh.pages()).toEqual(['Console', 'Game Results', 'Log in']);
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('is a package in src with a uv.lock, and asks for its own version', async () => {
    const id = 'tallies';
    const project = await copyOf('src-layout');
    const { uv = 'uv', cacheDir } = inject('tools');
    await exec(uv, ['lock', '--quiet'], { cwd: project.folder, env: { ...process.env, UV_CACHE_DIR: cacheDir } });
    await project.commit({}, 'Lock');
    await pushWith(project, id, 'main=src/tallies/app.py');
    const old = await open(id);
    await old.sees('Tallies');
    await old.reads('tallies 0.4.1');
    await old.reads('Tally: 23');
    await old.reads('units: apples');
    await old.isSound('home');

    await replaceIn(project, 'src/tallies/work.py', 'one + other', 'one * other');
    await replaceIn(project, 'src/tallies/__init__.py', '0.4.1', '0.5.0');
    await project.commit({ 'src/tallies/data/units.txt': 'units: pears\n' }, 'Second');
    await pushLive(project, host, id);
    await old.types('One', '30');
    await old.reads('Tally: 33');
    await old.reads('tallies 0.4.1');
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.reads('Tally: 60');
    await fresh.reads('tallies 0.5.0');
    await fresh.reads('units: pears');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('has a poetry.lock, pages in src, and a launcher in its root', async () => {
    const id = 'spirals';
    const project = await copyOf('poetry');
    await lockForPoetry(project, 'streamlit', 'altair', 'pandas');
    const refusal = await pushRejected(project, id);
    expect(refusal).toContain('run_stapp.py starts Streamlit itself');
    expect(refusal).toContain('-o main=src/main.py');
    await pushWith(project, id, 'main=src/main.py');
    const old = await open(id);
    await old.sees('Spirals');
    await old.isSound('home');
    await old.page.getByRole('link', { name: '表を見る' }).click();
    await old.sees('データ表');
    expect(decodeURI(new URL(old.page.url()).pathname)).toBe(`/apps/${id}/データ表`);
    await old.isSound('table');
    await old.turnsTo('example app', 'A spiral');
    await old.page.getByTestId('stVegaLiteChart').locator('canvas, svg').first().waitFor();
    await old.isSound('spiral');
    const direct = await open(id, encodeURI('データ表'));
    await direct.sees('データ表');
    await direct.close();

    await replaceIn(project, 'src/pages/01_example_app.py', 'points drawn', 'points drawn again');
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.page.getByRole('slider').press('ArrowRight');
    await old.reads(/^201 points drawn$/);
    await old.isSound('old');
    const fresh = await open(id, 'example_app');
    await fresh.reads('200 points drawn again');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('has an environment.yml, a question before its pages, and files that visitors leave', async () => {
    const id = 'masses';
    const project = await copyOf('conda');
    const output = await pushWith(project, id);
    expect(output).toMatch(/Conda packages are ignored: mono\b/);
    const old = await open(id);
    await old.sees('One question first');
    await old.seesPictures(1);
    await old.isSound('captcha', REPLACED);
    await old.types('Letters in the picture', 'ABCD');
    await old.clicks('Enter');
    await old.sees('👋 Quick Start');
    // Streamlit forgets the picture of a question as it draws the next one.
    await old.isSound('quickstart', REPLACED);
    await old.turnsTo('File Upload');
    await old.uploads('sample.mzML', Buffer.alloc(70_000, 1));
    await old.clicks('Add files to workspace');
    await old.reads('sample.mzML: 70000 bytes');
    await old.isSound('upload');
    await old.turnsTo('Result');
    await old.reads('1 files packed');
    const { name, bytes } = await old.downloads('Download all');
    expect([name, bytes.subarray(0, 2).toString()]).toEqual(['workspace.zip', 'PK']);
    await old.isSound('result');

    await replaceIn(project, 'content/quickstart.py', 'Quick Start', 'Quicker Start');
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.turnsTo('File Upload');
    await old.reads('sample.mzML: 70000 bytes');
    await old.uploads('other.mzML', Buffer.alloc(10, 1));
    await old.clicks('Add files to workspace');
    await old.reads('other.mzML: 10 bytes');
    await old.turnsTo('Quickstart', '👋 Quick Start');
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.sees('One question first');
    await fresh.types('Letters in the picture', 'ABCD');
    await fresh.clicks('Enter');
    await fresh.sees('👋 Quicker Start');
    await fresh.isSound('fresh', REPLACED);
    await Promise.all([old.close(), fresh.close()]);
  });

  it('keeps its data in Git LFS', async () => {
    const id = 'words';
    const project = await copyOf('lfs');
    await project.git('lfs', 'install', '--local');
    await project.git('lfs', 'track', '*.pickle');
    await project.git('rm', '--quiet', '--cached', 'words.pickle');
    await project.commit({}, 'Store data apart');
    expect((await project.git('cat-file', '-p', 'HEAD:words.pickle')).output).toContain('oid sha256:');
    await pushLive(project, host, id);
    const old = await open(id);
    await old.sees('Words over time');
    await old.types('Search terms, separated by spaces', 'tea');
    await old.reads('tea: 4');
    await old.page.getByTestId('stVegaLiteChart').locator('canvas, svg').first().waitFor();
    await old.isSound('home');

    const script = 'import pickle; pickle.dump({1990: ["tea"], 1992: ["fog", "fog"]}, open("words.pickle", "wb"))';
    await run('python3', ['-c', script], project.folder);
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.types('Search terms, separated by spaces', 'sea');
    await old.reads('sea: 4');
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.sees('Words over time');
    await fresh.reads('3 words in 2 years');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('brings a component with a built frontend', async () => {
    const id = 'ratings';
    const project = await copyOf('component-v1');
    await pushLive(project, host, id);
    const old = await open(id);
    await old.sees('Rate it');
    await old.frame().getByTitle('4 of 5').click();
    await old.reads('Rating: 4');
    await old.isSound('home');

    const built = 'stars/frontend/build';
    const [before, after] = ['main.6fe35020.chunk.js', 'main.77aa0011.chunk.js'];
    await rename(join(project.folder, built, 'static/js', before), join(project.folder, built, 'static/js', after));
    await replaceIn(project, `${built}/static/js/${after}`, 'first build', 'second build');
    await replaceIn(project, `${built}/index.html`, before, after);
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.turnsOn('A second row');
    await old.frame(1).getByText('And this? (first build)').waitFor();
    await old.frame(1).getByTitle('2 of 3').click();
    await old.reads('Second rating: 2');
    await old.reads(/^Rating: 4$/);
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.sees('Rate it');
    await fresh.frame().getByText('(second build)').waitFor();
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('brings a package with a component of the second kind', async () => {
    const id = 'greetings';
    const project = await copyOf('component-v2');
    await pushLive(project, host, id);
    const old = await open(id);
    await old.sees('Greetings');
    await old.reads('Hello, World! (first build)');
    await old.clicks('Click me!');
    await old.reads(/^Clicks: 1$/);
    await old.isSound('home');

    const built = 'greeter/frontend/build';
    for (const kind of ['js', 'css'])
      await rename(
        join(project.folder, built, `index-Ab12Cd34.${kind}`),
        join(project.folder, built, `index-Ef56Gh78.${kind}`),
      );
    await replaceIn(project, `${built}/index-Ef56Gh78.js`, 'first build', 'second build');
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.turnsOn('Another one');
    await old.reads('Hello, again! (first build)');
    await old.reads(/^Clicks: 1$/);
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.reads('Hello, World! (second build)');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('is an st.App with routes, middleware and a WebSocket of its own', async () => {
    const id = 'routes';
    const project = await copyOf('st-app');
    await pushLive(project, host, id);
    const base = `${host.url}/apps/${id}`;
    const asked = await fetch(`${base}/api/items`);
    expect(await asked.json()).toEqual({ build: 'first build', items: [10, 20, 30] });
    expect(asked.headers.get('set-cookie')).toMatch(/^session_id=abc;.*Path=\/apps\/routes/i);
    const post = (path: string, body: object): Promise<Response> =>
      fetch(`${base}/${path}`, { method: 'POST', body: JSON.stringify(body) });
    expect(await (await post('api/predict', { value: 21 })).json()).toEqual({ result: 42 });
    expect(await (await post('api/mail', { to: 'ada' })).json()).toEqual({ queued: 'ada' });
    await until('the mail is sent', async () => (await (await fetch(`${base}/api/health`)).text()).includes('"ada"'));
    expect(await (await fetch(`${base}/api/health`)).json()).toEqual({ ready: true, mails: ['ada'] });
    expect(await (await fetch(`${base}/robots.txt`)).text()).toContain('User-agent');
    expect(await (await fetch(`${base}/sitemap.xml`)).text()).toContain(`<loc>${base}/</loc>`);

    const old = await open(id);
    await old.sees('An app with routes of its own');
    await old.types('A note', 'one');
    await old.clicks('Keep the note');
    await old.reads('Notes: 1');
    await old.isSound('home');
    await old.turnsTo('1. Custom API Routes', 'Custom API Routes');
    await old.clicks('Ask');
    await old.reads('{"build":"first build","items":[10,20,30]}');
    await old.isSound('routes');
    await old.turnsTo('2. WebSockets', 'WebSockets');
    await old.reads('closed after 3, step 2, first build');
    await old.isSound('websockets');
    await old.turnsTo('3. Static Assets', 'Static Assets');
    const heading = old.frame().getByRole('heading', { name: 'Landing of the first build' });
    await heading.waitFor();
    expect(await heading.evaluate((one) => getComputedStyle(one).color)).toBe('rgb(11, 95, 110)');
    await old.isSound('landing');

    for (const path of ['app.py', 'landing/index.html']) await replaceIn(project, path, 'first build', 'second build');
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.turnsTo('1. Custom API Routes', 'Custom API Routes');
    await old.clicks('Ask');
    await old.reads('{"build":"first build","items":[10,20,30]}');
    await old.turnsTo('2. WebSockets', 'WebSockets');
    await old.reads('closed after 3, step 2, first build');
    await old.turnsTo('3. Static Assets', 'Static Assets');
    await heading.waitFor();
    await old.turnsTo('Home', 'An app with routes of its own');
    await old.reads('Notes: 1');
    await old.isSound('old');
    const fresh = await open(id, 'section1_custom_routes');
    await fresh.sees('Custom API Routes');
    await fresh.clicks('Ask');
    await fresh.reads('second build');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('serves static files and a font, and has a page called media', async () => {
    const id = 'statics';
    const project = await copyOf('static');
    await pushLive(project, host, id);
    const old = await open(id);
    await old.sees('Static demo');
    await old.seesPictures(3);
    await until('the font is there', () => old.page.evaluate('document.fonts.check("20px Blocks")'));
    await old.isSound('home');
    await old.turnsTo('media', 'Media page');
    await old.seesPictures(1);
    await old.isSound('media');
    await old.turnsTo('page1', 'Page 1');
    await old.isSound('page1');
    const direct = await open(id, 'media');
    await direct.sees('Media page');
    await direct.seesPictures(1);
    await direct.isSound('media-direct');
    await direct.close();

    for (const name of ['parrot.png', 'cat.png'])
      await rename(join(project.folder, 'static', name), join(project.folder, 'static', `new-${name}`));
    await replaceIn(project, 'app.py', 'static/cat.png', 'static/new-cat.png');
    await replaceIn(project, 'pages/media.py', 'app/static/parrot.png', 'app/static/new-parrot.png');
    await replaceIn(project, 'static/report.pdf', 'first build', 'second build');
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.turnsTo('media', 'Media page');
    await old.seesPictures(1);
    await old.turnsTo('page1', 'Page 1');
    const report = await old.page.getByRole('link', { name: 'The report' }).getAttribute('href');
    expect(await (await fetch(new URL(report ?? '', old.page.url()))).text()).toContain('first build');
    await old.turnsTo('app', 'Static demo');
    await old.seesPictures(3);
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.sees('Static demo');
    await fresh.seesPictures(3);
    await fresh.turnsTo('media', 'Media page');
    await fresh.seesPictures(1);
    expect(await (await fetch(`${host.url}/apps/${id}/app/static/report.pdf`)).text()).toContain('second build');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });

  it('is one of many in a repository, whose names have icons, colons and commas', async () => {
    const project = await copyOf('monorepo');
    const icons = wheelOf(
      'shared-icons',
      '1.0',
      'def icon(text):\n    return f"<span style=\'font-size:78px\'>{text}</span>"\n',
    );
    await project.commit({ [`1.16.0/${icons.file}`]: icons.bytes }, 'Add the wheel');
    const refusal = await pushRejected(project, 'charts');
    expect(refusal).toContain('-o main=');
    await pushWith(project, 'charts', `main=${CHARTS}/🎨_Home.py`);
    await pushWith(project, 'editor', 'root=1.19.0/data_editor', 'main=Home.py');
    const editor = await open('editor');
    await editor.sees('Editor');
    await editor.reads('3 words');
    await editor.isSound('home');
    const old = await open('charts');
    await old.sees('Charts!');
    expect(await old.pages()).toEqual(['Home', 'Demo: Annotations', 'S3, GCS, and cloud files', 'Q&A (half)']);
    await old.isSound('home');
    await old.turnsTo('Demo: Annotations', 'Annotations');
    await old.isSound('annotations');
    await old.turnsTo('Q&A (half)', 'Questions');
    await old.reads('Asked from Q');
    await old.isSound('questions');
    await old.turnsTo('Home', 'Charts!');
    await old.clicks("I'm lazy!");
    await old.sees('Cloud files');
    await old.uploads('a.bin', Buffer.alloc(5_000, 1));
    await old.reads('Uploaded 5000 bytes');
    await old.isSound('cloud-files');
    const links = await old.page
      .getByTestId('stSidebarNavLink')
      .evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).href));
    for (const [at, title] of ['Charts!', 'Annotations', 'Cloud files', 'Questions'].entries()) {
      const direct = await open('charts');
      await direct.page.goto(links[at] ?? '');
      await direct.sees(title);
      await direct.isSound(`direct-${at}`);
      await direct.close();
    }

    await replaceIn(project, `${CHARTS}/pages/0_✍️_Demo:_Annotations.py`, '"Annotations"', '"Annotations two"');
    await project.commit({}, 'Second');
    await pushLive(project, host, 'charts');
    await old.turnsTo('Demo: Annotations', 'Annotations');
    await old.turnsTo('S3, GCS, and cloud files', 'Cloud files');
    await old.uploads('b.bin', Buffer.alloc(6_000, 1));
    await old.reads('Uploaded 6000 bytes');
    await old.isSound('old');
    const fresh = await open('charts');
    await fresh.sees('Charts!');
    await fresh.turnsTo('Demo: Annotations', 'Annotations two');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close(), editor.close()]);
  });

  it('takes a package from a private index, whose token is a config var', async () => {
    const [id, token] = ['sealed', 'fury-7c1e5a90'];
    const index = await startIndex('/pypi/', `${token}:`);
    index.publish('sealed-core', '1.2.3', 'def seal(text):\n    return text[::-1]\n');
    const project = await copyOf('private-index');
    await host.send('POST', '/apps', { name: 'Sealed', id });
    expect(await pushRejected(project, id)).toMatch(/config var FURY_(AUTH_TOKEN|HOST), which is not set/);
    const configure = async (value: string): Promise<void> => {
      const vars = { FURY_AUTH_TOKEN: value, FURY_HOST: index.host };
      expect((await host.send('PATCH', `/apps/${id}/config`, { vars })).status).toBe(200);
    };
    await configure('fury-another-one');
    const refusal = await pushRejected(project, id);
    expect(refusal).toContain('check the credentials of that index');
    expect(refusal).not.toContain('fury-another-one');
    await configure(token);
    const output = await pushWith(project, id);
    expect(output).not.toContain(token);
    const old = await open(id);
    await old.sees('Sealed');
    await old.reads('Sealed: rettel');
    await old.isSound('home');

    index.publish('sealed-core', '1.3.0', 'def seal(text):\n    return text.upper()\n');
    await replaceIn(project, 'requirements.txt', '==1.2.3', '==1.3.0');
    await project.commit({}, 'Second');
    await pushLive(project, host, id);
    await old.types('A text', 'note');
    await old.reads('Sealed: eton');
    await old.isSound('old');
    const fresh = await open(id);
    await fresh.reads('Sealed: LETTER');
    await fresh.isSound('fresh');
    await Promise.all([old.close(), fresh.close()]);
  });
});

/** Writes a poetry.lock as Poetry 2 does, with the versions that uv finds. */
async function lockForPoetry(project: Project, ...packages: string[]): Promise<void> {
  const { uv = 'uv', cacheDir } = inject('tools');
  const list = join(await scratch('lock-'), 'packages.in');
  await writeFile(list, packages.map((one) => `${one}\n`).join(''));
  const argv = ['pip', 'compile', '--quiet', '--no-header', '--no-annotate', '--python', 'python3', list];
  const { stdout } = await exec(uv, argv, { env: { ...process.env, UV_CACHE_DIR: cacheDir } });
  const locked = [...stdout.matchAll(/^([\w.-]+)==([\w.!+-]+)$/gm)].map(
    ([, name, version]) =>
      `[[package]]\nname = "${name}"\nversion = "${version}"\noptional = false\npython-versions = "*"\ngroups = ["main"]\nfiles = []\n`,
  );
  expect(locked.length).toBeGreaterThan(packages.length);
  const metadata = '[metadata]\nlock-version = "2.1"\npython-versions = ">=3.10,<4.0"\n';
  await project.commit({ 'poetry.lock': [...locked, metadata].join('\n') }, 'Lock');
}
