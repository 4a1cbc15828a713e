import { createServer, type IncomingMessage, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { App } from '../../../src/domain/app/app.js';
import type { ProcessState } from '../../../src/domain/app/process.js';
import { FrontendKeys } from '../../../src/gateway/frontend-keys.js';
import { Frontends } from '../../../src/gateway/frontend.js';
import { AppPages, isNavigation, pinCookie, pinFromCookie, pinFromReferer } from '../../../src/gateway/pages.js';
import { Target } from '../../../src/gateway/target.js';
import { TestData } from '../../helpers/data.js';
import { writeFiles } from '../../helpers/files.js';
import type { Pin } from '../../../src/domain/app/pin.js';
import { releaseOf } from '../../helpers/release.js';

const HTML = '<html><head></head><body><script src="./static/js/index.abc.js"></script></body></html>';
const BINDS = 'window.__streamlit.BACKEND_BASE_URL; MAIN_PAGE_BASE_URL';
let data: TestData;
let shop: App;
let pages: AppPages;
let server: Server;
/** What the app's process was asked for. */
let asked: string[];

beforeEach(async () => {
  data = await TestData.open();
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(request.url === '/base/apps/shop/page' ? HTML : 'other');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const releases = [releaseOf(1, 'draining', { environment: 'old' }), releaseOf(2, 'live', { environment: 'new' })];
  shop = await data.app('shop', { name: 'A "Shop"', live: 2, releases });
  await environment('new', BINDS);
  await environment('old', 'nothing of the kind');
  const options = {
    apps: data.store,
    paths: data.paths,
    frontends: new Frontends(new FrontendKeys(`${data.paths.cache}/keys`)),
    basePath: '/base',
  };
  pages = new AppPages({
    ...options,
    module: '/base/static/release.js',
    stay: 'stay()',
    words: ({ 'accept-language': language }) => Promise.resolve(`{"in":"${language}"}`),
  });
});
afterEach(async () => {
  server.close();
  await data.close();
});

async function environment(hash: string, script: string): Promise<void> {
  const packages = `${data.paths.environment(hash)}/lib/python3.12/site-packages`;
  await writeFiles(packages, {
    'streamlit/static/index.html': HTML,
    'streamlit/static/static/js/index.abc.js': script,
    'streamlit-1.64.0.dist-info/METADATA': '',
  });
}

const target = (release: number, state: ProcessState = 'ready'): Target =>
  new Target({ release, address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, state });
const request = (headers: Record<string, string>, method = 'GET'): IncomingMessage =>
  ({ method, headers }) as unknown as IncomingMessage;

it("an app's page is bound to the release for new visitors, and its files have one URL for all apps", async () => {
  const page = (await pages.page(shop, '/', target(2), { 'accept-language': 'zh' })) ?? '';
  expect(page).toContain('data-words="{&#34;in&#34;:&#34;zh&#34;}"');
  expect(page).toContain('app + "/~2"');
  expect(page).toMatch(/src="\/base\/_streamlit\/1\.64\.0-[0-9a-f]+\/static\/js\/index\.abc\.js"/);
  expect(page).toContain('data-name="A &#34;Shop&#34;"');
  expect(page).toContain('src="/base/static/release.js"');
  expect(page).toContain('<script data-app="/base/apps/shop" data-release="2">stay()</script>');
  expect(asked).toEqual([]);
});

it('the page is available before the process', async () => {
  expect(await pages.page(shop, '/', undefined)).toContain('app + "/~2"');
  expect(await pages.pins(shop, undefined)).toBe(true);
});

it('an app with an older Streamlit, or without a live release, serves its own page', async () => {
  expect(await pages.page(shop, '/', target(1))).toBeUndefined();
  expect(await pages.pins(shop, target(1))).toBe(false);
  expect(await pages.page({ ...shop, live: null }, '/', undefined)).toBeUndefined();
  const unbuilt = { ...shop, live: 3, releases: [releaseOf(3, 'live', { environment: 'none' })] };
  expect(await pages.page(unbuilt, '/', undefined)).toBeUndefined();
});

it('a path below an app is a page if Streamlit answers with its own, and asking is not a visit', async () => {
  const ready = target(2);
  expect(await pages.page(shop, '/page', ready)).toContain('app + "/~2"');
  expect(await pages.page(shop, '/api/data', ready)).toBeUndefined();
  expect(asked).toEqual(['/base/apps/shop/page', '/base/apps/shop/api/data']);
  expect(ready.claims).toBe(0);
});

it('a path that looks like a page counts as one until the process answers', async () => {
  const starting = target(2, 'starting');
  expect(await pages.page(shop, '/page', starting)).toBeDefined();
  expect(await pages.page(shop, '/robots.txt', starting)).toBeUndefined();
  expect(asked).toEqual([]);
});

it("a static file's URL finds the frontend of any release, and no other", async () => {
  const key = (await pages.frontend(shop, 2))?.key ?? '';
  expect((await pages.find(key))?.key).toBe(key);
  expect(await pages.find('1.64.0-00000000000000000000')).toBeUndefined();
});

it('only a browser that opens a page counts as navigating', () => {
  const accept = 'text/html,*/*';
  expect(isNavigation(request({ accept }), '/')).toBe(true);
  expect(isNavigation(request({ accept, 'sec-fetch-mode': 'navigate' }, 'HEAD'), '/page')).toBe(true);
  expect(isNavigation(request({ accept }, 'POST'), '/')).toBe(false);
  expect(isNavigation(request({ accept: '*/*' }), '/')).toBe(false);
  expect(isNavigation(request({ accept, 'sec-fetch-mode': 'cors' }), '/')).toBe(false);
  for (const rest of ['/_stcore/health', '/media/a.png', '/oauth2callback', '/~1', '/~1/page', '/app/static/a.html'])
    expect(isNavigation(request({ accept }), rest)).toBe(false);
  for (const rest of ['/component/a.b/index.html', '/static/js/a.js', '/auth/login', '/auth/logout'])
    expect(isNavigation(request({ accept }), rest)).toBe(false);
  for (const rest of ['/mediation', '/staticfiles', '/~me']) expect(isNavigation(request({ accept }), rest)).toBe(true);
});

it.each(['media', 'component', 'static', 'auth', 'app'])('a page may be called %s', (name) => {
  expect(isNavigation(request({ accept: 'text/html' }), `/${name}`)).toBe(true);
});

it('a file of a release asks for others of the same release, of its own app only', () => {
  const from = (referer: string, app = 'shop', base = ''): Pin | undefined =>
    pinFromReferer(request({ referer }), app, base);
  const seven = { release: 7, replica: 1 };
  expect(from('http://host/apps/shop/~7/component/a.b/index.html?streamlitUrl=x')).toEqual(seven);
  expect(from('http://host/base/apps/shop/~7/app/static/style.css', 'shop', '/base')).toEqual(seven);
  expect(from('http://host/apps/shop/~7-3/app/static/style.css')).toEqual({ release: 7, replica: 3 });
  expect(from('http://host/apps/other/~7/app/static/style.css')).toBeUndefined();
  expect(from('http://host/apps/shop/page')).toBeUndefined();
  expect(from('no address')).toBeUndefined();
  expect(pinFromReferer(request({}), 'shop', '')).toBeUndefined();
});

it("an older Streamlit's cookie is read for its own app only", () => {
  const twelve = { release: 12, replica: 1 };
  const [cookie = ''] = pinCookie('shop', '/apps/shop', twelve).split(';');
  expect(cookie).toBe('streamlit_host_release_shop=12');
  expect(pinFromCookie(request({ cookie: `a=b; ${cookie}; c=d` }), 'shop')).toEqual(twelve);
  const [other = ''] = pinCookie('shop', '/apps/shop', { release: 12, replica: 2 }).split(';');
  expect(pinFromCookie(request({ cookie: other }), 'shop')).toEqual({ release: 12, replica: 2 });
  expect(pinFromCookie(request({ cookie }), 'shop2')).toBeUndefined();
  expect(pinFromCookie(request({ cookie: `x${cookie}` }), 'shop')).toBeUndefined();
  for (const value of ['0', '-1', '1e3', '1x', '', '1-0', '1-2-3'])
    expect(pinFromCookie(request({ cookie: `streamlit_host_release_shop=${value}` }), 'shop')).toBeUndefined();
  expect(pinFromCookie(request({}), 'shop')).toBeUndefined();
});
