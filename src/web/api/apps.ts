import { z } from 'zod';
import type { Context } from 'koa';
import type { Deploy } from '../../deploys/ongoing.js';
import type { AppStatus } from '../../host/apps.js';
import { findRelease } from '../../domain/app/app.js';
import { Refusal } from '../../errors.js';
import { counted } from '../../lib/words.js';
import { about } from '../audited.js';
import { signedIn } from '../auth.js';
import { createFrom, updateFrom } from '../upload/apply.js';
import { withUpload } from '../upload/receive.js';
import { codes } from './codes.js';
import { jsonReader } from './json.js';
import { paginate, presentApp, presentFor, presentDeploy, presentPreviews } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, type ChangedAnswer } from './answers.js';
import { appStates, bodies, formFiles, params, parseInput, queries } from './schemas.js';

/** The calls that make, change, run and remove apps. */
export function appRoutes(api: ApiContext): Route[] {
  const { host, rights } = api;
  const readJson = jsonReader();
  const present = (status: AppStatus): object => presentApp(status, api.links(), new Date(), api.usageOf);

  return [
    route({
      method: 'get',
      path: '/apps',
      tag: 'apps',
      can: 'list',
      summary: 'List apps',
      query: queries.apps,
      answers: {
        200: {
          description: 'A page of apps; the Link header has the others.',
          content: { 'application/json': answers.apps },
        },
      },
      async handle(ctx, { query }) {
        const by = signedIn(ctx).principal;
        const seen = host.apps.list().filter(({ app }) => rights.may(by, 'open', app));
        const found = sorted(filtered(seen, query), query.sort);
        const address = new URL(`${api.publicBase()}/api/apps`);
        for (const [key, value] of Object.entries({ state: query.state, q: query.q, sort: query.sort })) {
          if (value !== undefined) address.searchParams.set(key, value);
        }
        const { part, link } = paginate(found, query.page, query.per_page, address);
        ctx.set('Link', link);
        ctx.body = {
          apps: part.map((status) => presentFor(api, by, status)),
          page: query.page,
          per_page: query.per_page,
          total: found.length,
          config_mistakes: rights.may(by, 'server') ? api.controller.mistakes() : [],
          waits_for: (await api.troubles()).map(({ message }) => message),
          runtime: api.runtime(),
        };
      },
    }),

    route({
      method: 'post',
      path: '/apps',
      tag: 'apps',
      can: 'create',
      summary: 'Create an app',
      description:
        'A form with files creates the app, commits the files and deploys them. ' +
        'A JSON body creates an empty app that waits for its first git push.',
      body: { 'multipart/form-data': bodies.create.extend(formFiles), 'application/json': bodies.create },
      codes: [...codes.newApp, ...codes.commit, 'layout-invalid'],
      answers: {
        201: { description: 'The app and its deploy.', content: { 'application/json': answers.changed } },
      },
      async handle(ctx) {
        const { status, deploy } = ctx.is('json') ? await createEmpty(ctx) : await createFromForm(ctx);
        ctx.status = 201;
        ctx.set('Location', `${api.publicBase()}/api/apps/${status.app.id}`);
        ctx.body = changed(status, deploy);
      },
    }),

    route({
      method: 'get',
      path: '/apps/{id}',
      tag: 'apps',
      can: 'open',
      summary: 'Get an app',
      description: 'Someone who may only open the app gets its name, state and URL.',
      params: params.app,
      answers: {
        200: { description: 'The app with its previews.', content: { 'application/json': answers.appWithPreviews } },
      },
      async handle(ctx, input) {
        const { id } = input.params;
        const by = signedIn(ctx).principal;
        const status = host.apps.get(id);
        const sees = rights.may(by, 'see', status.app);
        ctx.body = {
          ...presentFor(api, by, status),
          ...presentPreviews(sees ? host.previews.of(id) : { on: false, list: [] }, api.links()),
          stored_branches: sees ? await host.previews.stored(id) : [],
        };
      },
    }),

    route({
      method: 'patch',
      path: '/apps/{id}',
      tag: 'apps',
      can: 'settings',
      summary: 'Update an app',
      description:
        'All fields are optional. Files are committed and deployed together; the old release serves until the new one is live. ' +
        'An archive replaces the whole project. Changing only metadata, "root", "main" and "dependencies", or "previews_on" and "deploy_branch" (JSON only) neither restarts nor deploys. ' +
        '"replicas" (JSON only) is answered once the new processes serve; processes that are not wanted any more end after their pages. ' +
        'Turning previews off keeps existing previews until their branches are deleted.',
      params: params.app,
      body: { 'multipart/form-data': bodies.updateForm.extend(formFiles), 'application/json': bodies.update },
      codes: [
        ...codes.newApp,
        ...codes.commit,
        'preview-of-preview',
        'branch-invalid',
        'branch-fixed',
        'branch-has-preview',
        'layout-invalid',
        'not-scaled',
      ],
      answers: {
        200: {
          description: 'The app, and the deploy if files were sent.',
          content: { 'application/json': answers.changed },
        },
      },
      async handle(ctx, input) {
        const { id } = input.params;
        host.apps.get(id);
        const by = signedIn(ctx).principal;
        if (!ctx.is('json')) rights.demand(by, 'push', id);
        const { status, deploy } = ctx.is('json')
          ? await updateFrom(host, id, await jsonUpdate(ctx), undefined, by)
          : await withUpload(ctx, api.uploads, (upload) =>
              updateFrom(host, id, parseInput(bodies.updateForm, upload.fields), upload, by),
            );
        ctx.body = changed(status, deploy);
      },
    }),

    ...(['start', 'stop', 'sleep', 'restart'] as const).map((verb) =>
      route({
        method: 'post',
        path: `/apps/{id}/${verb}`,
        tag: 'apps',
        can: 'run',
        summary: {
          start: 'Start an app',
          stop: 'Stop an app',
          sleep: 'Put an app to sleep',
          restart: 'Restart an app',
        }[verb],
        description: {
          start: 'Does nothing if the app is running.',
          stop: 'The app stays stopped when the server restarts. Does nothing if it is stopped.',
          sleep: 'Its processes end, and the next visit starts it again. Does nothing if it is asleep.',
          restart: 'The old process serves until the new one is ready.',
        }[verb],
        params: params.app,
        codes: verb === 'sleep' ? ['app-not-running'] : codes.start,
        answers: { 200: { description: 'The app.', content: { 'application/json': answers.app } } },
        async handle(ctx: Context, input: { params: z.infer<typeof params.app> }) {
          const { id } = input.params;
          const by = signedIn(ctx).principal;
          ctx.body = present(await host.apps[verb](id, by));
        },
      }),
    ),

    route({
      method: 'post',
      path: '/apps/{id}/redeploy',
      tag: 'apps',
      can: 'deploy',
      summary: 'Redeploy the latest commit',
      description:
        'With `fresh=1`, all packages are installed again: unpinned ones and branches of git move to their newest versions.',
      params: params.app,
      query: queries.redeploy,
      codes: [...codes.deploy, ...codes.start],
      answers: {
        202: { description: 'The app and its deploy.', content: { 'application/json': answers.changed } },
      },
      async handle(ctx, input) {
        const deploy = await host.releases.redeploy(
          input.params.id,
          signedIn(ctx).principal,
          input.query.fresh === '1',
        );
        ctx.status = 202;
        ctx.body = changed(host.apps.get(input.params.id), deploy);
      },
    }),

    route({
      method: 'post',
      path: '/apps/{id}/previews',
      tag: 'apps',
      can: 'deploy',
      summary: 'Create a preview of a previously pushed branch',
      description: 'Deploys the latest commit of the branch, as a push would.',
      params: params.app,
      body: { 'application/json': bodies.preview },
      codes: [
        ...codes.newApp,
        ...codes.commit,
        ...codes.vault,
        'previews-off',
        'branch-not-found',
        'branch-deploys',
        'branch-in-the-way',
        'preview-id-taken',
        'preview-not-pushable',
      ],
      answers: {
        202: {
          description: 'The preview and its deploy.',
          content: { 'application/json': answers.changed },
        },
      },
      async handle(ctx, { params: { id } }) {
        const { branch } = await readJson(ctx, bodies.preview);
        const deploy = await host.previews.create(id, branch, signedIn(ctx).principal);
        ctx.status = 202;
        ctx.body = changed(host.apps.get(deploy.app), deploy);
      },
    }),

    route({
      method: 'delete',
      path: '/apps/{id}',
      tag: 'apps',
      can: 'delete',
      summary: 'Delete an app',
      params: params.app,
      query: queries.remove,
      codes: ['confirm-missing'],
      answers: { 204: { description: 'The app was deleted.' } },
      async handle(ctx, input) {
        const { id } = host.apps.get(input.params.id).app;
        if (input.query.confirm !== id) {
          throw new Refusal(
            'invalid',
            'confirm-missing',
            `This permanently deletes "${id}" and its data. Add ?confirm=${id} to confirm.`,
            { field: 'confirm' },
          );
        }
        await host.apps.remove(id);
        ctx.status = 204;
      },
    }),
  ];

  async function createEmpty(ctx: Context): Promise<{ status: AppStatus; deploy: undefined }> {
    const { name, id, description, ...layout } = await readJson(ctx, bodies.create);
    const status = await host.apps.create({
      name,
      ...(id === undefined ? {} : { id }),
      ...(description === undefined ? {} : { description }),
      layout,
      by: signedIn(ctx).principal,
    });
    return { status, deploy: undefined };
  }

  async function jsonUpdate(ctx: Context): Promise<z.infer<typeof bodies.update>> {
    const update = await readJson(ctx, bodies.update);
    if (update.replicas !== undefined) about(ctx, counted(update.replicas, 'replica'));
    return update;
  }

  async function createFromForm(ctx: Context): Promise<{ status: AppStatus; deploy: Deploy }> {
    const by = signedIn(ctx).principal;
    return withUpload(ctx, api.uploads, (upload) =>
      createFrom(host, parseInput(bodies.create, upload.fields), upload, by),
    );
  }

  function changed(status: AppStatus, deploy: Deploy | undefined): ChangedAnswer {
    const release = deploy === undefined ? undefined : findRelease(status.app, deploy.release);
    return {
      ...presentApp(status, api.links(), new Date(), api.usageOf),
      deploy: release === undefined ? null : presentDeploy(status.app, release, api.publicBase()),
    };
  }
}

function filtered(list: AppStatus[], query: z.infer<typeof queries.apps>): AppStatus[] {
  const states = query.state?.split(',').map((state) => parseState(state.trim()));
  const text = query.q?.trim().toLowerCase() ?? '';
  return list.filter(
    ({ app, state }) =>
      (states === undefined || states.includes(state)) &&
      `${app.id}\n${app.name}\n${app.description}`.toLowerCase().includes(text),
  );
}

function parseState(text: string): AppStatus['state'] {
  return parseInput(z.object({ state: z.enum(appStates) }), { state: text }).state;
}

function sorted(list: AppStatus[], sort: z.infer<typeof queries.apps>['sort']): AppStatus[] {
  const sign = sort.startsWith('-') ? -1 : 1;
  const key = ({ app, state }: AppStatus): string => {
    switch (sort.replace('-', '')) {
      case 'name':
        return app.name.toLowerCase();
      case 'state':
        return state;
      case 'created':
        return app.createdAt;
      case 'updated':
        return app.updatedAt;
      default:
        return app.id;
    }
  };
  return [...list].sort((a, b) => sign * (compare(key(a), key(b)) || compare(a.app.id, b.app.id)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
