import type { Context } from 'koa';
import { z } from 'zod';
import { findRelease, printable } from '../../domain/app/app.js';
import { parseEnvFile } from '../../domain/config/env-file.js';
import { SECRETS_BYTES, secretNames } from '../../domain/config/secrets.js';
import { Refusal } from '../../errors.js';
import type { ConfigChange, ConfigChanged } from '../../apps/config.js';
import type { AppConfig } from '../../store/app-config.js';
import { demandProof, signedIn } from '../auth.js';
import { readBody, textOf } from '../body.js';
import { noteRevealed } from '../revealed.js';
import { codes } from './codes.js';
import { presentDeploy } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, type DeployAnswer } from './answers.js';
import { params, parseInput } from './schemas.js';

/** The most that is read of a body, in bytes: what may be set, with room for the quoting of JSON. */
const MAX_BODY = 4 * SECRETS_BYTES;

const value = z.string().describe('Any text without NUL characters.');

const reveal = z.enum(['0', '1']).default('0').describe('1: include the values. This is logged.');

const queries = {
  vars: z.object({ reveal, name: z.string().max(200).optional().describe('Return only this var.') }),
  secrets: z.object({ reveal }),
};

const bodies = {
  replace: z.strictObject({
    vars: z.record(z.string(), value).describe('All vars, by name. Vars not listed are removed.'),
  }),
  patch: z.strictObject({
    vars: z.record(z.string(), value.nullable()).describe('Vars to change, by name; null removes one.'),
  }),
  secrets: z.strictObject({ toml: z.string().describe('The full secrets.toml; empty removes it.') }),
};

const moment = {
  changed_at: z.string().nullable().describe('The last change; null if nothing was ever set.'),
  changed_by: z.string().nullable(),
};

const versions = {
  version: z.number().int().describe('The version that new releases get; 0 if nothing was ever set.'),
  live_version: z
    .number()
    .int()
    .nullable()
    .describe('The version that the live release runs with; null if nothing is live.'),
};

const vars = z
  .object({
    ...versions,
    vars: z.array(
      z.object({ name: z.string(), value: z.string().optional().describe('Only with reveal=1.'), ...moment }),
    ),
    ...moment,
  })
  .meta({ id: 'ConfigVars' });

const secrets = z
  .object({
    ...versions,
    keys: z.array(z.string()).describe('Top-level keys with a plain value. They also become environment variables.'),
    sections: z.array(z.string()).describe('Top-level sections.'),
    toml: z.string().optional().describe('Only with reveal=1.'),
    ...moment,
  })
  .meta({ id: 'Secrets' });

const deploy = answers.deploy.nullable().describe('The deploy that applies the change; null if there is none.');
const changedVars = vars.extend({ deploy }).meta({ id: 'ChangedConfigVars' });
const changedSecrets = secrets.extend({ deploy }).meta({ id: 'ChangedSecrets' });
const rotation = z
  .object({
    key: z.string().describe('The id of the new key.'),
    files: z.number().int().describe('The number of re-encrypted files.'),
    problems: z.array(z.string()).describe('Files that could not be read, one sentence each; empty on success.'),
  })
  .meta({ id: 'KeyRotation' });

export type VarsAnswer = z.infer<typeof vars>;
export type SecretsAnswer = z.infer<typeof secrets>;
export type ChangedConfigAnswer = z.infer<typeof changedVars> | z.infer<typeof changedSecrets>;

