import { OpenApiGeneratorV31, OpenAPIRegistry, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { codesOf } from './codes.js';
import { replaces, type Route } from './route.js';
import { answers } from './answers.js';

/** An OpenAPI 3.1 document, as the generator makes it. */
export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

export interface DocumentOptions {
  publicBase: string;
  version: string;
}

/** The document of these routes, made from the very schemas that validate their requests. */
export function describeApi(routes: readonly Route[], options: DocumentOptions): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'The admin token. Run `streamlit-host token` on the server to print it.',
  });
  for (const each of routes) registry.registerPath(pathOf(each));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'streamlit-host',
      version: options.version,
      description:
        'Create, deploy, run and monitor Streamlit apps. Errors are problem details (RFC 9457) with a stable code.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: `${options.publicBase}/api` }],
    security: [{ token: [] }],
    tags: [
      { name: 'apps', description: 'Create, update, run and delete apps.' },
      { name: 'deploys', description: 'Deploy history, rollbacks and diffs.' },
      { name: 'logs', description: 'App output and build logs.' },
      { name: 'files', description: "Files in an app's repository. Every change is a commit." },
      { name: 'config', description: 'Config vars and secrets. Values are returned only with reveal=1.' },
      { name: 'people', description: 'Accounts. Everything but your own account is for admins.' },
      { name: 'metrics', description: 'What apps and the machine use, and who visits.' },
      { name: 'server', description: 'The server itself.' },
    ],
  });
}

function pathOf(each: Route): RouteConfig {
  const request: NonNullable<RouteConfig['request']> = {};
  if (each.params !== undefined) request.params = each.params;
  if (each.query !== undefined) request.query = each.query;
  if (each.headers !== undefined) request.headers = each.headers;
  if (each.body !== undefined)
    request.body = { content: contentOf(each.body), required: replaces(each) || isNeeded(each.body) };
  const responses: RouteConfig['responses'] = {};
  for (const [status, { description, content }] of Object.entries(each.answers)) {
    responses[status] = content === undefined ? { description } : { description, content: contentOf(content) };
  }
  responses.default = {
    description: 'An error.',
    content: { 'application/problem+json': { schema: answers.problem.extend({ code: z.enum(codesOf(each)) }) } },
  };
  return {
    method: each.method,
    path: each.path,
    operationId: operationId(each),
    ...(each.can === 'anyone' ? { security: [] } : {}),
    tags: [each.tag],
    summary: each.summary,
    ...(each.description === undefined ? {} : { description: each.description }),
    request,
    responses,
  };
}

/** Returns whether a call without a body is refused: it must say which of several kinds it sends, or something must be in it. */
function isNeeded({ 'application/json': json, ...others }: NonNullable<Route['body']>): boolean {
  return json instanceof z.ZodType && (Object.keys(others).length > 0 || !json.safeParse({}).success);
}

type Content = NonNullable<NonNullable<NonNullable<RouteConfig['request']>['body']>['content']>;

function contentOf(content: Record<string, unknown>): Content {
  // A schema of a stream would be one of each of its events, as tools read it; descriptions say what they are.
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => [type, type === 'text/event-stream' ? {} : { schema }]),
  ) as Content;
}

/** "get /apps/{id}/files/{path}" as "getAppsIdFilesPath". */
function operationId(each: Route): string {
  return each.method + each.path.replace(/[^a-z]+([a-z]?)/gi, (_all, letter: string) => letter.toUpperCase());
}
