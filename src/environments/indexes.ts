import { readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasCode } from '../errors.js';
import { parseUrl } from '../lib/parse-url.js';

/** Variables of the surroundings, or for a command. */
export type Variables = Readonly<Record<string, string>>;

/** What pip is told, by the names of its options (`index-url`, `cert` …), whether by file or by variable. */
export type PipSettings = Readonly<Record<string, string>>;

/** How uv is told the same. */
export interface UvSettings {
  env: Record<string, string>;
  /** Options for which uv knows no variable. */
  options: string[];
}

/**
 * What uv must be told so that it finds packages where pip would: companies set their mirrors and certificates for pip.
 * What is already said to uv wins (https://docs.astral.sh/uv/reference/environment/).
 * @param exists tells whether a local folder is there: pip passes over one that is not, and uv stops
 */
export function uvSettings(
  env: Variables,
  pip: PipSettings,
  exists: (folder: string) => boolean = () => true,
): UvSettings {
  const said: Record<string, string> = {
    // The first is for uv of today, the second for older ones; both together make neither complain.
    UV_SYSTEM_CERTS: 'true',
    UV_NATIVE_TLS: 'true',
  };
  const say = (variable: string, value: string | undefined, ...unless: string[]): void => {
    if (value !== undefined && value !== '' && [variable, ...unless].every((name) => env[name] === undefined))
      said[variable] = value;
  };
  const list = (option: string): string[] => pip[option]?.split(/\s+/).filter((word) => word !== '') ?? [];

  const noIndex = isTrue(pip['no-index']);
  if (!noIndex) {
    say('UV_DEFAULT_INDEX', pip['index-url'], 'UV_INDEX_URL');
    say('UV_INDEX', list('extra-index-url').map(withoutSpaces).join(' '), 'UV_EXTRA_INDEX_URL');
    // pip takes the best version of all indexes; uv by itself only looks at the first index that has the package.
    if (said.UV_INDEX !== undefined) say('UV_INDEX_STRATEGY', 'unsafe-best-match');
  }
  const folders = list('find-links').filter((place) => isRemote(place) || exists(localPath(place)));
  say('UV_FIND_LINKS', folders.join(','));
  say('UV_INSECURE_HOST', list('trusted-host').join(' '));
  say('UV_CONSTRAINT', list('constraint').join(' '));
  say('UV_KEYRING_PROVIDER', pip['keyring-provider'] === 'subprocess' ? 'subprocess' : undefined);
  say('UV_HTTP_TIMEOUT', seconds(pip.timeout ?? pip['default-timeout']));
  say('SSL_CERT_FILE', pip.cert);
  say('SSL_CLIENT_CERT', pip['client-cert']);
  say('HTTPS_PROXY', pip.proxy, 'https_proxy', 'ALL_PROXY', 'all_proxy');
  say('HTTP_PROXY', pip.proxy, 'http_proxy', 'ALL_PROXY', 'all_proxy');
  return { env: said, options: noIndex ? ['--no-index'] : [] };
}

/**
 * The settings of pip.conf's text: those for every command, then those for `install`
 * (https://pip.pypa.io/en/stable/topics/configuration/).
 */
export function parsePipConf(text: string): PipSettings {
  const sections: Record<string, Record<string, string>> = {};
  let section = '';
  let option: string | undefined;
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const heading = /^\[([^\]]+)\]/.exec(line)?.[1];
    const pair = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*?)\s*$/.exec(line);
    const values = (sections[section] ??= {});
    if (heading !== undefined) {
      section = heading.trim();
      option = undefined;
    } else if (/^\s/.test(line)) {
      // A value goes on in the lines that are indented.
      if (option !== undefined) values[option] = `${values[option] ?? ''}\n${line.trim()}`.trim();
    } else if (pair?.[1] !== undefined) {
      option = optionName(pair[1]);
      values[option] = pair[2] ?? '';
    }
  }
  return { ...sections.global, ...sections.install };
}

/** What the PIP_* variables say. */
export function pipVariables(env: Variables): PipSettings {
  const pairs = Object.entries(env).filter(
    ([name, value]) => name.startsWith('PIP_') && name !== 'PIP_CONFIG_FILE' && value !== '',
  );
  return Object.fromEntries(pairs.map(([name, value]) => [optionName(name.slice('PIP_'.length)), value]));
}

