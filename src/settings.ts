import { dirname, isAbsolute, join, resolve } from 'node:path';
import { availableParallelism, networkInterfaces } from 'node:os';
import type { BackupPlan } from './backup/backups.js';
import { parsePlace, s3Access, type S3Access } from './backup/place.js';
import { isLoopback, needsTwoOrigins, withPort } from './domain/access/origins.js';
import { ciIssuers, isCiIssuer, type CiIssuer } from './domain/access/ci.js';
import { readProviders, type Provider } from './domain/access/provider.js';
import { readProxyLogin, type ProxyLogin } from './domain/access/proxy-login.js';
import { isProxyEntry, TrustedProxies } from './domain/access/visitor.js';
import { isDevice, isPlainPath } from './domain/project/app-cage.js';
import { isWithin } from './lib/within.js';
import { parseUrl } from './lib/parse-url.js';
import { swarmSettings, type SwarmSettings } from './runtime/swarm/swarm-settings.js';
import { otlpSettings, type OtlpSettings } from './metrics/otlp-settings.js';

/** All settings, which `main` passes on in parts. */
export interface Config {
  port: number;
  bind: string;
  /** The host, as written in a URL, at which this machine reaches a server listening on `bind`. */
  localHost: string;
  /** The data folder, absolute. */
  data: string;
  /** The config.json of in-place apps, their folder and the log folder; all absolute. */
  controller: { config: string; apps: string; logs: string };
  /** The public URL used in all links, without a trailing slash. */
  publicBase: string;
  /** The apps' own port and base URL; undefined if apps share the main port. */
  appsOrigin: { port: number; base: string } | undefined;
  /** True if apps share the console's origin and their scripts can read the console. */
  unsafeOrigin: boolean;
  /** Allowed host names in addition to the one in the public URL. */
  hosts: readonly string[];
  /** Additional request headers passed to apps, in lower case; "x-sso-*" matches every header with that prefix. */
  appHeaders: readonly string[];
  /** The addresses and networks of proxies whose word about visitors is taken. */
  trustedProxies: readonly string[];
  /** The maximum concurrent connections, in total and per IP address. */
  connections: { total: number; perAddress: number };
  /** The admin token, if set; otherwise the one stored in the data folder is used. */
  token: string | undefined;
  /** True where members may create apps, and not only admins. */
  membersCreate: boolean;
  /** True where everyone who logs in with a password needs a second factor. */
  secondFactor: boolean;
  /** Who may open new apps, until somebody changes that. */
  defaultAccess: 'public' | 'signed-in' | 'people';
  /** Where people log in with the account of their company. */
  providers: readonly Provider[];
  /** The login by the headers of a proxy in front; undefined = off. */
  proxyLogin: ProxyLogin | undefined;
  /** Who signs the ID tokens of CI jobs that can get deploy tokens. */
  ciIssuers: readonly CiIssuer[];
  /** The token for `/metrics`; null = none is asked for; undefined = `/metrics` is not there. */
  metricsToken: string | null | undefined;
  /** The first and last port for apps. */
  ports: { min: number; max: number };
  redisUrl: string | undefined;
  /** The maximum concurrent deploys. */
  deploys: number;
  /** How many releases per app are kept for rollbacks, including the live one. */
  keptReleases: number;
  /** True where an environment with Streamlit is built before the first push. */
  prebuild: boolean;
  /** What happens to missing Debian packages that apps list. */
  systemPackages: 'check' | 'install';
  /** What runs pushed apps: this machine by itself, its Docker, or a Swarm that this is a manager of. */
  runtime: 'process' | 'docker' | 'swarm';
  /** Where Docker answers, and the network of the containers. */
  docker: { socket: string; network: string };
  /** Where the machines of a Swarm find the server and their images; undefined = none is used. */
  swarm: SwarmSettings | undefined;
  /** How apps are isolated from each other and from the server. */
  cage: 'auto' | 'bubblewrap' | 'landlock' | 'none';
  /** Folders that caged apps may use; absolute. File permissions still apply. */
  cageFolders: string[];
  /** Folders that an app may ask to read, and devices that it may ask to use; a path below /dev, or "gpu". */
  cageReadOnly: string[];
  cageDevices: string[];
  /** What the disk must have left for a deploy; 0 = no limit. */
  diskFloor: { bytes: number; files: number };
  /** The default memory limit (MB) per app; 0 = none. */
  memoryLimitMb: number;
  /** How many processes and threads an app may have, and how many cores it may use; 0 = no limit. */
  taskLimit: number;
  cpuLimit: number;
  /** The most (MB) that an app may choose for an upload and for one message to a browser. */
  optionLimits: { uploadMb: number; messageMb: number };
  /** Time limits (ms) for building an environment and for starting a process. */
  limits: { buildMs: number; startMs: number };
  /** How long an older release is kept for its open pages. */
  drain: {
    /** Time in ms after its last page has disconnected; the page may reconnect. */
    ttlMs: number;
    /** The maximum in ms. */
    limitMs: number;
  };
  /** When unused apps go to sleep, unless an app sets its own value. */
  sleep: {
    /** After this long without a visitor, in ms; 0 = never. */
    afterMs: number;
    /** An open page idle for this long (ms) does not count as a visitor. */
    idlePageMs: number;
  };
  /** Whether branches get previews, unless an app sets its own value, and when previews are deleted. */
  previews: {
    on: boolean;
    /** After this long without a push and without a visitor, in ms; 0 = never. */
    idleMs: number;
  };
  /** Backups that are made by themselves; undefined = none. And how S3 is reached, where that is set. */
  backup: BackupPlan | undefined;
  s3: S3Access | undefined;
  /** Where metrics and logs are exported by OTLP; undefined = nowhere. */
  otlp: OtlpSettings | undefined;
  /** The mail server for alerts, and the sender; undefined = no mail. */
  mail: { url: string; from: string } | undefined;
  /** True if gallery pictures are screenshots, provided that Chromium is installed. */
  pictures: boolean;
  /** PATH and HOME for child processes. */
  path: string;
  home: string;
  /** Environment variables for package installs (indexes, proxies, certificates). Only builds get them. */
  buildEnv: Record<string, string>;
  logLevel: string;
}