/** The calls about config vars and secrets. Values go in, and come out only where somebody asks for them by name. */
export function configRoutes(api: ApiContext): Route[] {
  const { host } = api;
  const inEffect =
    'A live app gets a new release with the same code and environment, which is checked like any other before it serves.';

  return [
    route({
      method: 'get',
      path: '/apps/{id}/config',
      tag: 'config',
      can: 'config',
      summary: 'List config vars',
      params: params.app,
      query: queries.vars,
      codes: [...codes.vault, 'var-not-found'],
      answers: {
        200: {
          description: 'Names and last change; values only with reveal=1.',
          content: { 'application/json': vars },
        },
      },
      async handle(ctx, { params: { id }, query }) {
        const config = await host.config.of(id);
        const { name } = query;
        if (name !== undefined && !Object.hasOwn(config.vars, name)) {
          throw new Refusal('not-found', 'var-not-found', `${id} has no config var ${printable(name)}.`, {
            field: 'name',
          });
        }
        if (query.reveal === '1') noteProven(ctx, id, 'config vars', name);
        const all = presentVars(id, config, query.reveal === '1');
        ctx.body = name === undefined ? all : { ...all, vars: all.vars.filter((each) => each.name === name) };
      },
    }),

    route({
      method: 'put',
      path: '/apps/{id}/config',
      tag: 'config',
      can: 'config',
      summary: 'Replace all config vars',
      description: `They become environment variables of the app's process, not of its build. ${inEffect}`,
      params: params.app,
      body: { 'application/json': bodies.replace },
      codes: [...codes.vault, ...codes.deploy, ...codes.vars],
      answers: { 200: { description: 'The updated vars.', content: { 'application/json': changedVars } } },
      async handle(ctx, { params: { id } }) {
        const body = await readJson(ctx, bodies.replace);
        ctx.body = await changeVars(ctx, id, { vars: { replace: body.vars } });
      },
    }),

    route({
      method: 'patch',
      path: '/apps/{id}/config',
      tag: 'config',
      can: 'config',
      summary: 'Set or remove config vars',
      description: `Send JSON, or the text of a .env file with \`NAME=value\` lines. Vars that are not listed don't change. ${inEffect}`,
      params: params.app,
      body: { 'application/json': bodies.patch, 'text/plain': { type: 'string', format: 'binary' } },
      codes: [...codes.vault, ...codes.deploy, ...codes.vars, 'env-file-invalid'],
      answers: { 200: { description: 'The updated vars.', content: { 'application/json': changedVars } } },
      async handle(ctx, { params: { id } }) {
        const patch =
          ctx.request.type === 'text/plain'
            ? parseEnvFile(await readText(ctx))
            : (await readJson(ctx, bodies.patch)).vars;
        ctx.body = await changeVars(ctx, id, { vars: { patch } });
      },
    }),

    route({
      method: 'delete',
      path: '/apps/{id}/config',
      tag: 'config',
      can: 'config',
      summary: 'Remove all config vars',
      description: `Secrets don't change. ${inEffect}`,
      params: params.app,
      codes: [...codes.vault, ...codes.deploy],
      answers: {
        200: { description: 'The vars, now empty.', content: { 'application/json': changedVars } },
      },
      async handle(ctx, { params: { id } }) {
        ctx.body = await changeVars(ctx, id, { vars: { replace: {} } });
      },
    }),

    route({
      method: 'get',
      path: '/apps/{id}/secrets',
      tag: 'config',
      can: 'config',
      summary: 'List secrets',
      params: params.app,
      query: queries.secrets,
      codes: codes.vault,
      answers: {
        200: {
          description: 'Names and last change; values only with reveal=1.',
          content: { 'application/json': secrets },
        },
      },
      async handle(ctx, { params: { id }, query }) {
        const config = await host.config.of(id);
        if (query.reveal === '1') noteProven(ctx, id, 'secrets');
        ctx.body = presentSecrets(id, config, query.reveal === '1');
      },
    }),

    route({
      method: 'put',
      path: '/apps/{id}/secrets',
      tag: 'config',
      can: 'config',
      summary: 'Replace secrets.toml',
      description:
        `Send TOML, plain or in a JSON body, at most ${SECRETS_BYTES / 1024} KiB. Invalid TOML is rejected with its line and column, and so is an empty file. ` +
        `If \`[auth]\` has no redirect_uri or cookie_secret, the server adds them. ${inEffect}`,
      params: params.app,
      body: { 'text/plain': { type: 'string', format: 'binary' }, 'application/json': bodies.secrets },
      codes: [...codes.vault, ...codes.deploy, ...codes.secrets, 'secrets-empty'],
      answers: {
        200: { description: 'The updated secrets.', content: { 'application/json': changedSecrets } },
      },
      async handle(ctx, { params: { id } }) {
        ctx.body = await changeSecrets(ctx, id, await readToml(ctx));
      },
    }),

    route({
      method: 'delete',
      path: '/apps/{id}/secrets',
      tag: 'config',
      can: 'config',
      summary: 'Remove all secrets',
      description: `Config vars don't change. ${inEffect}`,
      params: params.app,
      codes: [...codes.vault, ...codes.deploy],
      answers: {
        200: { description: 'The secrets, now empty.', content: { 'application/json': changedSecrets } },
      },
      async handle(ctx, { params: { id } }) {
        ctx.body = await changeSecrets(ctx, id, '');
      },
    }),

    route({
      method: 'post',
      path: '/config/rotate-key',
      tag: 'config',
      can: 'server',
      summary: 'Rotate the encryption key',
      description:
        'Re-encrypts the config of all apps with a new key and deletes the old one. Nothing restarts. An interrupted rotation is completed at the next start.',
      codes: codes.vault,
      answers: { 200: { description: 'The result.', content: { 'application/json': rotation } } },
      async handle(ctx) {
        const done = await host.config.rotateKey();
        api.logger.info(
          { by: signedIn(ctx).principal.name, files: done.files },
          'the config of all apps was encrypted with a new key',
        );
        ctx.body = done;
      },
    }),
  ];

  async function changeVars(ctx: Context, id: string, change: ConfigChange): Promise<object> {
    const changed = await host.config.change(id, change, signedIn(ctx).principal);
    return { ...presentVars(id, changed.config, false), deploy: deployOf(id, changed) };
  }

  async function changeSecrets(ctx: Context, id: string, toml: string): Promise<object> {
    const changed = await host.config.change(id, { secretsToml: toml }, signedIn(ctx).principal);
    return { ...presentSecrets(id, changed.config, false), deploy: deployOf(id, changed) };
  }

  function deployOf(id: string, changed: ConfigChanged): DeployAnswer | null {
    const { app } = host.apps.get(id);
    const release = changed.deploy === undefined ? undefined : findRelease(app, changed.deploy.release);
    return release === undefined ? null : presentDeploy(app, release, api.publicBase());
  }

  function noteProven(ctx: Context, id: string, what: string, name?: string): void {
    demandProof(ctx);
    noteRevealed(api.logger, ctx, id, what, name);
  }

  function presentVars(id: string, config: AppConfig, reveal: boolean): VarsAnswer {
    const list = Object.entries(config.vars).map(([name, { value: text, changedAt, changedBy }]) => ({
      name,
      ...(reveal ? { value: text } : {}),
      changed_at: changedAt,
      changed_by: changedBy,
    }));
    return {
      ...versionsOf(id, config),
      vars: list,
      changed_at: config.changedAt || null,
      changed_by: config.changedBy || null,
    };
  }

  function presentSecrets(id: string, config: AppConfig, reveal: boolean): SecretsAnswer {
    return {
      ...versionsOf(id, config),
      ...secretNames(config.secretsToml),
      ...(reveal ? { toml: config.secretsToml } : {}),
      changed_at: config.secretsChanged?.changedAt ?? null,
      changed_by: config.secretsChanged?.changedBy ?? null,
    };
  }

  function versionsOf(id: string, config: AppConfig): { version: number; live_version: number | null } {
    const { app } = host.apps.get(id);
    const live = findRelease(app, app.live);
    return { version: config.version, live_version: live === undefined ? null : (live.config ?? 0) };
  }
}

