import { afterEach, beforeEach, expect, it } from 'vitest';
import { newApp, type App, type AppState } from '../../../src/domain/app/app.js';
import { Absent } from '../../../src/gateway/absent.js';
import { releaseOf } from '../../helpers/release.js';
import { ask, serve, type Answer } from '../../helpers/web.js';

const SHOP = newApp('shop', 'Shop', new Date(0));
let app: App | undefined;
let state: AppState;
/** Whether the browser that asks is signed in to the console. */
let operator: boolean;
let served: Awaited<ReturnType<typeof serve>>;

beforeEach(async () => {
  [app, state, operator] = [SHOP, 'created', false];
  const absent = new Absent({
    page: (page, _app, facts) => Promise.resolve(JSON.stringify({ page, ...facts })),
    buildLog: async () => ['[2026-01-01T00:00:00.000Z]     0.1s  Release 1 of shop'],
    isLoggedIn: () => operator,
    isOperator: () => operator,
    log: (_text, facts) => expect.fail(JSON.stringify(facts)),
  });
  served = await serve((request, response) => absent.answer(request, response, app, state));
});
afterEach(() => served.close());

const visit = async (headers: Record<string, string> = {}): Promise<Answer & { page: Record<string, unknown> }> => {
  const answer = await ask(served.url, { headers: { accept: 'text/html', ...headers } });
  return { ...answer, page: JSON.parse(answer.text) as Record<string, unknown> };
};
const FETCHED = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };
const FRAMED = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };

it('an app that was never pushed looks like no app to a stranger', async () => {
  const created = await visit();
  const machine = await ask(served.url);
  app = undefined;
  const none = await visit();
  expect([created.status, created.text]).toEqual([404, none.text]);
  expect(created.page).toMatchObject({ page: 'not-found' });
  const nothing = await ask(served.url);
  expect([machine.status, machine.text]).toEqual([nothing.status, nothing.text]);
});

it('an app that was never pushed tells its operator how to push, on a page opened by the browser itself', async () => {
  operator = true;
  const answer = await visit({ 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' });
  expect([answer.status, answer.page]).toEqual([404, { page: 'empty', lines: [] }]);
  // An app that opens it in a window must not read it.
  expect(answer.headers['cross-origin-opener-policy']).toBe('same-origin');
  for (const headers of [FETCHED, FRAMED]) expect((await visit(headers)).page).toMatchObject({ page: 'not-found' });
  app = undefined;
  const none = await visit();
  expect(none.page).toMatchObject({ page: 'not-found' });
  // Where it is missing would tell the same app which ids exist.
  expect(none.headers['cross-origin-opener-policy']).toBe('same-origin');
});

it('only the operator sees why the first deploy failed, on a page opened by the browser itself', async () => {
  app = { ...SHOP, releases: [releaseOf(1, 'failed', { reason: 'no main file' })] };
  state = 'failed';
  // To a stranger it is an app that is not there.
  expect((await visit()).page).toEqual({ page: 'not-found', lines: [] });
  operator = true;
  expect((await visit()).page).toEqual({ page: 'failed', lines: [], reason: 'no main file' });
  for (const headers of [FETCHED, FRAMED])
    expect((await visit(headers)).page).toEqual({ page: 'not-found', lines: [] });
});

it.each<[AppState, string, number, string | undefined]>([
  ['deploying', 'building', 503, '2'],
  ['starting', 'starting', 503, '2'],
  ['sleeping', 'starting', 503, '2'],
  ['crashed', 'crashed', 503, '2'],
  ['stopped', 'stopped', 503, undefined],
])('an app that is %s shows the page "%s", and a line for programs', async (now, page, status, retry) => {
  app = { ...SHOP, releases: [releaseOf(1, 'building')] };
  state = now;
  const answer = await visit();
  expect([answer.status, answer.page.page, answer.headers['retry-after']]).toEqual([status, page, retry]);
  expect(answer.page.lines).toEqual([]);
  expect((await ask(served.url)).text).toBe(`shop: ${page}.\n`);
});

it('only the operator sees the log of the first build, on a page opened by the browser itself', async () => {
  app = { ...SHOP, releases: [releaseOf(1, 'building')] };
  [state, operator] = ['deploying', true];
  expect((await visit()).page).toEqual({ page: 'building', lines: [' 0.1s  Release 1 of shop'] });
  for (const headers of [FETCHED, FRAMED]) expect((await visit(headers)).page).toEqual({ page: 'building', lines: [] });
});