/** All invalid settings, one per line. */
export class ConfigError extends Error {
  readonly mistakes: string[];
  constructor(mistakes: string[]) {
    super(mistakes.join('\n'));
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}

const BUILD_ENV =
  /^(PIP_|UV_|HTTPS?_PROXY$|https?_proxy$|ALL_PROXY$|all_proxy$|NO_PROXY$|no_proxy$|SSL_CERT_(FILE|DIR)$|REQUESTS_CA_BUNDLE$|CURL_CA_BUNDLE$|NETRC$|XDG_CONFIG_(HOME|DIRS)$)/;

/**
 * Reads the settings from the process environment.
 * @param defaults.port the port if no setting specifies one
 * @throws ConfigError that lists all invalid settings
 */
export function readConfig(env: NodeJS.ProcessEnv, cwd: string, defaults: { port?: number } = {}): Config {
  const mistakes: string[] = [];
  const read = (name: string): string | undefined => {
    const value = env[`STREAMLIT_HOST_${name}`]?.trim();
    return value === undefined || value === '' ? undefined : value;
  };
  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const text = read(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    mistakes.push(`STREAMLIT_HOST_${name} must be a whole number from ${min} to ${max} (found ${text}).`);
    return fallback;
  };

  /** A duration in a unit, converted to ms. */
  const span = (name: string, fallback: number, unit: { word: string; ms: number; max: number }): number => {
    const text = read(name);
    const value = text === undefined ? fallback : Number(text);
    if (value >= 0 && value <= unit.max) return value * unit.ms;
    mistakes.push(`STREAMLIT_HOST_${name} must be a number of ${unit.word}, 0 or more (found ${text ?? ''}).`);
    return fallback * unit.ms;
  };
  const minutes = (name: string, fallback: number): number =>
    span(name, fallback, { word: 'minutes', ms: 60_000, max: 525_600 });
  const days = (name: string, fallback: number): number =>
    span(name, fallback, { word: 'days', ms: 86_400_000, max: 3_650 });

  /** One of several words; the first one is the default. */
  const oneOf = <Word extends string>(name: string, words: readonly [Word, ...Word[]]): Word => {
    const text = read(name) ?? words[0];
    const found = words.find((word) => word === text);
    if (found === undefined) mistakes.push(`STREAMLIT_HOST_${name} must be ${words.join(' or ')} (found ${text}).`);
    return found ?? words[0];
  };

  /** Words separated by commas, each of a form. */
  const list = (name: string, form: RegExp | ((word: string) => boolean), what: string): string[] => {
    const words = (read(name) ?? '').split(',').flatMap((word) => (word.trim() === '' ? [] : word.trim()));
    const fits = form instanceof RegExp ? (word: string) => form.test(word) : form;
    const wrong = words.filter((word) => !fits(word));
    if (wrong.length > 0)
      mistakes.push(`Each entry of STREAMLIT_HOST_${name} must be ${what} (found ${wrong.join(', ')}).`);
    return words;
  };

  /** Words separated by colons, as in PATH. */
  const paths = (name: string, fits: (path: string) => boolean, what: string): string[] => {
    const all = (read(name) ?? '').split(':').filter((path) => path !== '');
    const wrong = all.filter((path) => !fits(path));
    if (wrong.length > 0)
      mistakes.push(`STREAMLIT_HOST_${name} must be ${what}, separated by colons (found ${wrong.join(':')}).`);
    return all;
  };

  const port = integer('PORT', defaults.port ?? 8080, 0, 65_535);
  const bind = read('BIND') ?? '127.0.0.1';
  const ports = { min: integer('PORT_MIN', 8501, 1, 65_535), max: integer('PORT_MAX', 8999, 1, 65_535) };
  if (ports.min > ports.max) {
    mistakes.push(`STREAMLIT_HOST_PORT_MIN (${ports.min}) must not be above STREAMLIT_HOST_PORT_MAX (${ports.max}).`);
  }
  const token = read('TOKEN');
  if (token !== undefined && !/^[\x21-\x7e]{16,256}$/.test(token)) {
    mistakes.push('STREAMLIT_HOST_TOKEN must be 16 to 256 printable characters without spaces.');
  }
  const metricsToken = read('METRICS_TOKEN');
  if (metricsToken !== undefined && metricsToken !== 'none' && !/^[\x21-\x7e]{16,256}$/.test(metricsToken)) {
    mistakes.push('STREAMLIT_HOST_METRICS_TOKEN must be "none" or 16 to 256 printable characters without spaces.');
  }
  const redisUrl = env.REDIS_URL?.trim() || undefined;
  if (redisUrl !== undefined && !/^(rediss?|unix):\/\//.test(redisUrl)) {
    mistakes.push('REDIS_URL must begin with redis://, rediss:// or unix://.');
  }
  const data = resolve(cwd, read('DATA') ?? 'data');
  const configJson = resolve(cwd, read('CONFIG') ?? 'config.json');
  const beside = (name: string, folder: string): string => {
    const path = read(name);
    return path === undefined ? join(dirname(configJson), folder) : resolve(cwd, path);
  };
  const publicBase = readPublicBase(read('PUBLIC_BASE'), bind, port, mistakes);
  if (metricsToken === 'none' && !(isLoopback(bind) && isLoopback(new URL(publicBase).hostname))) {
    mistakes.push(
      'STREAMLIT_HOST_METRICS_TOKEN can be "none" only where the server is reached on loopback alone. Set a token.',
    );
  }
  const appsOrigin = readAppsOrigin(read('APPS_PORT'), read('APPS_BASE'), { bind, port, publicBase }, mistakes);
  const { providers, mistakes: providerMistakes } = readProviders(read);
  mistakes.push(...providerMistakes);
  const trustedProxies = list(
    'TRUSTED_PROXIES',
    isProxyEntry,
    'an IP address or a network, such as 127.0.0.1 or 10.0.0.0/8',
  );
  const trusted = new TrustedProxies(trustedProxies.filter(isProxyEntry));
  const proxied = readProxyLogin(read, {
    any: trustedProxies.length > 0,
    local: ['127.0.0.1', '::1', ...ownAddresses()].some((address) => trusted.has(address)),
  });
  mistakes.push(...proxied.mistakes);
  const [s3, backupTo] = [s3Access(env), placeOf(read('BACKUP'), cwd)];
  if (backupTo?.startsWith('s3://') === true && (parsePlace(backupTo) === undefined || s3 === undefined))
    mistakes.push(
      'For STREAMLIT_HOST_BACKUP=s3://bucket/prefix, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set, and the bucket must be a valid name.',
    );
  const runtime = oneOf('RUNTIME', ['process', 'docker', 'swarm']);
  const config: Config = {
    port,
    bind,
    data,
    controller: { config: configJson, apps: beside('APPS', 'apps'), logs: beside('LOGS', 'logs') },
    localHost: localHostOf(bind),
    publicBase,
    appsOrigin,
    unsafeOrigin: appsOrigin === undefined && needsTwoOrigins(bind, publicBase),
    hosts: list('HOSTS', /^[^\s:/?#@[\]\\]+$/, 'a host name without scheme and port, such as apps.example.com'),
    appHeaders: list('APP_HEADERS', /^[\w-]+\*?$/, 'the name of a header, such as X-Sso-Email or X-Sso-*').map((name) =>
      name.toLowerCase(),
    ),
    trustedProxies,
    connections: {
      total: integer('CONNECTIONS', 10_000, 10, 1_000_000),
      perAddress: integer('CONNECTIONS_PER_ADDRESS', 1_000, 1, 1_000_000),
    },
    token,
    membersCreate: oneOf('MEMBERS_CREATE', ['on', 'off']) === 'on',
    secondFactor: oneOf('SECOND_FACTOR', ['optional', 'required']) === 'required',
    defaultAccess: oneOf('DEFAULT_ACCESS', ['public', 'signed-in', 'people']),
    providers,
    proxyLogin: proxied.login,
    ciIssuers: ciIssuers(
      list('CI_ISSUERS', isCiIssuer, 'a service and an https URL, such as gitlab=https://gitlab.example.com'),
    ),
    metricsToken: metricsToken === 'none' ? null : metricsToken,
    ports,
    redisUrl,
    deploys: integer('DEPLOYS', availableParallelism(), 1, 64),
    keptReleases: integer('KEEP_RELEASES', 10, 1, 1_000),
    systemPackages: oneOf('SYSTEM_PACKAGES', ['check', 'install']),
    runtime,
    docker: {
      socket: resolve(cwd, read('DOCKER_SOCKET') ?? '/var/run/docker.sock'),
      network: networkOf(read('DOCKER_NETWORK'), mistakes),
    },
    swarm: swarmSettings(read, runtime === 'swarm', mistakes),
    cage: oneOf('CAGE', ['auto', 'bubblewrap', 'landlock', 'none']),
    cageFolders: paths('CAGE_FOLDERS', isAbsolute, 'absolute paths'),
    // The data folder holds the server's secrets, whatever their permissions allow.
    cageReadOnly: paths(
      'CAGE_READ_ONLY',
      (path) => isPlainPath(path) && !isWithin(path, data) && !isWithin(data, path),
      'absolute paths without "..", and not in or around the data folder',
    ),
    cageDevices: paths('CAGE_DEVICES', isDevice, '"gpu" or paths below /dev'),
    diskFloor: {
      bytes: integer('DISK_FLOOR_MB', 500, 0, 1_048_576) * 1_000_000,
      files: integer('DISK_FLOOR_FILES', 5_000, 0, 1_000_000_000),
    },
    memoryLimitMb: integer('MEMORY_LIMIT_MB', 0, 0, 1_048_576),
    taskLimit: integer('PROCESS_LIMIT', usualTaskLimit(availableParallelism()), 0, 1_000_000),
    cpuLimit: span('CPU_LIMIT', 0, { word: 'cores', ms: 1, max: 1_024 }),
    optionLimits: {
      uploadMb: integer('UPLOAD_LIMIT_MB', 1_000, 1, 1_048_576),
      messageMb: integer('MESSAGE_LIMIT_MB', 1_000, 1, 1_048_576),
    },
    limits: {
      buildMs: minutes('BUILD_LIMIT_MINUTES', 30),
      startMs: integer('START_LIMIT_SECONDS', 120, 1, 3_600) * 1_000,
    },
    drain: {
      ttlMs: integer('SESSION_TTL_SECONDS', 120, 1, 86_400) * 1_000,
      limitMs: minutes('DRAIN_LIMIT_MINUTES', 60),
    },
    sleep: { afterMs: minutes('SLEEP_AFTER_MINUTES', 0), idlePageMs: minutes('IDLE_PAGE_MINUTES', 240) },
    previews: { on: oneOf('PREVIEWS', ['off', 'on']) === 'on', idleMs: days('PREVIEW_DAYS', 14) },
    backup:
      backupTo === undefined
        ? undefined
        : {
            to: backupTo,
            everyMs: integer('BACKUP_HOURS', 24, 1, 8_760) * 3_600_000,
            keep: integer('BACKUP_KEEP', 7, 1, 1_000),
            key: oneOf('BACKUP_KEY', ['off', 'on']) === 'on',
          },
    s3,
    otlp: otlpSettings(env, mistakes),
    mail: mailOf(read('SMTP_URL'), read('MAIL_FROM'), mistakes),
    prebuild: oneOf('PREBUILD', ['on', 'off']) === 'on',
    pictures: oneOf('PICTURES', ['auto', 'off']) === 'auto',
    path: env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    home: env.HOME !== undefined && isAbsolute(env.HOME) ? env.HOME : data,
    buildEnv: Object.fromEntries(
      Object.entries(env).filter(
        (entry): entry is [string, string] => entry[1] !== undefined && BUILD_ENV.test(entry[0]),
      ),
    ),
    logLevel: read('LOG_LEVEL') ?? 'info',
  };
  if (!/^(trace|debug|info|warn|error|fatal|silent)$/.test(config.logLevel)) {
    mistakes.push(
      `STREAMLIT_HOST_LOG_LEVEL must be trace, debug, info, warn, error, fatal or silent (found ${config.logLevel}).`,
    );
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return config;
}

/**
 * How many processes and threads an app may have unless the operator says so. Libraries start a thread for each core (NumPy,
 * PyArrow, PyTorch), and pools of processes start one for each core that each do so again; Streamlit needs a thread for each script
 * that runs, and about fifty for itself. An app that forks in a loop is ended in any case.
 */
export function usualTaskLimit(cores: number): number {
  return Math.min(4_096, Math.max(512, 128 * cores));
}

/** The addresses of this machine. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((of = []) => of.map(({ address }) => address));
}

/** The mail server and the sender, which need each other. */
function mailOf(url: string | undefined, from: string | undefined, mistakes: string[]): Config['mail'] {
  if (url === undefined && from === undefined) return undefined;
  // It may hold a password, so it is not quoted.
  if (url === undefined || !/^smtps?:$/.test(parseUrl(url)?.protocol ?? ''))
    mistakes.push('STREAMLIT_HOST_SMTP_URL must be a URL such as smtps://user:password@mail.example.com.');
  if (from === undefined || !/[^\s@<>]@[^\s@<>]/.test(from))
    mistakes.push('STREAMLIT_HOST_MAIL_FROM must be an email address, such as Apps <apps@example.com>.');
  return { url: url ?? '', from: from ?? '' };
}

/** The name of a network of Docker's; a container's network is never another container's. */
function networkOf(text: string | undefined, mistakes: string[]): string {
  if (text === undefined || /^[a-zA-Z0-9][\w.-]{0,62}$/.test(text)) return text ?? 'bridge';
  mistakes.push(
    `STREAMLIT_HOST_DOCKER_NETWORK must be the name of a Docker network, such as bridge or host (found ${text}).`,
  );
  return 'bridge';
}

/** A folder, made absolute, or a place in S3. */
function placeOf(text: string | undefined, cwd: string): string | undefined {
  return text === undefined || text.startsWith('s3://') ? text : resolve(cwd, text);
}

function localHostOf(bind: string): string {
  if (bind === '0.0.0.0' || bind === '::') return '127.0.0.1';
  return bind.includes(':') ? `[${bind}]` : bind;
}

function readPublicBase(text: string | undefined, bind: string, port: number, mistakes: string[]): string {
  if (text === undefined) {
    const host = bind === '0.0.0.0' || bind === '::' ? 'localhost' : bind.includes(':') ? `[${bind}]` : bind;
    return `http://${host}:${port}`;
  }
  return readBase('PUBLIC_BASE', text, mistakes) ?? 'http://localhost';
}

function readBase(name: string, text: string, mistakes: string[]): string | undefined {
  const url = parseUrl(text);
  if (url !== undefined) {
    const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
    if (plain && (url.protocol === 'http:' || url.protocol === 'https:')) {
      return url.href.replace(/\/+$/, '');
    }
  }
  // The part before an "@" may be a password.
  mistakes.push(
    `STREAMLIT_HOST_${name} must be a URL such as https://apps.example.com, without user name, query or fragment (found ${text.replace(/[^/]*@/g, '••••@')}).`,
  );
  return undefined;
}

/** The port and base URL of the apps' own origin; undefined if they share the console's. */
function readAppsOrigin(
  portText: string | undefined,
  baseText: string | undefined,
  { bind, port, publicBase }: Pick<Config, 'bind' | 'port' | 'publicBase'>,
  mistakes: string[],
): Config['appsOrigin'] {
  const base = baseText === undefined ? undefined : readBase('APPS_BASE', baseText, mistakes);
  if (portText === 'off' || portText === 'same') {
    if (base !== undefined)
      mistakes.push('STREAMLIT_HOST_APPS_BASE cannot be used when STREAMLIT_HOST_APPS_PORT is off.');
    return undefined;
  }
  if (portText === undefined && base === undefined && !needsTwoOrigins(bind, publicBase)) return undefined;
  const appsPort = portText === undefined ? (port === 0 ? 0 : port + 1) : Number(portText);
  if (!Number.isInteger(appsPort) || appsPort < 0 || appsPort > 65_535 || (appsPort === port && port !== 0)) {
    mistakes.push(
      `STREAMLIT_HOST_APPS_PORT must be off, or a whole number from 0 to 65535 other than STREAMLIT_HOST_PORT (found ${portText ?? appsPort}).`,
    );
    return undefined;
  }
  const [ours, theirs] = [new URL(publicBase), new URL(base ?? withPort(publicBase, appsPort))];
  if (
    base !== undefined &&
    (theirs.origin === ours.origin || theirs.pathname.replace(/\/+$/, '') !== ours.pathname.replace(/\/+$/, ''))
  ) {
    mistakes.push(
      `STREAMLIT_HOST_APPS_BASE must differ from STREAMLIT_HOST_PUBLIC_BASE only in its port or host (found ${base}).`,
    );
  }
  return { port: appsPort, base: theirs.href.replace(/\/+$/, '') };
}
