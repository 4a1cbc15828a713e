import { fileURLToPath } from 'node:url';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Handlebars from 'handlebars';
import { describe, expect, it } from 'vitest';
import type { AppStatus } from '../../../src/host/apps.js';
import { newApp } from '../../../src/domain/app/app.js';
import { formToken } from '../../../src/web/form-token.js';
import { drawPicture } from '../../../src/web/picture.js';
import { linksOf } from '../../../src/web/links.js';
import { drawPlot, drawSpark } from '../../../src/web/plot.js';
import { presentTime } from '../../../src/web/numbers.js';
import { presentApp, presentFiles } from '../../../src/web/presenters.js';
import { PublicFiles } from '../../../src/web/public.js';
import type { GatewayPage, LogView, Pages } from '../../../src/web/page-models.js';
import type { AlertsView, DrainsView } from '../../../src/web/machine-views.js';
import type { TokensView } from '../../../src/web/people-views.js';
import { wordsOf } from '../../../src/web/messages/messages.js';
import { Views } from '../../../src/web/views.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const files = new PublicFiles({
  folder: join(root, 'public'),
  libraries: join(root, 'node_modules'),
});
const views = new Views({ templates: join(root, 'templates'), files });

const chinese = await wordsOf('zh-CN');
const links = linksOf('https://intranet.example/tools');
const site = { links, csrf: 'the-csrf-token', here: '/console/here' };
/** Where a form is sent to, below the public base. */
const actionOf = (form: string): string => /action="\/tools([^"]+)"/.exec(form)?.[1] ?? site.here;
const now = new Date('2026-11-21T12:00:00Z');
const evil = '<script>alert("x")</script>';

const status: AppStatus = {
  state: 'running',
  process: {
    state: 'ready',
    release: 1,
    mark: 'm/hello/1/x',
    pid: 4_242,
    port: 8_501,
    startedAt: now.toISOString(),
    restarts: 1,
    memoryLimit: undefined,
    cage: { kind: 'bubblewrap', ownUser: true, network: false },
  },
  app: {
    ...newApp('hello', evil, now, `about ${evil}`),
    live: 1,
    releases: [
      {
        number: 1,
        commit: 'a'.repeat(40),
        branch: 'main',
        source: 'push',
        by: evil,
        message: evil,
        state: 'live',
        createdAt: now.toISOString(),
        finishedAt: now.toISOString(),
      },
      {
        number: 2,
        commit: 'b'.repeat(40),
        branch: 'main',
        source: 'edit',
        by: 'admin',
        message: '',
        state: 'building',
        createdAt: now.toISOString(),
      },
    ],
  },
};
const plotsPage = {
  ranges: [{ name: 'Day', href: links.console('apps/hello/metrics?range=day'), current: true }],
  tiles: [{ label: evil, value: evil, note: evil, bad: true }],
  plots: [
    {
      title: evil,
      unit: 'count',
      fields: 'a b',
      names: [{ name: evil, tone: 1 }],
      svg: drawPlot({
        ...{ title: evil, unit: 'count', times: [0, 10] },
        lines: [{ name: evil, field: 'a', values: [1, 2] }],
        marks: [{ time: 5, label: evil, bad: true }],
      }),
      rows: [{ time: evil, cells: [evil] }],
    },
  ],
  source: '/api/apps/hello/metrics?range=day',
  step: 300,
};
const app = presentApp(status, links, now, () => ({ memory: 1e8, cpu: 0.5 }));
const preview = presentApp(
  { ...status, app: { ...status.app, preview: { of: 'hello', branch: evil, lastUsedAt: now.toISOString() } } },
  links,
  now,
);
const log: LogView = {
  id: 'run-log',
  label: evil,
  lines: [evil, '', '  indented'],
  follow: '/api/apps/hello/logs?follow=1',
  empty: 'Nothing yet.',
};
const release = app.last;
if (release === undefined) throw new Error('the app of this test has releases');
const folders = presentFiles([{ path: `${evil}.py`, size: 1 }], 'hello', links);

