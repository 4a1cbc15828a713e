import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { presentDocs } from '../../src/web/api/docs.js';
import type { OpenApiDocument } from '../../src/web/api/openapi.js';
import { PublicFiles } from '../../src/web/public.js';
import { Views } from '../../src/web/views.js';
import { linksOf } from '../../src/web/links.js';
import { codesIn } from '../unit/web/api/codes.js';
import { form, startWeb, type TestWeb } from '../helpers/web.js';

interface Operation {
  operationId: string;
  parameters?: {
    name: string;
    in: string;
    required?: boolean;
    schema: { type?: string; enum?: string[]; pattern?: string };
  }[];
  requestBody?: {
    required?: boolean;
    content: Record<string, { schema: { properties?: Record<string, { format?: string; items?: unknown }> } }>;
  };
  responses: Record<string, unknown>;
}

let web: TestWeb;
let document: OpenApiDocument;
let operations: { method: string; path: string; operation: Operation }[];
beforeAll(async () => {
  web = await startWeb();
  document = (await web.api('/openapi.json')).json as unknown as OpenApiDocument;
  operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({ method, path, operation })),
  );
});
afterAll(() => web.close());

test('the document lists every operation of the API', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.servers).toEqual([{ url: `${web.url}/api` }]);
  expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual([
    'DELETE /apps/{id}',
    'DELETE /apps/{id}/alerts/destinations/{destination}',
    'DELETE /apps/{id}/ci-rules/{rule}',
    'DELETE /apps/{id}/config',
    'DELETE /apps/{id}/deploy-tokens/{token}',
    'DELETE /apps/{id}/drains/{drain}',
    'DELETE /apps/{id}/errors',
    'DELETE /apps/{id}/files/{path}',
    'DELETE /apps/{id}/roles/{who}',
    'DELETE /apps/{id}/secrets',
    'DELETE /apps/{id}/shares/{share}',
    'DELETE /me/sessions/{session}',
    'DELETE /me/tokens/{token}',
    'DELETE /server/alerts/destinations/{destination}',
    'DELETE /server/drains/{drain}',
    'DELETE /users/{user}/second-factor',
    'DELETE /users/{user}/sessions',
    'GET /apps',
    'GET /apps/{id}',
    'GET /apps/{id}/access',
    'GET /apps/{id}/alerts',
    'GET /apps/{id}/ci-rules',
    'GET /apps/{id}/config',
    'GET /apps/{id}/deploy-tokens',
    'GET /apps/{id}/deploys',
    'GET /apps/{id}/deploys/{n}',
    'GET /apps/{id}/deploys/{n}/diff',
    'GET /apps/{id}/deploys/{n}/packages',
    'GET /apps/{id}/drains',
    'GET /apps/{id}/errors',
    'GET /apps/{id}/files',
    'GET /apps/{id}/files/{path}',
    'GET /apps/{id}/logs',
    'GET /apps/{id}/metrics',
    'GET /apps/{id}/secrets',
    'GET /audit',
    'GET /audit/export',
    'GET /audit/verify',
    'GET /events',
    'GET /me',
    'GET /me/second-factor',
    'GET /me/sessions',
    'GET /me/tokens',
    'GET /server/alerts',
    'GET /server/backup',
    'GET /server/checks',
    'GET /server/drains',
    'GET /server/metrics',
    'GET /server/nodes',
    'GET /usage',
    'GET /users',
    'GET /users/{user}',
    'GET /users/{user}/second-factor',
    'GET /users/{user}/sessions',
    'PATCH /apps/{id}',
    'PATCH /apps/{id}/access',
    'PATCH /apps/{id}/config',
    'PATCH /me',
    'PATCH /users/{user}',
    'POST /apps',
    'POST /apps/{id}/adopt',
    'POST /apps/{id}/alerts/destinations',
    'POST /apps/{id}/alerts/destinations/{destination}/test',
    'POST /apps/{id}/ci-rules',
    'POST /apps/{id}/deploy-tokens',
    'POST /apps/{id}/deploys/{n}/cancel',
    'POST /apps/{id}/deploys/{n}/retire',
    'POST /apps/{id}/drains',
    'POST /apps/{id}/previews',
    'POST /apps/{id}/redeploy',
    'POST /apps/{id}/restart',
    'POST /apps/{id}/rollback',
    'POST /apps/{id}/shares',
    'POST /apps/{id}/sleep',
    'POST /apps/{id}/start',
    'POST /apps/{id}/stop',
    'POST /ci/token',
    'POST /config/rotate-key',
    'POST /import',
    'POST /login-links',
    'POST /me/password',
    'POST /me/second-factor/app',
    'POST /me/second-factor/app/confirm',
    'POST /me/second-factor/app/remove',
    'POST /me/second-factor/passkeys/{passkey}/remove',
    'POST /me/second-factor/recovery-codes',
    'POST /me/tokens',
    'POST /refresh',
    'POST /server/alerts/destinations',
    'POST /server/alerts/destinations/{destination}/test',
    'POST /server/backups',
    'POST /server/drains',
    'POST /server/reload',
    'POST /server/repairs',
    'POST /server/stop',
    'POST /users',
    'POST /users/{user}/invitation',
    'POST /users/{user}/reset',
    'PUT /apps/{id}/config',
    'PUT /apps/{id}/files/{path}',
    'PUT /apps/{id}/roles/{who}',
    'PUT /apps/{id}/secrets',
  ]);
});

