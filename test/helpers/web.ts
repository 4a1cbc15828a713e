import { EventEmitter } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, createServer, request, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { ConfigChange, ConfigChanged } from '../../src/apps/config.js';
import type { NewApp } from '../../src/apps/new-apps.js';
import type { FileChange } from '../../src/apps/files.js';
import type { ProjectFile } from '../../src/apps/source.js';
import type { Deploy } from '../../src/deploys/ongoing.js';
import type { Verb } from '../../src/domain/access/permissions.js';
import type { CheckToken, Principal } from '../../src/domain/access/principal.js';
import type { AppFacts, AppListener, AppStatus } from '../../src/host/apps.js';
import { Access as AppAccess } from '../../src/host/access.js';
import { CiIssuers } from '../../src/host/ci-issuers.js';
import { AccessTokens } from '../../src/host/tokens.js';
import { TrustedCi } from '../../src/host/trusted-ci.js';
import { Audit } from '../../src/host/audit.js';
import { People } from '../../src/host/people.js';
import { Passkeys } from '../../src/host/passkeys.js';
import { Providers } from '../../src/host/providers.js';
import { SecondFactors } from '../../src/host/second-factors.js';
import type { Host } from '../../src/host/host.js';
import type { PreviewList } from '../../src/host/previews.js';
import type { ReleaseDiff } from '../../src/host/releases.js';
import type { Errors } from '../../src/metrics/errors.js';
import { Metrics } from '../../src/metrics/metrics.js';
import type { Refreshed } from '../../src/in-place/controller.js';
import { appState, idFromName, newApp, type App } from '../../src/domain/app/app.js';
import { ownedBy } from '../../src/domain/access/roles.js';
import { ciIssuers, type CiIssuer } from '../../src/domain/access/ci.js';
import { Rights } from '../../src/domain/access/rights.js';
import type { Factors } from '../../src/domain/access/second-factor.js';
import { KnownBrowsers, PasswordAttempts } from '../../src/domain/access/password-attempts.js';
import { Attempts } from '../../src/domain/access/attempts.js';
import { checkVars, mergeVars } from '../../src/domain/config/vars.js';
import type { MissingKey } from '../../src/domain/project/hints.js';
import type { Release } from '../../src/domain/app/release.js';
import { checkSecrets } from '../../src/domain/config/secrets.js';
import { Refusal } from '../../src/errors.js';
import { createMask } from '../../src/logs/mask.js';
import { NO_CONFIG, varsOf, type AppConfig } from '../../src/store/app-config.js';
import type { AppStore, Change } from '../../src/store/apps.js';
import type { SealedList } from '../../src/store/sealed-list.js';
import { AuditLog } from '../../src/store/audit-log.js';
import { Credentials } from '../../src/store/credentials.js';
import { Passwords } from '../../src/store/passwords.js';
import { Sessions } from '../../src/store/sessions.js';
import { Tokens } from '../../src/store/tokens.js';
import { Users } from '../../src/store/users.js';
import type { Rotation } from '../../src/store/vault.js';
import { apiRoutes } from '../../src/web/api/index.js';
import type { Route } from '../../src/web/api/route.js';
import { createWeb, type WebOptions } from '../../src/web/server.js';

export const TOKEN = 'the-token-of-these-tests';

/** Hashes that take no time worth waiting for. */
export const LIGHT = { ln: 4, r: 1, p: 1 };

/** How much later (ms) these servers tell a guesser that a token is wrong. */
export const SLOW_MS = 40;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: Record<string, unknown>;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** Connections are kept, as browsers do. */
const agent = new Agent({ keepAlive: true });

