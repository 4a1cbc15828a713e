import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWeb, type TestWeb } from '../../helpers/web.js';
import { codesIn } from '../../unit/web/api/codes.js';

let web: TestWeb;
let operations: Record<string, string[]>;
beforeAll(async () => {
  web = await startWeb();
  const { paths } = (await web.api('/openapi.json')).json as { paths: Record<string, Record<string, unknown>> };
  operations = Object.fromEntries(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, codesIn(operation)]),
    ),
  );
});
afterAll(() => web.close());

it('every operation lists the codes common to all, each once', () => {
  expect(Object.keys(operations).length).toBeGreaterThan(30);
  for (const [call, codes] of Object.entries(operations)) {
    // The only one that is made without a login.
    if (call === 'post /ci/token') continue;
    expect(codes).toEqual(
      expect.arrayContaining(['not-signed-in', 'too-many-attempts', 'disk-full', 'internal-error']),
    );
    expect(new Set(codes).size).toBe(codes.length);
  }
});

it('operations on an app list that it may not exist, and no others do', () => {
  for (const [call, codes] of Object.entries(operations))
    expect(codes.includes('app-not-found'), call).toBe(call.includes('{id}'));
});

it("an operation's input decides which codes it lists", () => {
  expect(operations['post /apps']).toEqual(expect.arrayContaining(['archive-bomb', 'body-too-large', 'field-invalid']));
  expect(operations['post /server/stop']).toContain('unsupported-media-type');
  expect(operations['get /events']).not.toContain('field-invalid');
  expect(operations['get /apps']).not.toContain('body-too-large');
});

it.each([
  ['post /apps', 'app-name-taken'],
  ['post /apps', 'no-requirements'],
  ['delete /apps/{id}', 'confirm-missing'],
  ['post /apps/{id}/start', 'nothing-deployed'],
  ['post /apps/{id}/previews', 'branch-not-found'],
  ['post /apps/{id}/rollback', 'release-never-live'],
  ['post /apps/{id}/deploys/{n}/retire', 'release-is-live'],
  ['put /apps/{id}/files/{path}', 'file-changed'],
  ['patch /apps/{id}/config', 'var-name-reserved'],
  ['put /apps/{id}/secrets', 'secrets-invalid'],
  ['post /import', 'import-missing'],
  ['post /apps/{id}/adopt', 'not-in-place'],
])('%s lists its own code %s', (call, code) => expect(operations[call]).toContain(code));