/** The configuration files of pip that these surroundings name, the weaker ones first. */
export function pipFiles(env: Variables): string[] {
  const chosen = env.PIP_CONFIG_FILE;
  // pip's own way to say "no files at all".
  if (chosen === '/dev/null') return [];
  const home = env.HOME;
  const shared = (env.XDG_CONFIG_DIRS ?? '/etc/xdg')
    .split(':')
    .filter((folder) => isAbsolute(folder))
    .reverse();
  const own = env.XDG_CONFIG_HOME ?? (home === undefined ? undefined : join(home, '.config'));
  return [
    ...shared.map((folder) => join(folder, 'pip', 'pip.conf')),
    '/etc/pip.conf',
    ...(home === undefined ? [] : [join(home, '.pip', 'pip.conf')]),
    ...(own === undefined ? [] : [join(own, 'pip', 'pip.conf')]),
    ...(chosen === undefined || chosen === '' ? [] : [chosen]),
  ];
}

/** Copies a person's own settings for pip, for an install that does not see that person's home. */
export async function copyPipFiles(env: Variables, home: string): Promise<void> {
  const own = env.XDG_CONFIG_HOME ?? join(env.HOME ?? '/nonexistent', '.config');
  const old = join(env.HOME ?? '/nonexistent', '.pip');
  for (const [folder, copy] of [
    [join(own, 'pip'), '.config/pip/pip.conf'],
    [old, '.pip/pip.conf'],
  ] as const) {
    const file = join(folder, 'pip.conf');
    const text = await readIfThere(file);
    if (text === undefined) continue;
    await ensureFolder(dirname(join(home, copy)));
    await writeFile(join(home, copy), text);
  }
}

/**
 * What uv must be told in these surroundings, with pip's files read. uv's own files are named to it, so that neither
 * the app nor a folder above it can bring others in.
 */
export async function readUvSettings(env: Variables): Promise<UvSettings> {
  const files = await Promise.all(pipFiles(env).map(readIfThere));
  const pip = Object.assign(
    {},
    ...files.map((text) => (text === undefined ? {} : parsePipConf(text))),
    pipVariables(env),
  ) as PipSettings;
  const local =
    pip['find-links']
      ?.split(/\s+/)
      .filter((place) => place !== '' && !isRemote(place))
      .map(localPath) ?? [];
  const there = new Set<string>();
  for (const folder of local) if (await isThere(folder)) there.add(folder);
  const settings = uvSettings(env, pip, (folder) => there.has(folder));
  if (env.UV_CONFIG_FILE === undefined && env.UV_NO_CONFIG === undefined) {
    const own = env.XDG_CONFIG_HOME ?? (env.HOME === undefined ? undefined : join(env.HOME, '.config'));
    const config = [...(own === undefined ? [] : [join(own, 'uv', 'uv.toml')]), '/etc/uv/uv.toml'];
    const found = (await Promise.all(config.map(async (file) => ((await isThere(file)) ? file : undefined)))).find(
      (file) => file !== undefined,
    );
    if (found === undefined) settings.env.UV_NO_CONFIG = '1';
    else settings.env.UV_CONFIG_FILE = found;
  }
  return settings;
}

function optionName(name: string): string {
  return name.trim().toLowerCase().replace(/_/g, '-').replace(/^--/, '');
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(1|true|yes|on|y|t)$/i.test(value.trim());
}

/** Whole seconds, as uv wants them. */
function seconds(value: string | undefined): string | undefined {
  const number = Number(value);
  return value !== undefined && Number.isFinite(number) && number > 0 ? String(Math.ceil(number)) : undefined;
}

function withoutSpaces(url: string): string {
  return url.replace(/\s/g, '%20');
}

function isRemote(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place) && !/^file:/i.test(place);
}

function localPath(place: string): string {
  if (!/^file:/i.test(place)) return place;
  const url = parseUrl(place);
  return url === undefined ? place : decodeURIComponent(url.pathname);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    // pip, too, passes over a file that is not there or not for it.
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR'].some((code) => hasCode(error, code))) return undefined;
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