/** A request as it is: unlike fetch, nothing is added that a browser would. */
export function ask(url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const isMeasured = body !== undefined && headers['transfer-encoding'] === undefined;
    const length = isMeasured ? { 'content-length': String(Buffer.byteLength(body)) } : {};
    const asked = request(url, { method, headers: { ...length, ...headers }, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        // What a server has refused is not sent to its end: that the connection broke would reach no listener.
        if (!asked.writableFinished) asked.destroy();
        const text = Buffer.concat(chunks).toString();
        const json =
          text !== '' && /[/+]json/.test(answer.headers['content-type'] ?? '')
            ? (JSON.parse(text) as Record<string, unknown>)
            : {};
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** A real server on a port of its own. */
export async function serve(
  listener: RequestListener,
): Promise<{ url: string; server: Server; close: () => Promise<void> }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Apps that run nothing: what is asked of them is remembered. */
export class QuietApps {
  readonly asked: string[] = [];
  /** The last change that was committed, with the bytes of its files. */
  committed: { change: FileChange; content: Record<string, string>; by: string; message: string } | undefined;
  /** What the next commit is refused with. */
  refuse: Error | undefined;
  readonly #apps = new Map<string, App>();
  readonly #files = new Map<string, Map<string, Buffer>>();
  readonly #events = new EventEmitter();

  list(): AppStatus[] {
    return [...this.#apps.keys()].map((id) => this.get(id));
  }

  find(id: string): App | undefined {
    return this.#apps.get(id);
  }

  get(id: string): AppStatus {
    const app = this.#apps.get(id);
    if (app === undefined) throw new Refusal('not-found', 'app-not-found', `There is no app "${id}".`);
    return { app, state: appState(app, 'ready'), process: undefined };
  }

  async create(input: NewApp): Promise<AppStatus> {
    const id = input.id ?? idFromName(input.name);
    if (this.#apps.has(id))
      throw new Refusal('conflict', 'app-name-taken', `There is an app "${id}" already.`, { field: 'name' });
    this.put({
      ...newApp(id, input.name, new Date(), input.description),
      ...(input.by === undefined ? {} : ownedBy(input.by)),
    });
    return this.get(id);
  }

  async describe(id: string, input: AppFacts): Promise<AppStatus> {
    this.asked.push(`describe ${id} ${JSON.stringify(input)}`);
    this.put({ ...this.get(id).app, ...input });
    return this.get(id);
  }

  previews(id: string): PreviewList {
    return { on: this.get(id).app.previews ?? false, list: this.list().filter(({ app }) => app.preview?.of === id) };
  }

  /** The branches of every app that have no preview. */
  stored: string[] = [];

  async storedBranches(id: string): Promise<string[]> {
    this.get(id);
    return this.stored;
  }

  async preview(id: string, branch: string, by: Principal): Promise<Deploy> {
    this.asked.push(`preview ${id} ${branch} ${by.name}`);
    return this.redeploy(id, by);
  }

  async commit(id: string, change: FileChange, by: Principal, message: string): Promise<Deploy> {
    if (this.refuse !== undefined) throw this.refuse;
    const files = change.replace ? new Map<string, Buffer>() : (this.#files.get(id) ?? new Map<string, Buffer>());
    for (const each of change.set) files.set(each.path, await readFile(each.file));
    for (const path of change.remove) files.delete(path);
    this.#files.set(id, files);
    this.committed = {
      change,
      content: Object.fromEntries([...files].map(([path, bytes]) => [path, bytes.toString()])),
      by: by.name,
      message,
    };
    return this.#release(id, by, message);
  }

  async start(id: string): Promise<AppStatus> {
    this.asked.push(`start ${id}`);
    return this.get(id);
  }
  async stop(id: string): Promise<AppStatus> {
    this.asked.push(`stop ${id}`);
    return this.get(id);
  }
  async sleep(id: string): Promise<AppStatus> {
    this.asked.push(`sleep ${id}`);
    return this.get(id);
  }
  async restart(id: string): Promise<AppStatus> {
    this.asked.push(`restart ${id}`);
    return this.get(id);
  }
  async redeploy(id: string, by: Principal, fresh = false): Promise<Deploy> {
    if (fresh) this.asked.push(`fresh ${id}`);
    return this.#release(id, by, 'again');
  }

  async rollback(id: string, _release: number, by: Principal): Promise<Deploy> {
    return this.#release(id, by, 'back');
  }

  /** What is different in the config of every release. */
  configDiff: ReleaseDiff['config'] = {
    vars: { added: [], removed: [], changed: [] },
    secrets: { added: [], removed: [], changed: [] },
  };

  async diff(id: string, release: number): Promise<ReleaseDiff> {
    const { app } = this.get(id);
    return {
      live: app.live,
      code: ` app.py | 2 +-\n\ndiff --git a/app.py b/app.py\n+release ${release}\n`,
      config: this.configDiff,
    };
  }

  openPages(): ReadonlyMap<number, number> {
    return new Map();
  }

  async missing(): Promise<MissingKey[]> {
    return [];
  }

  async retire(id: string, release: number): Promise<Release> {
    return this.cancel(id, release);
  }

  async cancel(id: string, release: number): Promise<Release> {
    const found = this.get(id).app.releases.find((each) => each.number === release);
    if (found === undefined) throw new Refusal('not-found', 'release-not-found', 'There is no such release.');
    this.asked.push(`cancel ${id} ${release}`);
    return found;
  }

  async remove(id: string): Promise<void> {
    this.#apps.delete(id);
    this.asked.push(`remove ${id}`);
    this.#events.emit('change', id, undefined);
  }

  deploying(): Deploy | undefined {
    return undefined;
  }

  async files(id: string): Promise<ProjectFile[]> {
    return [...(this.#files.get(id) ?? [])].map(([path, bytes]) => ({ path, size: bytes.length }));
  }

  async readFile(id: string, path: string): Promise<Buffer> {
    const bytes = this.#files.get(id)?.get(path);
    if (bytes === undefined) throw new Refusal('not-found', 'file-not-found', `There is no file "${path}".`);
    return bytes;
  }

  /** What was set, by app. */
  readonly configs = new Map<string, AppConfig>();

  async config(id: string): Promise<AppConfig> {
    return this.configs.get(this.get(id).app.id) ?? NO_CONFIG;
  }

  async configure(id: string, change: ConfigChange, by: Principal): Promise<ConfigChanged> {
    const before = await this.config(id);
    const stamp = { changedAt: '2026-01-02T03:04:05.000Z', changedBy: by.name };
    const values =
      change.vars === undefined
        ? varsOf(before)
        : 'patch' in change.vars
          ? mergeVars(varsOf(before), change.vars.patch)
          : change.vars.replace;
    checkVars(values);
    checkSecrets(change.secretsToml ?? '');
    const config: AppConfig = {
      version: before.version + 1,
      vars: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, ...stamp }])),
      secretsToml: change.secretsToml ?? before.secretsToml,
      secretsChanged: change.secretsToml === undefined ? before.secretsChanged : stamp,
      ...stamp,
    };
    this.configs.set(id, config);
    return { config, deploy: undefined };
  }

  async rotateKey(): Promise<Rotation> {
    return { key: 'new', files: this.configs.size, problems: [] };
  }

  /** What is hidden in every log. */
  hidden: string[] = [];

  async mask(): Promise<(text: string) => string> {
    return createMask(this.hidden);
  }

  subscribe(listener: AppListener): () => void {
    this.#events.on('change', listener);
    return () => this.#events.off('change', listener);
  }

  /** What the web calls, by noun. */
  get host(): Host {
    return {
      apps: {
        list: () => this.list(),
        get: (id) => this.get(id),
        create: (input) => this.create(input),
        describe: (id, input) => this.describe(id, input),
        start: (id) => this.start(id),
        stop: (id) => this.stop(id),
        sleep: (id) => this.sleep(id),
        restart: (id) => this.restart(id),
        remove: (id) => this.remove(id),
        subscribe: (listener) => this.subscribe(listener),
      },
      files: {
        list: (id) => this.files(id),
        read: (id, path) => this.readFile(id, path),
        commit: async (id, change, by, message) => ({
          deploy: await this.commit(id, change, by, message),
          lacks: undefined,
        }),
      },
      releases: {
        redeploy: (id, by, fresh) => this.redeploy(id, by, fresh),
        rollback: (id, release, by) => this.rollback(id, release, by),
        diff: (id, release) => this.diff(id, release),
        packages: (_id, release) => Promise.resolve(`six==${release}\n`),
        openPages: () => this.openPages(),
        retire: (id, release) => this.retire(id, release),
        cancel: (id, release) => this.cancel(id, release),
        underWay: () => this.deploying(),
      },
      config: {
        of: (id) => this.config(id),
        change: (id, change, by) => this.configure(id, change, by),
        missing: () => this.missing(),
        rotateKey: () => this.rotateKey(),
      },
      previews: {
        of: (id) => this.previews(id),
        stored: (id) => this.storedBranches(id),
        create: (id, branch, by) => this.preview(id, branch, by),
      },
      masks: { of: () => this.mask() },
    };
  }

  get listeners(): number {
    return this.#events.listenerCount('change');
  }

  /** What changes the records of apps. */
  get store(): Pick<AppStore, 'get' | 'find' | 'update' | 'subscribe'> {
    const update = async (id: string, change: Change): Promise<App> => {
      this.put(change(this.get(id).app));
      return this.get(id).app;
    };
    const find = (id: string): App | undefined => this.find(id);
    const subscribe: AppStore['subscribe'] = () => () => false;
    return { get: (id) => this.get(id).app, find, update, subscribe };
  }

  put(app: App): void {
    this.#apps.set(app.id, app);
    this.#events.emit('change', app.id, this.get(app.id));
  }

  #release(id: string, by: Principal, message: string): Deploy {
    const { app } = this.get(id);
    const number = app.lastRelease + 1;
    const release: Release = {
      number,
      commit: 'c'.repeat(40),
      branch: 'main',
      source: 'upload',
      by: by.name,
      message,
      state: 'live',
      createdAt: app.createdAt,
      finishedAt: app.createdAt,
    };
    this.put({ ...app, live: number, lastRelease: number, releases: [...app.releases, release] });
    return { app: id, release: number, follow: () => () => undefined, done: Promise.resolve(release) };
  }
}

export interface TestWeb {
  url: string;
  /** The public base. */
  base: () => string;
  apps: QuietApps;
  sessions: Sessions;
  people: People;
  factors: SecondFactors;
  passkeys: Passkeys;
  users: Users;
  tokens: AccessTokens;
  ci: TrustedCi;
  audit: Audit;
  auditLog: AuditLog;
  folder: string;
  /** What the platform's log says. */
  logged: string[];
  stopped: { keepApps: boolean }[];
  closing: AbortController;
  api(path: string, options?: Ask): Promise<Answer>;
  close(): Promise<void>;
}

/** Errors of apps that printed none. */
export const noErrors: Pick<Errors, 'of' | 'clear'> = { of: async () => [], clear: async () => undefined };

/** No drains, and none that is kept. */
export const noDrains: WebOptions['drains'] = {
  of: async () => [],
  add: async (_owner, { address }, by, anywhere) => ({
    id: 'd1',
    address,
    anywhere,
    createdAt: '',
    createdBy: by.name,
  }),
  remove: async () => undefined,
};

/** No alerts, and destinations that remember nothing. */
export const noAlerts: WebOptions['alerts'] = {
  mails: true,
  of: async () => ({ problems: [], destinations: [], deliveries: [] }),
  add: async (_owner, input, by, anywhere) => ({
    ...{ id: 'd1', kind: input.kind, address: input.address, name: input.name ?? '', anywhere },
    ...{ createdAt: new Date(0).toISOString(), createdBy: by.name },
    ...(input.kind === 'webhook' ? { secret: 'whsec_c2VjcmV0' } : {}),
  }),
  remove: async () => undefined,
  test: async () => undefined,
};

/** Metrics of a server that has measured nothing yet. */
export function noMetrics(apps: Pick<QuietApps, 'find'>): Metrics {
  return new Metrics({
    store: { series: () => Promise.resolve([]), all: () => Promise.resolve(new Map()) },
    recorder: { latest: new Map(), totals: new Map() },
    sizes: { of: () => undefined },
    apps: { find: (id) => apps.find(id), list: () => [] },
    warn: () => undefined,
  });
}

const nothing = async (): Promise<Refreshed> => ({ notes: [], apps: [] });

/** Second factors in memory. */
export function listOfFactors(): Pick<SealedList<Factors>, 'of' | 'change'> {
  let list: readonly Factors[] = [];
  return {
    of: async () => list,
    change: async (_owner, make) => void (list = make(list)),
  };
}

/** The whole of the web on a real port, with quiet apps behind it. */
export async function startWeb(
  options: Partial<WebOptions> & {
    base?: string;
    required?: boolean;
    now?: () => number;
    ciIssuers?: readonly CiIssuer[];
  } = {},
): Promise<TestWeb> {
  const folder = await mkdtemp(join(tmpdir(), 'web-'));
  const apps = new QuietApps();
  const credentials = new Credentials(TOKEN);
  const sessions = await Sessions.open(join(folder, 'sessions.json'), {
    fingerprint: credentials.fingerprint,
    warn: () => undefined,
  });
  const users = await Users.open(
    { users: join(folder, 'users.json'), lastUsers: join(folder, 'users.last-good.json') },
    () => undefined,
  );
  const appAccess = new AppAccess({ store: apps.store, users, passwords: new Passwords(LIGHT) });
  const people = new People({ users, passwords: new Passwords(LIGHT), sessions });
  const now = options.now ?? Date.now;
  const factors = new SecondFactors({
    list: listOfFactors(),
    people,
    sessions,
    required: options.required ?? false,
    now,
  });
  let base = '';
  const passkeys = new Passkeys({ factors, people, publicBase: () => base, now });
  const tokenPaths = { tokens: join(folder, 'tokens.json'), lastTokens: join(folder, 'tokens.last-good.json') };
  const stored = await Tokens.open(tokenPaths, () => undefined);
  const tokens = new AccessTokens({ people, store: apps.store, warn: () => undefined, tokens: stored });
  const check: CheckToken = (token) => credentials.check(token) ?? tokens.check(token);
  const rights = new Rights(apps);
  const auditLog = await AuditLog.open(join(folder, 'audit'), { warn: () => undefined });
  const attempts = new Attempts();
  const audit = new Audit({ log: auditLog, rights });
  const issuers = new CiIssuers({ issuers: options.ciIssuers ?? ciIssuers([]), warn: () => undefined });
  const ci = new TrustedCi({ store: apps.store, people, issuers, tokens, attempts, audit, publicBase: () => base });
  const logged: string[] = [];
  const stopped: { keepApps: boolean }[] = [];
  const closing = new AbortController();
  const served = await serve(
    createWeb({
      host: apps.host,
      controller: { mistakes: () => [], refresh: nothing, import: nothing, adopt: (id, by) => apps.redeploy(id, by) },
      publicBase: () => base,
      url: (app) => `${base}/apps/${app}/`,
      access: {
        check,
        sessions,
        people,
        audit,
        attempts,
        passwords: new PasswordAttempts(attempts, now),
        known: new KnownBrowsers('a key of the tests'),
        slowMs: SLOW_MS,
      },
      people,
      factors,
      passkeys,
      providers: new Providers({ providers: [], warn: () => undefined }),
      appAccess,
      tokens,
      ci,
      rights,
      audit,
      auditLog,
      logs: {
        runLog: (id, release) => join(folder, release <= 1 ? `${id}.log` : `${id}-run-${release}.log`),
        buildLog: (id, release) => join(folder, `${id}-${release}.log`),
      },
      visitor: ({ socket }) => ({ address: socket.remoteAddress ?? '' }),
      usageOf: () => undefined,
      metrics: noMetrics(apps),
      errors: noErrors,
      alerts: noAlerts,
      drains: noDrains,
      logger: pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) }),
      pages: {
        error: (_ctx, status, sentence) => `<p>${status} ${sentence}</p>`,
        login: (_ctx, { next, error, link, passkey }) =>
          `<p>login ${next} ${error ?? (link === undefined ? (passkey ?? '') : `as ${link.name}`)}</p>`,
        openApp: (_ctx, { app, error }) => `<p>open ${app.name} ${error ?? ''}</p>`,
        join: (_ctx, { account, error }) => `<p>join ${account?.email ?? ''} ${error ?? ''}</p>`,
        second: (_ctx, { kind, key, error, codes, passkey }) =>
          `<p>${kind} ${key}${codes.join(' ')} ${error ?? ''} ${passkey ?? ''}</p>`,
        apiDocs: (_ctx, model, { session }) => `<p>${model.title} ${session?.csrf ?? ''}</p>`,
      },
      uploads: { tmp: join(folder, 'tmp') },
      troubles: () => Promise.resolve([]),
      runtime: () => ({ kind: 'process', version: null }),
      backups: {
        stream: (to) => Promise.resolve(void to.end('archive')),
        make: (to) => Promise.resolve({ place: `${to}/one.tar.gz`, removed: [] }),
      },
      check: () => Promise.resolve([{ name: 'redis', ok: true, message: 'Redis answers.' }]),
      nodes: () => Promise.resolve(undefined),
      repair: () => Promise.resolve([{ ok: true, message: 'Deleted a lock.' }]),
      stopServer: (how) => void stopped.push(how),
      reload: () => Promise.resolve({ pid: 4711 }),
      closing: closing.signal,
      version: '0.0.0',
      ...options,
    }),
  );
  base = (options.base ?? served.url).replace('PORT', new URL(served.url).port);
  return {
    url: served.url,
    base: () => base,
    apps,
    sessions,
    people,
    factors,
    passkeys,
    users,
    tokens,
    ci,
    audit,
    auditLog,
    folder,
    logged,
    stopped,
    closing,
    api: (path, { headers, ...rest } = {}) =>
      ask(`${served.url}/api${path}`, { ...rest, headers: { authorization: `Bearer ${TOKEN}`, ...headers } }),
    async close() {
      closing.abort();
      await served.close();
      await sessions.written();
      await stored.written();
      // What a request that goes on still causes must not reach into the next test.
      await auditLog.handOver();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A multipart form's body and its headers. */
export async function form(
  parts: [field: string, value: string | Buffer, filename?: string][],
): Promise<{ headers: Record<string, string>; body: Buffer }> {
  const data = new FormData();
  for (const [field, value, filename] of parts) {
    if (filename === undefined) data.append(field, String(value));
    else data.append(field, new Blob([new Uint8Array(Buffer.from(value))]), filename);
  }
  const response = new Response(data);
  return {
    headers: { 'content-type': response.headers.get('content-type') ?? '' },
    body: Buffer.from(await response.arrayBuffer()),
  };
}

/** Every route of the API behind the guard, as it is described: none of them can be called. */
export function everyRoute(): (Route & { can: Verb })[] {
  return described().filter((one): one is Route & { can: Verb } => one.can !== 'anyone');
}

/** The routes that are called without a login. */
export function openRoutes(): Route[] {
  return described().filter(({ can }) => can === 'anyone');
}

function described(): Route[] {
  const nouns = ['host', 'sessions', 'people', 'access', 'tokens', 'ci', 'rights', 'logs', 'audit', 'auditLog'];
  return apiRoutes(Object.fromEntries(nouns.map((noun) => [noun, {}])) as never);
}
