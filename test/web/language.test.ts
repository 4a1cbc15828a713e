import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { languageOf, switchTo } from '../../src/web/language.js';
import { Rights } from '../../src/domain/access/rights.js';
import { createPages } from '../../src/web/pages.js';
import { PublicFiles } from '../../src/web/public.js';
import { Views } from '../../src/web/views.js';
import { startWeb, type TestWeb } from '../helpers/web.js';

const ROOT = join(import.meta.dirname, '../..');

describe('the language of a page', () => {
  it.each([
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN'],
    ['zh', 'zh-CN'],
    ['zh-Hans-CN', 'zh-CN'],
    ['zh-TW', 'zh-CN'],
    ['en-GB,zh;q=0.5', 'en'],
    ['de,zh-CN;q=0.7,en;q=0.3', 'zh-CN'],
    ['de', 'en'],
    ['*', 'en'],
    ['zh;q=0', 'en'],
    ['%%%', 'en'],
    [undefined, 'en'],
  ])('is what the browser prefers: %j', (accepted, language) => {
    expect(languageOf({ 'accept-language': accepted })).toBe(language);
  });

  it('is the one that the visitor chose, if there is such a language', () => {
    const of = (cookie: string) => languageOf({ 'accept-language': 'zh-CN', cookie });
    expect(of('a=b; streamlit_host_language=en')).toBe('en');
    expect(of('streamlit_host_language=zh-CN;x=y')).toBe('zh-CN');
    expect(of('streamlit_host_language=fr')).toBe('zh-CN');
    expect(of('other_streamlit_host_language=en')).toBe('zh-CN');
  });
});

describe('the switch of the language', () => {
  let web: TestWeb;
  beforeAll(async () => {
    const files = new PublicFiles({ folder: join(ROOT, 'public'), libraries: join(ROOT, 'node_modules') });
    const views = new Views({ templates: join(ROOT, 'templates'), files });
    web = await startWeb({ pages: createPages(views, () => web.url, new Rights({ find: () => undefined })) });
  });
  afterAll(() => web.close());

  const choose = (path: string, method = 'GET') => fetch(web.url + path, { method, redirect: 'manual' });

  it('remembers the choice for a year, and leads back', async () => {
    const answer = await choose(switchTo('zh-CN', '/console/?q=a&b=c'));
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/console/?q=a&b=c');
    expect(answer.headers.get('set-cookie')).toBe(
      'streamlit_host_language=zh-CN; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000',
    );
  });

  it('leads to no other origin', async () => {
    const places = ['//evil.example', 'https://evil.example/', '/\\evil.example', '/..//evil.example', 'javascript:1'];
    for (const place of places) expect((await choose(switchTo('en', place))).headers.get('location'), place).toBe('/');
  });

  it('remembers nothing if only the head is asked for, and knows no other language', async () => {
    expect((await choose(switchTo('en', '/'), 'HEAD')).headers.get('set-cookie')).toBeNull();
    expect((await choose('/_host/language/fr?next=/')).status).toBe(404);
  });

  it('decides over pages, which say so, and not over the API', async () => {
    const zh = { 'accept-language': 'zh-CN' };
    const page = await fetch(`${web.url}/nothing`, { headers: zh });
    expect(page.headers.get('vary')).toBe('Accept-Language, Cookie');
    expect(await page.text()).toContain('<h1>页面不存在</h1>');
    const chosen = await fetch(`${web.url}/nothing`, { headers: { ...zh, cookie: 'streamlit_host_language=en' } });
    expect(await chosen.text()).toContain('<h1>Page not found</h1>');
    const answer = await fetch(`${web.url}/api/nothing`, { headers: { ...zh, authorization: 'Bearer secret' } });
    expect(await answer.text()).toMatch(/^\{[ -~]+"code":"token-wrong"/);
  });
});
