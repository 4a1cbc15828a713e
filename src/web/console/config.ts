import { findRelease } from '../../domain/app/app.js';
import { parseEnvFile } from '../../domain/config/env-file.js';
import type { MissingKey } from '../../domain/project/hints.js';
import { SECRETS_BYTES, secretNames } from '../../domain/config/secrets.js';
import type { ConfigChange } from '../../apps/config.js';
import { Refusal } from '../../errors.js';
import { NO_CONFIG, type AppConfig } from '../../store/app-config.js';
import { proveForm } from '../auth.js';
import { readForm } from '../body.js';
import { presentTime } from '../numbers.js';
import { noteRevealed } from '../revealed.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

/** The most that is read of a form with a file, in bytes: text and file, with room for what is between. */
const MAX_FORM = 4 * SECRETS_BYTES;

/** What a page shows in addition to the names: what somebody typed that was refused, and what they pressed to see. */
interface Told {
  refusal?: Refusal;
  /** The status of the answer; that of the refusal unless told. */
  status?: number;
  /** The part of the page that the refusal is about. */
  about?: 'var' | 'env' | 'secrets';
  name?: string;
  value?: string;
  env?: string;
  toml?: string;
  /** The var whose value is shown. */
  revealed?: { name: string; value: string };
}

/**
 * An app's config vars and secrets, by their names. A value comes out only where a person presses for it, and is in no
 * address: all of this is one page with one address, which the forms are sent to.
 */
export function configRoutes(add: AddRoute): void {
  add('get', '/apps/:id/config', 'config', async (page) => {
    const draft = await draftOf(page);
    if (draft !== undefined) return show(page, draft);
    const name = page.field('name', page.ctx.query);
    const secret = page.field('secret', page.ctx.query);
    return show(page, { name, ...(secret === '' ? {} : { toml: `${JSON.stringify(secret)} = ""\n` }) });
  });

  add('post', '/apps/:id/config', 'config', async (page) => {
    const form = page.ctx.is('multipart') === 'multipart' ? await readForm(page.ctx, MAX_FORM) : undefined;
    const field = (name: string): string => page.field(name, form);
    if (form !== undefined) proveForm(page.ctx, field('csrf'));
    const name = field('name').trim();
    switch (field('do')) {
      case 'reveal':
        return reveal(page, name);
      case 'remove':
        return attempt(
          () => change(page, { vars: { patch: { [name]: null } } }),
          (refusal) => show(page, { refusal, about: 'var' }),
        );
      case 'env': {
        const env = field('env');
        return attempt(
          () => change(page, { vars: { patch: parseEnvFile(env) } }),
          (refusal) => show(page, { refusal, about: 'env', env }),
        );
      }
      case 'reveal-secrets':
        return revealSecrets(page);
      case 'remove-secrets':
        return attempt(
          () => change(page, { secretsToml: '' }),
          (refusal) => show(page, { refusal, about: 'secrets' }),
        );
      case 'secrets': {
        const toml = lines(field('file') === '' ? field('toml') : field('file'));
        return attempt(
          () => saveSecrets(page, toml, field('was')),
          (refusal) => show(page, { refusal, about: 'secrets', toml }),
        );
      }
      default: {
        const value = lines(field('value'));
        return attempt(
          () => change(page, { vars: { patch: { [name]: value } } }),
          (refusal) => show(page, { refusal, about: 'var', name, value }),
        );
      }
    }
  });
}

/** Stores a change, and goes to the deploy that puts it into effect. */
async function change(page: Page, what: ConfigChange): Promise<void> {
  const { id } = page.status.app;
  const before = await page.host.config.of(id);
  const { config, deploy } = await page.host.config.change(id, what, page.by);
  if (deploy !== undefined) return page.go(`apps/${id}/deploys/${deploy.release}`);
  page.go(`apps/${id}/config?done=${config.version === before.version ? 'unchanged' : 'stored'}`);
}

/** @param was which secrets the person saw, so that nobody's change is overwritten unseen */
async function saveSecrets(page: Page, toml: string, was: string): Promise<void> {
  if (toml.trim() === '') {
    throw new Refusal('invalid', 'secrets-missing', 'Nothing was saved. Paste your secrets or choose a file.', {
      field: 'toml',
    });
  }
  if (stampOf(await page.host.config.of(page.status.app.id)) !== was) throw changedMeanwhile();
  await change(page, { secretsToml: toml });
}