test('every path parameter is described, every reference resolves, and every name is unique', () => {
  for (const { path, operation } of operations) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    expect(
      (operation.parameters ?? [])
        .filter((each) => each.in === 'path')
        .map((each) => each.name)
        .sort(),
    ).toEqual(inPath.sort());
    expect(operation.responses.default).toBeDefined();
  }
  const names = operations.map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  const schemas = Object.keys(document.components?.schemas ?? {});
  for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g))
    expect(schemas).toContain(name);
});

test('the document says which calls need a body, and how states are listed', () => {
  const of = (id: string): Operation | undefined =>
    operations.find(({ operation }) => operation.operationId === id)?.operation;
  const needed = [
    'postAppsIdRollback',
    'postAppsIdPreviews',
    'postCiToken',
    'patchAppsId',
    'patchAppsIdConfig',
    'postServerStop',
    'putAppsIdSecrets',
  ];
  expect(needed.map((id) => of(id)?.requestBody?.required)).toEqual([true, true, true, true, true, false, true]);
  const state = of('getApps')?.parameters?.find(({ name }) => name === 'state')?.schema.pattern ?? '';
  expect(['running', 'failed, stopped', 'x', 'running,,failed'].map((text) => new RegExp(state).test(text))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('no operation answers any input with a 500, and every refusal is a problem with a code', async () => {
  await web.api('/apps', {
    method: 'POST',
    ...(await form([
      ['name', 'demo'],
      ['app', 'x', 'app.py'],
    ])),
  });
  const value = fc.oneof(
    fc.constantFrom('demo', '1', '0', '-1', '1e9', 'app.py', '..', '', 'build', 'run', 'NaN', '%', '\u0000', '💥'),
    fc.string({ unit: 'grapheme' }),
    fc.integer().map(String),
  );
  // A stream has no end, and an ended server no more answers.
  const calls = operations.filter(({ path }) => !['/events', '/server/reload', '/server/stop'].includes(path));
  const request = fc.constantFrom(...calls).chain((call) =>
    fc.record({
      call: fc.constant(call),
      values: fc.array(value, { minLength: 12, maxLength: 12 }),
      given: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      kind: fc.constantFrom('json', 'form', 'raw', 'none'),
      json: fc.jsonValue({ maxDepth: 2 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(request, async ({ call, values, given, kind, json }) => {
      let next = 0;
      let path = call.path;
      const query = new URLSearchParams();
      const headers: Record<string, string> = {};
      for (const each of call.operation.parameters ?? []) {
        const text = values[next % 12] ?? '';
        if (each.in === 'path')
          path = path.replace(
            `{${each.name}}`,
            encodeURIComponent(each.name === 'id' && next % 2 === 0 ? 'demo' : text) || 'x',
          );
        else if (given[next % 12] === true && each.in === 'query')
          query.append(each.name, each.name === 'follow' ? '0' : text);
        next += 1;
      }
      let body: Buffer | string | undefined;
      if (call.method !== 'get' && kind !== 'none') {
        const fields = Object.entries(
          call.operation.requestBody?.content['multipart/form-data']?.schema.properties ?? { name: {} },
        );
        if (kind === 'form') {
          const sent = await form(
            fields
              .filter((_, i) => given[i % 12])
              .map(([name], i) =>
                i % 2 === 0 ? [name, values[i % 12] ?? ''] : [name, values[i % 12] ?? '', values[(i + 1) % 12] || 'f'],
              ),
          );
          body = sent.body;
          Object.assign(headers, sent.headers);
        } else {
          body = kind === 'json' ? JSON.stringify(json) : (values[0] ?? '');
          if (kind === 'json') headers['content-type'] = 'application/json';
        }
      }
      const address = `${path}${query.size > 0 ? `?${query.toString()}` : ''}`;
      const answer = await web.api(address, {
        method: call.method.toUpperCase(),
        headers,
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status, `${call.method} ${address}: ${answer.text}`).toBeLessThan(500);
      if (answer.status < 400) return;
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.json).toMatchObject({
        status: answer.status,
        code: expect.stringMatching(/^[a-z-]+$/) as string,
        detail: expect.stringMatching(/[.!?]$/) as string,
      });
      // A path that a value has broken leads to no call, or to another one: dots are resolved before anything is sent.
      if (answer.status === 404 && answer.json.code === 'not-found') return;
      if (new URL(path, web.url).pathname !== path) return;
      expect(codesIn(call.operation), `${call.method} ${address}`).toContain(answer.json.code);
    }),
    { numRuns: 600 },
  );
}, 60_000);

test("the page shows every operation with its parameters, in the console's style", () => {
  const model = presentDocs(document);
  const root = join(import.meta.dirname, '..', '..');
  const files = new PublicFiles({
    folder: join(root, 'public'),
    libraries: join(root, 'node_modules'),
  });
  const html = new Views({ templates: join(root, 'templates'), files }).render(
    'api-docs',
    { links: linksOf('https://host.example/tools'), csrf: 'c' },
    model,
  );
  expect(model.groups.flatMap((group) => group.calls)).toHaveLength(operations.length);
  for (const { operation } of operations) expect(html).toContain(`id="${operation.operationId}"`);
  expect(html).toContain('integer 1–10000, default 200');
  expect(html).toContain('href="/tools/api/openapi.json"');
  expect(html).not.toMatch(/<script(?! type="module" src=)/);
});