const account = {
  id: 'u',
  title: evil,
  email: evil,
  href: links.console('people/u'),
  groups: [evil],
  admin: false,
  disabled: false,
  hasPassword: true,
  invited: false,
  lastLogin: presentTime('2026-01-01T00:00:00Z', new Date()),
  self: true,
};
const tokens: TokensView = {
  action: links.console('account/tokens'),
  list: [{ id: 'x', name: evil, hint: evil, scope: 'read', apps: evil, expires: evil, used: undefined }],
  made: { name: evil, secret: evil },
  personal: true,
  scopes: [{ name: 'read', chosen: true }],
  name: evil,
  apps: evil,
  days: '90',
  most: 366,
  error: evil,
  field: 'name',
};
const time = presentTime(now.toISOString(), now);
const alertsView: AlertsView = {
  ...{ action: '/tools/console/apps/hello/alerts', machine: false, mayChange: true, mails: false, anywhere: false },
  problems: [{ title: 'App down', app: evil, text: evil, since: time }],
  destinations: [
    {
      ...{ id: evil, kind: 'Slack', title: evil, address: evil, rules: evil },
      last: { text: 'Delivered', bad: false, time },
    },
  ],
  deliveries: [{ title: evil, lines: [evil], destination: evil, state: 'Delivered', bad: true, note: evil, time }],
  made: { title: evil, secret: 'whsec_abc' },
  kinds: [{ name: 'slack', title: 'Slack', chosen: true }],
  rules: [{ name: 'down', title: 'App down', chosen: true }],
  ...{ name: evil, address: evil, error: evil, field: 'address' },
};
const drainsView: DrainsView = {
  ...{ action: '/tools/console/apps/hello/drains', mayChange: true, machine: false, anywhere: false },
  list: [{ id: evil, address: evil, state: evil, bad: true }],
  ...{ address: evil, error: evil },
};
const link = { title: evil, url: evil, email: evil, hint: evil };
const typed = { email: evil, name: evil, groups: evil, admin: true, error: evil, field: 'email' };

