import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { logInBy, openWholeBrowser, openTab, tellFailures } from '../helpers/browser.js';
import { startHost, TOKEN, type HostOptions, type TestHost } from '../helpers/host.js';
import { startNginx } from '../helpers/nginx.js';
import { portRange } from '../helpers/ports.js';
import { fixture } from '../helpers/pushing.js';

// An operator opens an app whose script tries every way to the console, the API, git and other apps, in each place where the
// server can be. Each way is a row here, and a function in test/fixtures/apps/intruder/ways.js, which the app brings along.

type Groups = Record<'reading' | 'framing' | 'windows' | 'changing' | 'cookies' | 'jar', Record<string, unknown>>;
const ways = new URL('../fixtures/apps/intruder/ways.js', import.meta.url).href;
const { WAYS } = (await import(ways)) as { WAYS: Groups };
const NAMES = Object.values(WAYS).flatMap((group) => Object.keys(group));

const NAME = 'sec.test';
const NAMED = { STREAMLIT_HOST_BIND: '0.0.0.0', STREAMLIT_HOST_HOSTS: NAME };

/** Where browsers find the platform and the apps. */
interface Place {
  host: TestHost;
  platform: string;
  apps: string;
}

/** What the ways got, and what they have left. */
interface Outcome {
  got: Record<string, string>;
  /** Changes by scripts that were not refused. */
  changed: string[];
  /** What a link saved as a file. */
  saved: string;
  /** Whether the operator is still logged in before the browser's cookies are spoilt, and finds the login page after that. */
  loggedIn: boolean;
  login: string;
  /** Whether a script of the app ran in a page of the platform. */
  ran: unknown[];
}

let browser: Browser;
const secure = portRange(2);

beforeAll(async () => {
  const authority = await startNginx({ name: NAME, port: secure.max, to: secure.min });
  browser = await openWholeBrowser(
    `--host-resolver-rules=MAP ${NAME} 127.0.0.1`,
    `--ignore-certificate-errors-spki-list=${authority}`,
  );
});

/** Starts a server with an app that attacks, one beside it, and one that was never live. */
async function settle(options: HostOptions, base?: string): Promise<Place> {
  const host = await startHost(options);
  const project = await fixture('intruder');
  const push = async (id: string): Promise<void> => {
    const { code, output } = await project.git('push', host.remote(id), 'main');
    expect(code, output).toBe(0);
  };
  await Promise.all([push('intruder'), push('neighbour')]);
  // The author of the app that attacks.
  await host.send('POST', '/users', { email: 'eve@example.com', password: 'correct horse battery' });
  await host.send('POST', '/apps', { name: 'Loot', id: 'quarry' });
  await host.send('PATCH', '/apps/quarry/config', { vars: { LOOT: 'Loot' } });
  const named = (url: string): string => (base === undefined ? new URL(url).origin : url.replace('localhost', base));
  const apps = new URL(String((await host.app('intruder')).url)).origin;
  return { host, platform: named(new URL(host.loginUrl).origin), apps: named(apps) };
}

/** The groups of ways in their order; the last of all spoils the browser's cookies. */
const ALL = ['reading', 'framing', 'windows', 'changing', 'cookies'] as (keyof Groups)[];

let page: Page;
let place: Place;
tellFailures(() => ({ host: place.host, page }));

/** Logs an operator in, who then opens the app, and runs every way there. @param watchMs how long windows are watched */
async function attack({ host, platform, apps }: Place, groups = ALL, watchMs = 1_000): Promise<Outcome> {
  page = await openTab(browser);
  const context = page.context();
  context.setDefaultTimeout(60_000);
  const changed: string[] = [];
  const { pathname, search } = new URL(host.loginUrl);
  await logInBy(page, `${platform}${pathname}${search}`);
  // From here on: over plain http, the login itself asks and sends a form.
  context.on('response', (response) => {
    const { method, url } = { method: response.request().method(), url: response.url() };
    const ours = url.startsWith(platform) && /^\/(console|api|git)\b/i.test(new URL(url).pathname);
    if (ours && !['GET', 'HEAD', 'OPTIONS'].includes(method) && response.status() < 400)
      changed.push(`${method} ${url}: ${response.status()}`);
  });
  await page.goto(`${platform}/console/apps/quarry/config`);
  await page.getByText('Loot').first().waitFor();
  await page.goto(`${apps}/apps/intruder/`);
  await page.waitForFunction('window.attack !== undefined');
  const got: Record<string, string> = {};
  const run = async (group: keyof Groups): Promise<void> => {
    const argument = JSON.stringify({ platform, app: '/apps/intruder', watchMs });
    Object.assign(got, await page.evaluate(`window.attack(${argument}, '${group}')`));
    for (const other of context.pages()) if (other !== page) await other.close();
  };
  for (const group of groups) await run(group);
  const { saved, ran, loggedIn } = await look({ platform, apps });
  await run('jar');
  const answer = await page.goto(`${platform}/console/apps/quarry`);
  const login = `${answer?.status()} ${new URL(page.url()).pathname}`;
  return { got, changed, saved, ran, loggedIn, login };

  async function look(at: Pick<Place, 'platform' | 'apps'>): Promise<Pick<Outcome, 'saved' | 'ran' | 'loggedIn'>> {
    const tab = await context.newPage();
    await tab.goto(`${at.apps}/apps/intruder/x/page`);
    const download = tab.waitForEvent('download', { timeout: 1_500 }).catch(() => undefined);
    await tab.evaluate(`{
      const link = Object.assign(document.createElement('a'), { href: '${at.platform}/console/', download: 'saved' });
      document.body.append(link);
      link.click();
    }`);
    const file = await (await download)?.path().catch(() => undefined);
    const saved = file === undefined ? '' : await readFile(file, 'utf8');
    const ran = [];
    for (const path of ['/', '/console/', '/console/apps/neighbour']) {
      await tab.goto(`${at.platform}${path}`);
      ran.push(await tab.evaluate('window.pwned'));
    }
    // As themselves: to another account, there is no such app.
    const loggedIn = (await tab.locator('meta[name=csrf]').count()) === 1 && (await tab.title()).includes('neighbour');
    await tab.close();
    return { saved, ran, loggedIn };
  }
}