/** The TOML of a body, which is TOML itself or JSON around it. @throws HttpError 415, Refusal `secrets-empty` */
async function readToml(ctx: Context): Promise<string> {
  if (ctx.is('json', '+json')) return (await readJson(ctx, bodies.secrets)).toml;
  // Koa: null = there is no body. A body without a type is what `curl -T` sends.
  if (ctx.get('content-type') !== '' && ctx.is('text/*', 'application/toml', 'application/octet-stream') === false) {
    ctx.throw(415, 'Send the secrets as text/plain, or as application/json like {"toml": "..."}.');
  }
  const toml = await readText(ctx);
  // A file that a script could not fill, more often than a wish.
  if (toml.trim() === '') {
    throw new Refusal(
      'invalid',
      'secrets-empty',
      'The body is empty, so nothing was changed. To remove all secrets, use DELETE.',
    );
  }
  return toml;
}

/** Reads a JSON body; unlike elsewhere, no error quotes what was sent. @throws HttpError 400, 415, Refusal */
async function readJson<S extends z.ZodType>(ctx: Context, schema: S): Promise<z.infer<S>> {
  if (!ctx.is('json', '+json')) ctx.throw(415, 'Send the body as application/json.');
  const text = await readText(ctx);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Its message shows a part of the text.
    ctx.throw(400, 'The body is not valid JSON.');
  }
  return parseInput(schema, body);
}

async function readText(ctx: Context): Promise<string> {
  return textOf(await readBody(ctx, MAX_BODY));
}
