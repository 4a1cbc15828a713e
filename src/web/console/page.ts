import type { Context } from 'koa';
import { Refusal } from '../../errors.js';
import type { AppStatus } from '../../host/apps.js';
import type { Audit } from '../../host/audit.js';
import type { Host } from '../../host/host.js';
import type { Principal } from '../../domain/access/principal.js';
import type { AuditLog } from '../../store/audit-log.js';
import type { Sessions } from '../../store/sessions.js';
import type { Paths } from '../../store/paths.js';
import type { AppVerb } from '../../domain/access/permissions.js';
import type { Rights } from '../../domain/access/rights.js';
import type { Access } from '../../host/access.js';
import type { AccessTokens } from '../../host/tokens.js';
import type { TrustedCi } from '../../host/trusted-ci.js';
import type { People } from '../../host/people.js';
import type { Passkeys } from '../../host/passkeys.js';
import type { SecondFactors } from '../../host/second-factors.js';
import type { Trouble } from '../../lib/readiness.js';
import type { Alerts } from '../../alerts/alerts.js';
import type { Drains } from '../../drains/drains.js';
import type { Errors } from '../../metrics/errors.js';
import type { Metrics } from '../../metrics/metrics.js';
import { signedIn } from '../auth.js';
import { hasDraft } from '../drafts.js';
import { siteOf } from '../pages.js';
import { pageIn, wordsIn } from '../language.js';
import type { Words } from '../messages/messages.js';
import { linksOf, type Links } from '../links.js';
import { limited, presentApp, type AppView, type Usage } from '../presenters.js';
import type { UploadOptions } from '../upload/receive.js';
import type { Notice, Pages, Site } from '../page-models.js';
import type { Views } from '../views.js';

/** What the console needs; `main` has all of it. */
export interface ConsoleDeps {
  host: Host;
  people: People;
  /** The second factors of accounts. */
  factors: SecondFactors;
  passkeys: Passkeys;
  /** Gives roles in apps. */
  access: Access;
  tokens: AccessTokens;
  /** The CI jobs that deploy without a secret. */
  ci: TrustedCi;
  /** Decides who may do what. */
  rights: Rights;
  /** Asks, and writes down who did what. */
  audit: Pick<Audit, 'pass'>;
  sessions: Pick<Sessions, 'list' | 'listedAs' | 'endListed' | 'endOf'>;
  /** What was written down. */
  auditLog: Pick<AuditLog, 'entries'>;
  views: Views;
  /** What is wrong with config.json; one sentence each. */
  mistakes: () => readonly string[];
  /** What keeps deploys from being run. */
  troubles: () => Promise<readonly Trouble[]>;
  /** What is wrong with how the server is reached, in one sentence; undefined where nothing is. */
  unsafe: () => string | undefined;
  /** Where the logs are. */
  logs: Pick<Paths, 'runLog' | 'buildLog'>;
  /** Where an upload is kept until it is committed, and how large it may be. */
  uploads: UploadOptions;
  /** The public base, such as `https://apps.example.com/tools`. */
  publicBase: () => string;
  /** The address of an app. */
  url: (app: string) => string;
  /** What the process with a mark uses now; undefined where it cannot be told. */
  usage: (mark: string) => Usage | undefined;
  /** What was measured. */
  metrics: Pick<Metrics, keyof Metrics>;
  /** The exceptions of apps. */
  errors: Pick<Errors, 'of' | 'clear'>;
  /** Where alerts are sent, and what is wrong. */
  alerts: Pick<Alerts, 'of' | 'add' | 'remove' | 'test' | 'mails'>;
  /** Where the output of apps is sent. */
  drains: Pick<Drains, 'of' | 'add' | 'remove'>;
  /** Logs who revealed a value. */
  logger: { info(facts: object, text: string): void };
}

/** What can have just been done (the `done` in the query); the next page says so. */
const DONE = [
  'start',
  'stop',
  'restart',
  'cancel',
  'save',
  'stored',
  'unchanged',
  'end',
  'same',
  'kept',
  'create',
  'remove-preview',
  'delete',
  'user-change',
  'user-disable',
  'user-enable',
  'revoked',
  'ci-added',
  'ci-removed',
  'opens',
  'unshared',
  'frames',
  'role',
  'role-removed',
  'errors-cleared',
  'destination-removed',
  'tested',
  'drain-added',
  'drain-removed',
  'second-factor-removed',
  'second-factor-reset',
  'session-ended',
  'sessions-ended',
  'password',
] as const;