describe.each<[string, () => Promise<Place>]>([
  ['on localhost, with one port', () => settle({})],
  [
    'over https behind nginx, with one port',
    () =>
      settle({
        env: {
          STREAMLIT_HOST_PORT: String(secure.min),
          STREAMLIT_HOST_PUBLIC_BASE: `https://${NAME}:${secure.max}`,
          STREAMLIT_HOST_TRUSTED_PROXIES: '127.0.0.1',
        },
      }),
  ],
  ['over plain http on a name, with two ports', () => settle({ env: NAMED }, NAME)],
])('%s, no script of an app can', (_name, start) => {
  let outcome: Outcome;
  beforeAll(async () => {
    place = await start();
    outcome = await attack(place);
  });

  test.each(NAMES)('%s', (name) => {
    expect(outcome.got[name]).toBeDefined();
    expect(outcome.got[name]).not.toMatch(/^GOT|^given up$/);
  });

  test('have changed anything', async () => {
    expect(outcome.changed).toEqual([]);
    const { host } = place;
    const { apps } = (await (await host.api('/apps')).json()) as { apps: { id: string; name: string }[] };
    expect(apps.map(({ id, name }) => `${id} ${name}`)).toEqual([
      'intruder intruder',
      'neighbour neighbour',
      'quarry Loot',
    ]);
    expect((await host.app('neighbour')).state).toBe('running');
    expect((await (await host.api('/apps/neighbour/config')).json()) as object).toMatchObject({ version: 0 });
    expect(host.output).not.toContain('revealed');
  });

  test('save a page of the console as a file', () => expect(outcome.saved).not.toMatch(/Loot|csrf/));
  test('run in a page of the platform', () => expect(outcome.ran).toEqual([undefined, undefined, undefined]));
  test('log the operator out by anything but a full jar', () => expect(outcome.loggedIn).toBe(true));
  test('keep the operator from the login page, nor show anything in its place', async () => {
    expect(outcome.login).toBe('200 /console/login');
    await logIn();
  });
});

/** Logs the operator in with the admin token, on a page that asks for an account first. */
async function logIn(): Promise<void> {
  await page.getByText('Log in with the admin token').click();
  await page.getByLabel('Token').fill(TOKEN);
  await page.locator('details').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Loot' }).waitFor();
}

test('where apps share the console’s origin over plain http on a name, the same scripts get in, and the server warns', async () => {
  place = await settle({ env: { ...NAMED, STREAMLIT_HOST_APPS_PORT: 'off' } }, NAME);
  const { got } = await attack(place, ['reading', 'windows'], 6_000);
  const worked = Object.keys(got).filter((name) => got[name]?.startsWith('GOT'));
  // Without these, the rows above would show nothing.
  for (const name of [
    'read by fetch without a referrer',
    'read by fetch with a page of the console as its referrer',
    'read by a path that only looks like an app’s',
    'read in a worker without an address',
    'read in a worker that all its tabs share',
    'read in a window that it opens',
    'read in a window of its own that it sends there',
    'read the page that opened its window',
  ])
    expect(worked).toContain(name);
  expect(place.host.output).toContain("Apps share the console's origin");
  expect(place.host.output).not.toContain('Apps are served at');
  await logIn();
  await page.goto(`${place.platform}/console/`);
  await page.locator('[data-code=unsafe-origin]').getByText('its scripts can use the console').waitFor();
}, 180_000);