const models: Pages = {
  'console/login': {
    ...{ proof: evil, passkeyProof: evil, passkey: evil, link: undefined },
    ...{ next: '/console/', accounts: true, others: true, email: evil, error: evil, failed: 'password' },
    providers: [{ name: evil, href: evil }],
    elsewhere: { name: evil, href: evil },
  },
  'console/open': { proof: evil, app: { id: 'shop', name: evil }, next: evil, ended: true, asks: true, error: evil },
  'console/join': {
    proof: evil,
    code: evil,
    account: { email: evil, name: evil, kind: 'invitation' },
    by: undefined,
    error: evil,
    field: 'password',
    elsewhere: false,
  },
  'console/second': {
    ...{
      proof: 'none',
      passkeyProof: 'none',
      kind: 'set-up',
      passkey: evil,
      email: evil,
      app: true,
      key: evil,
      uri: evil,
      codes: [evil],
      next: evil,
      error: evil,
    },
  },
  'console/people': { accounts: [account], notice: undefined, link, ...typed },
  'console/person': {
    ...{ account, sessions: 2, notice: undefined, link, ...typed },
    ...{ hasFactor: true, factorRequired: false, everyone: false },
  },
  'console/audit': {
    entries: [
      {
        at: presentTime('2026-01-01T00:00:00Z', new Date()),
        who: evil,
        door: evil,
        from: evil,
        what: evil,
        app: evil,
        about: evil,
        result: evil,
        bad: true,
      },
    ],
    older: evil,
    ...{ who: evil, app: evil, q: evil },
  },
  'console/access': {
    app,
    tab: 'access',
    notice: undefined,
    hasPassword: true,
    shares: [{ id: 'x', name: evil, embed: true, by: evil, expires: evil }],
    share: {
      ...{ made: link, error: evil, field: 'name', name: evil, days: '30', most: 366, embed: true, frames: evil },
    },
    openings: [{ name: 'people', title: evil, hint: evil, chosen: true }],
    holders: [{ who: evil, title: evil, group: false, role: 'owner', disabled: false }],
    roles: [{ name: 'viewer', title: evil, may: evil, chosen: true }],
    tokens,
    ci: {
      rules: [
        { id: evil, issuer: evil, repository: evil, repositoryId: evil, branch: evil, environment: evil, by: evil },
      ],
      issuers: [{ name: evil, chosen: true }],
      ...{ audience: evil, repository: evil, repositoryId: evil, branch: evil, environment: evil, error: evil },
      field: 'branch',
    },
    who: evil,
    error: evil,
    field: 'who',
  },
  'console/account': {
    sessions: [
      {
        ...{ id: evil, title: evil, from: evil, provider: evil, current: false },
        used: presentTime('2026-01-01T00:00:00Z', new Date()),
      },
    ],
    account,
    tokens,
    factors: {
      ...{ app: presentTime('2026-01-01T00:00:00Z', new Date()), codesLeft: 2, any: true, required: true },
      ...{
        passkeys: [{ id: evil, name: evil, since: presentTime('2026-01-01T00:00:00Z', new Date()), used: undefined }],
      },
      ...{ noPasskeys: false, making: undefined },
      ...{ pending: { key: evil, uri: evil }, codes: [evil], error: evil, field: 'code' },
    },
    notice: undefined,
    name: evil,
    error: evil,
    field: 'name',
  },
  'console/apps': {
    mayCreate: true,
    apps: [app, preview].map((one) => ({ ...one, spark: drawSpark([1, 2], evil), visitors: '3' })),
    summary: '1 app',
    example: links.git('hello'),
    notice: { tone: 'good', code: evil, text: evil },
    mistakes: [evil],
    unsafe: evil,
    waitsFor: [evil],
  },
  'console/metrics': {
    ...{ app, tab: 'metrics', notice: undefined, ...plotsPage },
    pages: [{ name: evil, views: '3', runs: '4', run: '20 ms' }],
    releases: [
      {
        ...{
          number: 1,
          href: links.console('apps/hello/deploys/1'),
          ran: '1 h',
          cpu: '1 %',
          memory: evil,
          highest: evil,
        },
        ...{ requests: '1', failed: '0', median: '1 ms', p95: '1 ms', restarts: 0, exceptions: 0 },
      },
    ],
  },
  'console/errors': {
    ...{ app, tab: 'errors', notice: undefined, mayClear: true },
    errors: [
      {
        ...{ type: evil, message: evil, place: evil, function: evil, count: 2, isNew: true, traceback: evil },
        ...{ first: presentTime(now.toISOString(), now), last: presentTime(now.toISOString(), now) },
        ...{ firstRelease: { number: 1, href: evil }, lastRelease: { number: 2, href: evil } },
      },
    ],
  },
  'console/drains': { app, tab: 'logs', notice: undefined, drains: drainsView },
  'console/machine-drains': { notice: undefined, drains: { ...drainsView, machine: true } },
  'console/alerts': { app, tab: 'alerts', notice: undefined, alerts: alertsView },
  'console/machine-alerts': { alerts: { ...alertsView, machine: true }, summary: '1 app', notice: undefined },
  'console/machine': {
    ...{ ...plotsPage, summary: '1 app', sort: 'cpu', byMemory: evil, byCpu: evil },
    apps: [{ name: evil, href: evil, cpu: '1 %', memory: '1 MB', part: '1 %', pages: 1, requests: '0', processes: 1 }],
  },
  'console/new': { name: evil, description: evil, main: evil, error: evil, field: 'name', example: links.git('hello') },
  'console/overview': {
    app,
    tab: 'overview',
    notice: undefined,
    previews: { on: true, list: [preview], stored: [evil] },
    log,
    recent: [release],
    deployLog: log,
  },
  'console/logs': {
    app,
    tab: 'logs',
    notice: undefined,
    log,
    q: evil,
    tail: 500,
    download: '/api/apps/hello/logs?download=1',
  },
  'console/deploys': { app, tab: 'deploys', notice: undefined, releases: [release] },
  'console/deploy': {
    app,
    tab: 'deploys',
    notice: undefined,
    release,
    log,
    packages: '/api/apps/sales/deploys/3/packages',
    download: '/api/apps/hello/logs?download=1',
  },
  'console/rollback': {
    app,
    tab: 'deploys',
    notice: undefined,
    release: { ...release, number: 1, canReturn: true },
    diff: {
      lines: [{ text: `+${evil}`, kind: 'added' }],
      more: 3,
      config: [{ word: 'Added', name: evil, what: 'secret', kind: 'added' }],
      configProblem: undefined,
    },
  },
  'console/config': {
    app,
    tab: 'config',
    notice: undefined,
    problem: undefined,
    behind: true,
    stopped: true,
    missing: [
      { name: evil, text: evil, path: evil, href: links.console('apps/hello/config?name=x#value'), fills: true },
    ],
    vars: [
      {
        name: evil,
        changed: presentTime(now.toISOString(), now),
        by: evil,
        revealed: true,
        value: evil,
        href: links.console('apps/hello/config?name=x#value'),
      },
    ],
    name: evil,
    value: `\n${evil}`,
    varError: evil,
    env: evil,
    envError: evil,
    secrets: {
      set: true,
      names: [evil],
      changed: { time: presentTime(now.toISOString(), now), by: evil },
      toml: `\n${evil}`,
      was: 'x',
      error: evil,
    },
  },
  'console/files': { app, tab: 'files', notice: undefined, folders, count: 1, clone: 'git clone x' },
  'console/file': {
    app,
    tab: 'files',
    notice: undefined,
    folders,
    count: 1,
    path: `${evil}.py`,
    editable: true,
    text: `\n  ${evil}\n</textarea>${evil}`,
    language: 'python',
    size: '1 B',
    was: 'abc',
    unsaved: true,
    stored: `\n${evil}`,
    message: evil,
    newPath: evil,
    moving: true,
    error: evil,
    download: '/x?raw',
  },
  'console/new-file': {
    app,
    tab: 'files',
    notice: undefined,
    path: evil,
    text: evil,
    message: evil,
    error: evil,
    field: 'path',
  },
  'console/settings': {
    app,
    tab: 'settings',
    notice: undefined,
    clone: 'git clone x',
    error: evil,
    field: 'name',
    name: evil,
    description: evil,
    tags: evil,
    hidden: true,
    replicas: evil,
    maxReplicas: 16,
    branch: evil,
    layout: { root: evil, main: evil, dependencies: evil },
    previews: true,
  },
  'console/delete': { app, tab: 'settings', notice: undefined, error: evil },
  gallery: {
    cards: [
      {
        id: 'hello',
        name: evil,
        description: evil,
        tags: [{ name: evil, href: '/tools/?tag=x', current: false }],
        state: app.state,
        url: app.url,
        photo: undefined,
        search: evil,
        out: false,
      },
    ],
    summary: '1 app',
    tags: [{ name: evil, href: '/tools/?tag=x', current: true }],
    tag: evil,
    q: evil,
    none: false,
  },
  error: { status: 404, title: evil, message: evil },
  'api-docs': {
    title: 'API',
    version: '1',
    description: evil,
    server: 'https://intranet.example/tools/api',
    groups: [
      {
        name: 'apps',
        description: evil,
        calls: [
          {
            id: 'one',
            method: 'GET',
            path: '/apps',
            summary: evil,
            description: evil,
            parameters: [{ name: evil, where: 'query', type: 'string', required: true, description: evil }],
            bodies: [{ type: 'application/json', fields: [] }],
            answers: [{ status: '200', description: evil, types: '' }],
          },
        ],
      },
    ],
  },
};
const pages = Object.keys(models) as (keyof Pages)[];
const gateway: GatewayPage[] = ['building', 'crashed', 'empty', 'failed', 'not-found', 'starting', 'stopped'];