/** Of two people who edit the secrets, the second is told. */
function changedMeanwhile(): Refusal {
  return new Refusal(
    'conflict',
    'secrets-changed',
    'Someone else changed the secrets while you edited them, so yours were not saved. Save again to replace theirs with the text below.',
  );
}

/** What somebody typed before they had to log in again. */
async function draftOf(page: Page): Promise<Told | undefined> {
  const { lapsed: refusal } = page;
  if (refusal === undefined) return undefined;
  const status = 200;
  switch (page.field('do')) {
    case 'set':
      return { refusal, status, about: 'var', name: page.field('name'), value: page.field('value') };
    case 'env':
      return { refusal, status, about: 'env', env: page.field('env') };
    case 'secrets': {
      const { config } = await read(page);
      const toml = page.field('file') === '' ? page.field('toml') : page.field('file');
      const isOld = stampOf(config) !== page.field('was');
      return { refusal: isOld ? changedMeanwhile() : refusal, status, about: 'secrets', toml };
    }
    default:
      return undefined;
  }
}

async function reveal(page: Page, name: string): Promise<void> {
  const { id } = page.status.app;
  const { vars } = await page.host.config.of(id);
  const found = Object.hasOwn(vars, name) ? vars[name] : undefined;
  if (found === undefined)
    return show(page, {
      refusal: new Refusal('not-found', 'var-not-found', 'This config var no longer exists.'),
      about: 'var',
    });
  noteRevealed(page.deps.logger, page.ctx, id, 'config vars', name);
  await show(page, { revealed: { name, value: found.value } });
}

async function revealSecrets(page: Page): Promise<void> {
  const { id } = page.status.app;
  const { secretsToml } = await page.host.config.of(id);
  noteRevealed(page.deps.logger, page.ctx, id, 'secrets');
  await show(page, { toml: secretsToml });
}

async function show(page: Page, told: Told): Promise<void> {
  const { app } = page.status;
  const { refusal, about, revealed } = told;
  const { config, missing, problem } = await read(page);
  const live = findRelease(app, app.live);
  const error = (part: Told['about']): string | undefined => (about === part ? page.sentence(refusal) : undefined);
  const href = page.links.console(`apps/${app.id}/config`);
  const names = secretNames(config.secretsToml);
  page.show(
    'console/config',
    {
      ...(await page.app('config')),
      problem,
      // After a rollback, the live release has another config than this.
      behind: live !== undefined && (live.config ?? 0) !== config.version && problem === undefined,
      stopped: live !== undefined && app.wanted === 'stopped',
      missing: missing.map((key) => ({
        ...key,
        href:
          key.kind === 'env'
            ? `${href}?name=${encodeURIComponent(key.name)}#value`
            : config.secretsToml === ''
              ? `${href}?secret=${encodeURIComponent(key.name)}#toml`
              : `${href}#secrets`,
        fills: key.kind === 'env' || config.secretsToml === '',
      })),
      vars: Object.entries(config.vars).map(([name, { changedAt, changedBy }]) => ({
        name,
        changed: presentTime(changedAt, page.now, page.words),
        by: changedBy,
        revealed: revealed?.name === name,
        value: revealed?.name === name ? revealed.value : '',
        href: `${href}?name=${encodeURIComponent(name)}#value`,
      })),
      name: told.name ?? '',
      value: told.value ?? '',
      varError: error('var'),
      env: told.env ?? '',
      envError: error('env'),
      secrets: {
        set: config.secretsToml !== '',
        names: [...names.keys, ...names.sections.map((name) => `[${name}]`)],
        changed:
          config.secretsChanged === null
            ? undefined
            : {
                time: presentTime(config.secretsChanged.changedAt, page.now, page.words),
                by: config.secretsChanged.changedBy,
              },
        toml: told.toml ?? '',
        was: stampOf(config),
        error: error('secrets'),
      },
    },
    told.status ?? refusal?.status,
  );
}

/** What there is, or why it cannot be read. */
async function read(page: Page): Promise<{ config: AppConfig; missing: MissingKey[]; problem: string | undefined }> {
  const { id } = page.status.app;
  try {
    return { config: await page.host.config.of(id), missing: await page.host.config.missing(id), problem: undefined };
  } catch (error) {
    if (error instanceof Refusal && error.kind !== 'not-found')
      return { config: NO_CONFIG, missing: [], problem: page.sentence(error) };
    throw error;
  }
}

/** Tells the secrets of one moment from those of another. */
function stampOf(config: AppConfig): string {
  return config.secretsChanged?.changedAt ?? '';
}

/** A form sends every line with CRLF. */
function lines(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}
