import { tail } from '../../logs/tail.js';
import { findRelease } from '../../domain/app.js';
import type { App } from '../../domain/app.js';
import type { Release } from '../../domain/release.js';
import { Refusal } from '../../errors.js';
import { signedIn } from '../auth.js';
import { jsonReader } from './json.js';
import { paginate, presentDeploy } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, bodies, params, queries } from './schemas.js';

/** How many lines of its log a deploy is answered with. */
const LOG_LINES = 200;

/** The calls about what was deployed, and what came of it. */
export function deployRoutes(api: ApiContext): Route[] {
  const { apps } = api;
  const readJson = jsonReader();
  return [
    route({
      method: 'get',
      path: '/apps/{id}/deploys',
      tag: 'deploys',
      summary: 'List the deploys of an app, the newest first',
      params: params.app,
      query: queries.deploys,
      answers: {
        200: {
          description: 'A page of the list; the Link header leads to the others.',
          content: { 'application/json': answers.deploys },
        },
      },
      async handle(ctx, { params: { id }, query }) {
        const { app } = apps.get(id);
        const newestFirst = [...app.releases].sort((a, b) => b.number - a.number);
        const address = new URL(`${api.publicBase()}/api/apps/${app.id}/deploys`);
        const { part, link } = paginate(newestFirst, query.page, query.per_page, address);
        ctx.set('Link', link);
        ctx.body = {
          deploys: part.map((release) => presentDeploy(app, release, api.publicBase())),
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
      summary: 'One deploy, with the end of its log',
      params: params.deploy,
      answers: { 200: { description: 'The deploy.', content: { 'application/json': answers.deployWithLog } } },
      async handle(ctx, { params: { id, n } }) {
        const { app } = apps.get(id);
        const release = releaseOf(app, n);
        const { lines, truncated } = await tail(api.logs.buildLog(app.id, n), LOG_LINES);
        ctx.body = { ...presentDeploy(app, release, api.publicBase()), log: { lines, truncated } };
      },
    }),

    route({
      method: 'get',
      path: '/apps/{id}/deploys/{n}/diff',
      tag: 'deploys',
      summary: 'What a release changes against the live one',
      description: 'As `git diff` tells it, from the live release to this one: what a rollback to it would do.',
      params: params.deploy,
      answers: { 200: { description: 'The difference.', content: { 'text/plain': { type: 'string' } } } },
      async handle(ctx, { params: { id, n } }) {
        ctx.type = 'text/plain; charset=utf-8';
        ctx.body = await apps.diff(id, n);
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/rollback',
      tag: 'deploys',
      summary: 'Bring a kept release back, as a new release',
      description: 'With its code and its environment as they were; nothing is installed. The branch stays where it is.',
      params: params.app,
      body: { 'application/json': bodies.rollback },
      answers: { 202: { description: 'The deploy to follow.', content: { 'application/json': answers.deploy } } },
      async handle(ctx, { params: { id } }) {
        const { release } = await readJson(ctx, bodies.rollback);
        const deploy = await apps.rollback(id, release, signedIn(ctx).principal.name);
        const { app } = apps.get(id);
        ctx.status = 202;
        ctx.body = presentDeploy(app, releaseOf(app, deploy.release), api.publicBase());
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/deploys/{n}/retire',
      tag: 'deploys',
      summary: 'End an older release now that still has open pages',
      description: 'Its pages move to the live release. Fine where it has ended.',
      params: params.deploy,
      answers: { 200: { description: 'The deploy as it is now.', content: { 'application/json': answers.deploy } } },
      async handle(ctx, { params: { id, n } }) {
        const release = await apps.retire(id, n);
        ctx.body = presentDeploy(apps.get(id).app, release, api.publicBase());
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/deploys/{n}/cancel',
      tag: 'deploys',
      summary: 'Cancel a deploy that is not live yet',
      description: 'Fine when it has ended; what serves goes on serving.',
      params: params.deploy,
      answers: { 200: { description: 'The deploy as it is now.', content: { 'application/json': answers.deploy } } },
      async handle(ctx, { params: { id, n } }) {
        const release = await apps.cancel(id, n);
        ctx.body = presentDeploy(apps.get(id).app, release, api.publicBase());
      },
    }),
  ];
}

/** @throws Refusal `release-not-found` */
export function releaseOf(app: App, number: number): Release {
  const release = findRelease(app, number);
  if (release === undefined) {
    throw new Refusal('not-found', 'release-not-found', `The app "${app.id}" has no release ${number}.`);
  }
  return release;
}