describe('every page', () => {
  it('is covered by these tests', () => {
    expect(views.names.sort()).toEqual([...pages, ...gateway.map((page) => `gateway/${page}`)].sort());
  });

  it.each(pages)('%s renders, escapes outside input, and links below the public URL', (name) => {
    expectSound(views.render(name, site, models[name]));
  });

  it.each(gateway)('gateway/%s renders for a visitor, without secrets', (page) => {
    for (const facts of [{}, { lines: [evil, evil], reason: evil }]) {
      const html = views.renderGateway(page, { links }, { id: 'hello', name: evil }, facts);
      expectSound(html);
      expect(html).not.toContain('csrf');
    }
  });

  it.each(pages)('%s renders in Chinese as well', (name) => {
    expectSound(views.render(name, { ...site, words: chinese, page: '/console/?q="x"' }, models[name]), 'zh-CN');
  });

  it('offers the other language, and leads back to the page', () => {
    const html = views.render('console/apps', { ...site, page: '/console/?q=a&b' }, models['console/apps']);
    const href = '/tools/_host/language/zh-CN?next&#x3D;%2Fconsole%2F%3Fq%3Da%26b';
    expect(html).toContain(`<a href="${href}" lang="zh-CN" hreflang="zh-CN" rel="nofollow">简体中文</a>`);
    expect(html).toContain('<span lang="en" aria-current="true">English</span>');
  });

  it('that lacks a value is an error, not a gap', () => {
    const { name: _, ...incomplete } = models['console/new'];
    expect(() => views.render('console/new', site, incomplete as Pages['console/new'])).toThrow(/name/);
  });
});

describe('forms', () => {
  it('that change something all carry the CSRF token', () => {
    for (const name of pages) {
      if (['console/login', 'console/join', 'console/second', 'console/open'].includes(name)) continue;
      const html = views.render(name, site, models[name]);
      for (const [form] of html.matchAll(/<form method="post"[\s\S]*?<\/form>/g)) {
        expect(form, name).toContain(`name="csrf" value="${formToken(site.csrf, actionOf(form))}"`);
      }
    }
  });

  it('return a file unchanged, including its first empty line and spaces', () => {
    const html = views.render('console/file', site, { ...models['console/file'], text: '\n\n  a\n' });
    // A browser takes away one newline after the tag, and nothing else.
    expect(/<textarea[^>]*>\n([\s\S]*?)<\/textarea>/.exec(html)?.[1]).toBe('\n\n  a\n');
  });
});

