import { z } from 'zod';
import { tail } from '../../logs/tail.js';
import { findRelease } from '../../domain/app/app.js';
import type { App } from '../../domain/app/app.js';
import type { Release } from '../../domain/app/release.js';
import type { ReleaseDiff } from '../../host/releases.js';
import { Refusal } from '../../errors.js';
import { signedIn } from '../auth.js';
import { codes } from './codes.js';
import { jsonReader } from './json.js';
import { paginate, presentDeploy } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers } from './answers.js';
import { bodies, params, queries } from './schemas.js';

const names = z.object({
  added: z.array(z.string()),
  removed: z.array(z.string()),
  changed: z.array(z.string()).describe('Names with a different value.'),
});

const diff = z
  .object({
    release: z.number().int(),
    live: z.number().int().nullable().describe('The live release it is compared with; null if there is none.'),
    stat: z.string().describe('The output of `git diff --stat`.'),
    patch: z.string().describe('The output of `git diff`.'),
    config: z
      .object({ vars: names, secrets: names })
      .nullable()
      .describe('Names only, never values; null if the config cannot be compared.'),
    config_problem: z.string().nullable().describe('Why the config cannot be compared.'),
  })
  .meta({ id: 'ReleaseDiff' });

export type DiffAnswer = z.infer<typeof diff>;

/** How many lines of its log a deploy is answered with. */
const LOG_LINES = 200;

/** The calls about what was deployed, and what came of it. */
export function deployRoutes(api: ApiContext): Route[] {
  const { host } = api;
  const readJson = jsonReader();
  return [
    route({
      method: 'get',
      path: '/apps/{id}/deploys',
      tag: 'deploys',
      can: 'see',
      summary: 'List deploys, newest first',
      params: params.app,
      query: queries.deploys,
      answers: {
        200: {
          description: 'A page of deploys; the Link header has the others.',
          content: { 'application/json': answers.deploys },
        },
      },
      async handle(ctx, { params: { id }, query }) {
        const { app } = host.apps.get(id);
        const newestFirst = [...app.releases].sort((a, b) => b.number - a.number);
        const address = new URL(`${api.publicBase()}/api/apps/${app.id}/deploys`);
        const { part, link } = paginate(newestFirst, query.page, query.per_page, address);
        ctx.set('Link', link);
        ctx.body = {
          deploys: part.map((release) => presentDeploy(app, release, api.publicBase(), host.releases.openPages(id))),
          page: query.page,
          per_page: query.per_page,
          total: newestFirst.length,
        };
      },
    }),

    route({
      method: 'get',
      path: '/apps/{id}/deploys/{n}',
      tag: 'deploys',
      can: 'logs',
      summary: 'Get a deploy with the end of its log',
      params: params.deploy,
      codes: ['release-not-found'],
      answers: { 200: { description: 'The deploy.', content: { 'application/json': answers.deployWithLog } } },
      async handle(ctx, { params: { id, n } }) {
        const { app } = host.apps.get(id);
        const release = releaseOf(app, n);
        const { lines, truncated } = await tail(api.logs.buildLog(app.id, n), LOG_LINES);
        ctx.body = {
          ...presentDeploy(app, release, api.publicBase(), host.releases.openPages(id)),
          log: { lines, truncated },
        };
      },
    }),

    route({
      method: 'get',
      path: '/apps/{id}/deploys/{n}/diff',
      tag: 'deploys',
      can: 'files',
      summary: 'Compare a release with the live one',
      description:
        'Shows what a rollback to the release would change. Text is the output of `git diff`; JSON ' +
        '(`Accept: application/json`) also has the names of config vars and secrets that differ.',
      params: params.deploy,
      codes: ['release-not-found', 'not-acceptable'],
      answers: {
        200: {
          description: 'The diff.',
          content: { 'text/plain': { type: 'string' }, 'application/json': diff },
        },
      },
      async handle(ctx, { params: { id, n } }) {
        const found = await host.releases.diff(id, n);
        ctx.vary('Accept');
        if (ctx.accepts('text/plain', 'application/json') === 'application/json') {
          ctx.body = presentDiff(n, found);
          return;
        }
        ctx.type = 'text/plain; charset=utf-8';
        ctx.body = found.code;
      },
    }),

    route({
      method: 'get',
      path: '/apps/{id}/deploys/{n}/packages',
      tag: 'deploys',
      can: 'files',
      summary: 'Get the exact packages of a release',
      description:
        'A requirements file with versions, hashes where they are known, and commits of git. The release is installed from it again ' +
        'if its environment is gone.',
      params: params.deploy,
      codes: ['release-not-found', 'packages-unknown'],
      answers: { 200: { description: 'The packages.', content: { 'text/plain': { type: 'string' } } } },
      async handle(ctx, { params: { id, n } }) {
        const text = await host.releases.packages(id, n);
        ctx.type = 'text/plain; charset=utf-8';
        ctx.body = text;
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/rollback',
      tag: 'deploys',
      can: 'deploy',
      summary: 'Roll back to a release',
      description: 'Deploys its code, packages and config as a new release, without a build. The branch does not move.',
      params: params.app,
      body: { 'application/json': bodies.rollback },
      codes: [...codes.deploy, 'release-not-found', 'release-in-place', 'release-never-live'],
      answers: { 202: { description: 'The deploy.', content: { 'application/json': answers.deploy } } },
      async handle(ctx, { params: { id } }) {
        const { release } = await readJson(ctx, bodies.rollback);
        const deploy = await host.releases.rollback(id, release, signedIn(ctx).principal);
        const { app } = host.apps.get(id);
        ctx.status = 202;
        ctx.body = presentDeploy(app, releaseOf(app, deploy.release), api.publicBase());
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/deploys/{n}/retire',
      tag: 'deploys',
      can: 'deploy',
      summary: 'Stop a draining release',
      description: 'Its open pages move to the live release. Does nothing if it has already stopped.',
      params: params.deploy,
      codes: ['release-not-found', 'release-is-live'],
      answers: { 200: { description: 'The updated deploy.', content: { 'application/json': answers.deploy } } },
      async handle(ctx, { params: { id, n } }) {
        const release = await host.releases.retire(id, n);
        ctx.body = presentDeploy(host.apps.get(id).app, release, api.publicBase());
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/deploys/{n}/cancel',
      tag: 'deploys',
      can: 'deploy',
      summary: 'Cancel a deploy',
      description: 'The live release keeps serving. Does nothing if the deploy has ended.',
      params: params.deploy,
      codes: ['release-not-found'],
      answers: { 200: { description: 'The updated deploy.', content: { 'application/json': answers.deploy } } },
      async handle(ctx, { params: { id, n } }) {
        const release = await host.releases.cancel(id, n);
        ctx.body = presentDeploy(host.apps.get(id).app, release, api.publicBase());
      },
    }),
  ];
}

function presentDiff(release: number, { live, code, config }: ReleaseDiff): DiffAnswer {
  // The lines of the first part begin with a space.
  const patch = Math.max(0, code.search(/^diff --git /m));
  const known = !(config instanceof Refusal);
  return {
    release,
    live,
    stat: code.slice(0, patch).trimEnd(),
    patch: code.slice(patch),
    config: known ? config : null,
    config_problem: known ? null : config.message,
  };
}

/** @throws Refusal `release-not-found` */
export function releaseOf(app: App, number: number): Release {
  const release = findRelease(app, number);
  if (release === undefined) {
    throw new Refusal('not-found', 'release-not-found', `"${app.id}" has no release ${number}.`);
  }
  return release;
}
