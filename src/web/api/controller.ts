import { findRelease } from '../../domain/app/app.js';
import { signedIn } from '../auth.js';
import { codes } from './codes.js';
import { jsonReader } from './json.js';
import { presentApp, presentDeploy } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers } from './answers.js';
import { bodies, params } from './schemas.js';

/** The calls about apps that run in place, of which config.json tells. */
export function controllerRoutes(api: ApiContext): Route[] {
  const { host, controller } = api;
  const readJson = jsonReader();
  return [
    route({
      method: 'post',
      path: '/refresh',
      tag: 'server',
      can: 'server',
      summary: 'Reload config.json and the apps folder',
      description:
        'Adds new apps, restarts changed or crashed ones, and removes missing ones without touching their files. ' +
        'Stopped apps stay stopped. If config.json has errors, the last valid version stays in effect.',
      answers: {
        200: { description: 'The outcome for each app.', content: { 'application/json': answers.refreshed } },
      },
      async handle(ctx) {
        ctx.body = await controller.refresh(signedIn(ctx).principal);
      },
    }),

    route({
      method: 'post',
      path: '/import',
      tag: 'server',
      can: 'server',
      summary: 'Import in-place apps from another installation',
      description: 'Adds them to config.json with absolute paths. Safe to repeat: existing apps are left unchanged.',
      body: { 'application/json': bodies.import },
      codes: ['import-missing', 'config-invalid'],
      answers: {
        200: { description: 'The outcome for each app.', content: { 'application/json': answers.refreshed } },
      },
      async handle(ctx) {
        const { path } = await readJson(ctx, bodies.import);
        ctx.body = await controller.import(path, signedIn(ctx).principal);
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/adopt',
      tag: 'apps',
      can: 'server',
      summary: 'Move an in-place app to its own repository',
      description:
        'Its files become the first commit. Once that commit is live, the app runs from its repository; until then it keeps running in place.',
      params: params.app,
      codes: [
        ...codes.commit,
        ...codes.vault,
        'not-in-place',
        'folder-missing',
        'main-missing',
        'venv-missing',
        'main-outside',
        'too-many-files',
        'secrets-invalid',
        'secrets-too-large',
      ],
      answers: {
        202: { description: 'The app and its deploy.', content: { 'application/json': answers.changed } },
      },
      async handle(ctx, { params: { id } }) {
        const deploy = await controller.adopt(id, signedIn(ctx).principal);
        const status = host.apps.get(id);
        const release = findRelease(status.app, deploy.release);
        ctx.status = 202;
        ctx.body = {
          ...presentApp(status, api.links(), new Date(), api.usageOf),
          deploy: release === undefined ? null : presentDeploy(status.app, release, api.publicBase()),
        };
      },
    }),
  ];
}