describe('a log', () => {
  it('without lines says so, on every page that shows one', () => {
    const none: LogView = { ...log, lines: [], empty: 'Waiting for the first line …' };
    for (const name of ['console/overview', 'console/logs', 'console/deploy'] as const) {
      const html = views.render(name, site, { ...models[name], log: none });
      expect(html, name).toContain('<span class="line none">Waiting for the first line …');
    }
  });
});

describe('a release that was live', () => {
  const returning = { ...release, number: 1, canReturn: true, href: links.console('apps/hello/deploys/1') };

  it('can be rolled back to from the deploys and from its own page, and not from the overview', () => {
    const address = 'href="/tools/console/apps/hello/deploys/1/rollback"';
    expect(
      views
        .render('console/deploys', site, { ...models['console/deploys'], releases: [returning, release] })
        .split(address),
    ).toHaveLength(2);
    expect(views.render('console/deploy', site, { ...models['console/deploy'], release: returning })).toContain(
      address,
    );
    expect(views.render('console/deploy', site, models['console/deploy'])).not.toContain('/rollback"');
    expect(
      views.render('console/overview', site, { ...models['console/overview'], recent: [returning] }),
    ).not.toContain('/rollback"');
  });
});

describe('a release that drains', () => {
  const draining = {
    ...release,
    number: 1,
    open: '2 open pages',
    href: links.console('apps/hello/deploys/1'),
  };

  it('shows how many pages are open and what happens to them, and can be stopped', () => {
    const lists = [
      views.render('console/deploys', site, { ...models['console/deploys'], releases: [draining] }),
      views.render('console/overview', site, { ...models['console/overview'], recent: [draining] }),
      views.render('console/deploy', site, { ...models['console/deploy'], release: draining }),
    ];
    for (const html of lists) {
      expect(html).toContain('2 open pages. Stopping this release moves open pages to the live release');
      expect(html).toContain('action="/tools/console/apps/hello/deploys/1/end"');
    }
    expect(views.render('console/deploys', site, models['console/deploys'])).not.toContain('/end"');
  });
});

describe('the values of config vars and secrets', () => {
  it('are on the page only after a reveal', () => {
    const model = models['console/config'];
    const html = views.render('console/config', site, {
      ...model,
      vars: model.vars.map((each) => ({ ...each, revealed: false, value: 'never-shown' })),
    });
    expect(html).not.toContain('never-shown');
  });

  it('cannot be revealed if they cannot be read', () => {
    const html = views.render('console/config', site, { ...models['console/config'], problem: 'The key is missing.' });
    expect(html).toContain('The key is missing.');
    expect(html).not.toContain('<textarea');
  });
});

describe('a public page', () => {
  it('has no navigation and no console token', () => {
    const html = views.render('console/login', { links, csrf: undefined }, models['console/login']);
    expect(html).not.toContain('logout');
    expect(html).not.toContain('<meta name="csrf"');
  });
});

describe('templates', () => {
  it('have no mistakes, which would be seen only when a page is shown', async () => {
    const folder = join(root, 'templates');
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.hbs'));
    expect(names.length).toBeGreaterThan(30);
    for (const name of names) {
      const source = await readFile(join(folder, name), 'utf8');
      expect(() => Handlebars.parse(source), name).not.toThrow();
    }
  });
});

describe('the drawn picture', () => {
  it('is always the same for a name, and different for another', () => {
    expect(drawPicture('hello')).toBe(drawPicture('hello'));
    expect(new Set(['hello', 'sales', 'churn', 'maps', '天気'].map(drawPicture)).size).toBe(5);
  });

  it('contains neither the name nor an invalid number', () => {
    for (let i = 0; i < 60; i += 1) {
      const picture = drawPicture(`${evil}${i}`);
      expect(picture).not.toContain('script');
      expect(picture).not.toMatch(/NaN|undefined|Infinity/);
    }
  });
});

function expectSound(html: string, language = 'en'): void {
  expect(html.startsWith(`<!doctype html>\n<html lang="${language}">`)).toBe(true);
  expect(html).not.toContain(evil);
  expect(html).not.toContain('[object Object]');
  // Nothing that the content security policy would refuse.
  expect(html).not.toMatch(/<style|\sstyle="|\son[a-z]+="|<script(?! type="module" src=)/);
  for (const [, address] of html.matchAll(/\s(?:href|src|action)="(\/[^"]*)"/g)) {
    if (address !== '/x?raw') expect(address).toMatch(/^\/tools\//);
  }
  const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id).filter((id) => id !== 'run-log');
  expect(new Set(ids).size).toBe(ids.length);
}
