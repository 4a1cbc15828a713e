import { expect, it } from 'vitest';
import { appPath, type App, type Changed, type Deploy } from '../../../src/cli/api.js';
import { idOf } from '../../../src/cli/deploy.js';
import { exitCodeOf, kindOf, unreachable, usage } from '../../../src/cli/failures.js';
import { formOf } from '../../../src/cli/form.js';
import { browsers } from '../../../src/cli/open.js';
import { idFromName } from '../../../src/domain/app/app.js';
import { Refusal } from '../../../src/errors.js';
import type { AppAnswer, ChangedAnswer, DeployAnswer } from '../../../src/web/api/answers.js';

it('the fields that the client reads are fields of the API, as the compiler checks', () => {
  const app = (answer: AppAnswer): App => answer;
  const deploy = (answer: DeployAnswer): Deploy => answer;
  const changed = (answer: ChangedAnswer): Changed => answer;
  expect([app, deploy, changed]).toHaveLength(3);
});

it.each([
  [usage('x'), 2],
  [unreachable('x'), 3],
  [new Refusal('unavailable', 'no-server', 'x'), 3],
  [new Refusal('unauthorised', 'token-wrong', 'x'), 4],
  [new Refusal('not-found', 'app-not-found', 'x'), 5],
  [new Refusal('not-found', 'release-not-found', 'x'), 1],
  [new Error('a defect'), 1],
  ['thrown text', 1],
])('the exit code after %s is %i', (error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

it('failures distinguish a refusal from a server that cannot answer now', () => {
  expect([401, 403, 404, 409, 413, 422, 429, 503].map(kindOf)).toEqual([
    'unauthorised',
    'forbidden',
    'not-found',
    'conflict',
    'too-large',
    'invalid',
    'unavailable',
    'unavailable',
  ]);
});

it('the path of an app contains its id and nothing smuggled in', () => {
  expect(appPath('hello', '/stop')).toBe('/apps/hello/stop');
  expect(appPath('a/../b?x#y', '/stop')).toBe('/apps/a%2F..%2Fb%3Fx%23y/stop');
});

it.each(['', '  ', '.', '..'])('the path of an app is refused for %j', (id) => {
  expect(() => appPath(id)).toThrow(Refusal);
});

it.each(['hello', 'My App', 'Ünï_côdé', '--x--y--', 'a'.repeat(80), `${'a'.repeat(49)}-b`])(
  "an app id is derived from a folder's name as the server derives it from %s",
  (name) => {
    expect(idOf(name)).toBe(idFromName(name));
  },
);

it('an app id cannot be derived from a name without usable characters', () => {
  expect(idOf('売上')).toBe('');
});

it("browsers are those in BROWSER, in order, then the system's, run without a shell", () => {
  expect(browsers('http://x/', 'firefox:w3m -o %s -F')).toEqual([
    ['firefox', 'http://x/'],
    ['w3m', '-o', 'http://x/', '-F'],
    ['xdg-open', 'http://x/'],
    ['open', 'http://x/'],
  ]);
  expect(browsers('http://x/?a=$&;rm', '')).toEqual([
    ['xdg-open', 'http://x/?a=$&;rm'],
    ['open', 'http://x/?a=$&;rm'],
  ]);
});

async function* content(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('file ');
  yield Buffer.from('content');
}

it('any server can parse the form', async () => {
  const form = formOf(
    { id: 'hello', name: 'Größe "売上"\r\nx: y' },
    { field: 'archive', name: 'a"b.tar.gz', type: 'application/gzip', content: content() },
  );
  const parts: Uint8Array[] = [];
  for await (const part of form.body) parts.push(part);
  const answer = new Response(Buffer.concat(parts), {
    headers: { 'content-type': `multipart/form-data; boundary=${form.boundary}` },
  });
  const read = await answer.formData();
  expect(read.get('id')).toBe('hello');
  expect(read.get('name')).toBe('Größe "売上"\r\nx: y');
  const file = read.get('archive') as File;
  expect(file.name).toBe('a"b.tar.gz');
  expect(await file.text()).toBe('file content');
});
