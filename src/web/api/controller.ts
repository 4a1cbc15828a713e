import { findRelease } from '../../domain/app/app.js';
import { signedIn } from '../auth.js';
import { codes } from './codes.js';
import { jsonReader } from './json.js';
import { presentApp, presentDeploy } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, bodies, params } from './schemas.js';

/** The calls about apps that run in place, of which config.json tells. */
export function controllerRoutes(api: ApiContext): Route[] {
  const { host, controller } = api;
  const readJson = jsonReader();
  return [
    route({
      method: 'post',
      path: '/refresh',
      tag: 'server',
      summary: 'Read config.json and the folder of apps again',
      description:
        'What is new is added; what changed, or died though it is wanted, is restarted beside the old process; what is gone is ' +
        'removed, its files left alone. What a person stopped stays stopped. Where config.json has mistakes, the last good one counts.',
      answers: {
        200: { description: 'What was done with each app.', content: { 'application/json': answers.refreshed } },
      },
      async handle(ctx) {
        ctx.body = await controller.refresh(signedIn(ctx).principal);
      },
    }),

    route({
      method: 'post',
      path: '/import',
      tag: 'server',
      summary: 'Take the apps of another installation over, to be run where they are',
      description:
        'They are added to config.json with full paths. It can be done again: what is there already is left as it is.',
      body: { 'application/json': bodies.import },
      codes: ['import-missing', 'config-invalid'],
      answers: {
        200: { description: 'What was done with each app.', content: { 'application/json': answers.refreshed } },
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
      summary: 'Make the files of an app in place the first commit of its repository',
      description:
        'Once that commit is live, the app runs from its repository like any other. Until then it goes on in place.',
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
        202: { description: 'The app, and the deploy to follow.', content: { 'application/json': answers.changed } },
      },
      async handle(ctx, { params: { id } }) {
        const deploy = await controller.adopt(id, signedIn(ctx).principal);
        const status = host.apps.get(id);
        const release = findRelease(status.app, deploy.release);
        ctx.status = 202;
        ctx.body = {
          ...presentApp(status, api.publicBase(), new Date(), api.memoryOf),
          deploy: release === undefined ? null : presentDeploy(status.app, release, api.publicBase()),
        };
      },
    }),
  ];
}