/** One request to the console: what all of its routes read and answer with. */
export class Page {
  readonly ctx: Context;
  readonly deps: ConsoleDeps;
  readonly links: Links;
  readonly now = new Date();

  constructor(ctx: Context, deps: ConsoleDeps) {
    this.ctx = ctx;
    this.deps = deps;
    this.links = linksOf(deps.publicBase(), deps.url);
  }

  /** Who asks. */
  get by(): Principal {
    return signedIn(this.ctx).principal;
  }

  /** The messages in the language of the person. */
  get words(): Words {
    return wordsIn(this.ctx);
  }

  get host(): Host {
    return this.deps.host;
  }

  get site(): Site {
    const { csrf } = signedIn(this.ctx).session ?? {};
    return {
      links: this.links,
      words: this.words,
      page: pageIn(this.ctx),
      csrf,
      here: this.ctx.path,
      ...siteOf(this.by, this.deps.rights),
    };
  }

  /** The sentence about what the person has just done, where they were sent here after it. */
  get notice(): Notice | undefined {
    const { done } = this.ctx.query;
    const known = DONE.find((one) => one === done);
    return known && { tone: 'good', code: known, text: this.words.t(`done.${known}`) };
  }

  /** A refusal in the language of the person. */
  sentence<R extends Refusal | undefined>(refusal: R): R extends Refusal ? string : string | undefined;
  sentence(refusal: Refusal | undefined): string | undefined {
    return refusal && this.words.sentence(refusal.message);
  }

  /** A refusal as the sentence that a page begins with. */
  refused(refusal: Refusal): Notice {
    return { tone: 'bad', code: refusal.code, text: this.sentence(refusal) };
  }

  /** A field of the form or, with `from`, of another record; empty where it is missing. */
  field(name: string, from: unknown = (this.ctx.request as { body?: unknown }).body): string {
    if (typeof from !== 'object' || from === null || !Object.hasOwn(from, name)) return '';
    const value = (from as Record<string, unknown>)[name];
    return typeof value === 'string' ? value : '';
  }

  /** Returns whether the form has a field. */
  sends(name: string): boolean {
    const { body } = this.ctx.request as { body?: unknown };
    return typeof body === 'object' && body !== null && Object.hasOwn(body, name);
  }

  /** What is said above a form that comes back after a login, because the session was over when it was sent. */
  get lapsed(): Refusal | undefined {
    if (!hasDraft(this.ctx)) return undefined;
    return new Refusal(
      'conflict',
      'form-not-saved',
      'You were logged out while you edited, so nothing was saved. Save again to store the text below.',
    );
  }

  /** A part of the route's path. */
  param(name: string): string {
    const value = (this.ctx as { params?: Record<string, unknown> }).params?.[name];
    return Array.isArray(value) ? value.join('/') : typeof value === 'string' ? value : '';
  }

  /** The app that the path names. @throws Refusal `app-not-found` */
  get status(): AppStatus {
    return this.host.apps.get(this.param('id'));
  }

  /** Whether the person may do this to the app that the path names. */
  may(verb: AppVerb): boolean {
    return this.deps.rights.may(this.by, verb, this.status.app);
  }

  async present(status: AppStatus): Promise<AppView> {
    const may = (verb: AppVerb): boolean => this.deps.rights.may(this.by, verb, status.app);
    return limited(presentApp(status, this.links, this.now, this.deps.usage, this.words), may);
  }

  /** What the pages of one app share. */
  async app<Tab extends string>(
    tab: Tab,
    notice = this.notice,
  ): Promise<{ app: AppView; tab: Tab; notice: Notice | undefined }> {
    return { app: await this.present(this.status), tab, notice };
  }

  show<Name extends keyof Pages>(name: Name, model: Pages[Name], status = 200): void {
    this.ctx.status = status;
    this.ctx.type = 'text/html; charset=utf-8';
    this.ctx.body = this.deps.views.render(name, this.site, model);
  }

  /** Sends the browser to a page of the console. 303: whatever was posted, the next request is a GET. */
  go(path: string): void {
    this.ctx.redirect(this.links.console(path));
    this.ctx.status = 303;
  }
}

/**
 * Does what a form asks for; a refusal is told by `refused`, on the page that the form was on.
 * @throws whatever is not a refusal, and refusals that no form can mend
 */
export async function attempt(work: () => Promise<void>, refused: (refusal: Refusal) => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal) || error.kind === 'not-found' || error.kind === 'unauthorised') throw error;
    await refused(error);
  }
}
