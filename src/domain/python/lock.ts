import { packageName, parseRequirements } from './requirements.js';
import { tableOf } from './wanted.js';

/** What an installed package says of itself. */
export interface InstalledPackage {
  name: string;
  version: string;
  /** Its direct_url.json; undefined where it came from an index (https://packaging.python.org/en/latest/specifications/direct-url/). */
  origin: unknown;
}

const NAME = /^[a-z0-9](?:[\w.-]*[a-z0-9])?$/i;
const VERSION = /^[\w.!+-]+$/;
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/**
 * Reads the name and the version in a package's METADATA, which the package has written; empty where they are missing
 * (https://packaging.python.org/en/latest/specifications/core-metadata/).
 */
export function parseMetadata(text: string): Pick<InstalledPackage, 'name' | 'version'> {
  const [head = ''] = text.split(/\r?\n\r?\n/, 1);
  // Line by line: a pattern that leaves out the spaces at the end tries each of a million in the middle.
  const lines = head.split(/\r?\n/);
  const field = (name: string): string =>
    lines
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim() ?? '';
  return { name: field('Name'), version: field('Version') };
}

/**
 * The lines of a requirements file that install the same packages again: exact versions from indexes, and the commits and files that
 * URLs led to, without credentials. The project's own packages are left out, as they come from its files.
 * What is installed was written by the packages, so nothing is taken over that could mean something else.
 */
export function lockLines(packages: readonly InstalledPackage[]): { pinned: string[]; direct: string[] } {
  const [pinned, direct]: [string[], string[]] = [[], []];
  for (const { name, version, origin } of [...packages].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!NAME.test(name) || !VERSION.test(version)) continue;
    const url = origin === undefined ? undefined : exactUrl(origin);
    if (origin === undefined) pinned.push(`${packageName(name)}==${version}`);
    else if (url !== undefined) direct.push(`${packageName(name)} @ ${url}`);
  }
  return { pinned, direct };
}

/** @returns undefined for files of the machine */
function exactUrl(origin: unknown): string | undefined {
  const { url, vcs_info: vcs, archive_info: archive, subdirectory } = tableOf(origin);
  if (typeof url !== 'string' || /[\s#]/.test(url) || !/^[a-z+]+:\/\//i.test(url)) return undefined;
  const plain = url.replace(/^(https?:\/\/)[^/@]*@/i, '$1');
  const { vcs: kind, commit_id: commit } = tableOf(vcs);
  const folder =
    typeof subdirectory === 'string' && /^[\w./-]+$/.test(subdirectory) ? `subdirectory=${subdirectory}` : '';
  if (typeof kind === 'string' && typeof commit === 'string') {
    if (!/^(git|hg|svn|bzr)$/.test(kind) || (kind === 'git' && !COMMIT.test(commit)) || !VERSION.test(commit))
      return undefined;
    return `${kind}+${plain}@${commit}${folder === '' ? '' : `#${folder}`}`;
  }
  if (/^file:/i.test(url)) return undefined;
  const digest = tableOf(tableOf(archive).hashes).sha256;
  const hash = typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) ? `sha256=${digest}` : '';
  const fragment = [hash, folder].filter((part) => part !== '').join('&');
  return `${plain}${fragment === '' ? '' : `#${fragment}`}`;
}

/** What of requirements files stays where a lock takes the place of their packages. */
export interface Kept {
  /** Their options that say where packages come from, a line each. */
  indexes: string;
  /** What comes from the project itself, a line each. */
  own: string;
  /** The user names and passwords that they have for URLs, often as variables. */
  users: ReadonlyMap<string, string>;
}

/** @param texts what an installer would read otherwise. They were pushed, so it is to be called in a thread. */
export function keptOf(texts: Iterable<string>): Kept {
  const all = [...texts];
  const lines = all.flatMap(parseRequirements);
  const listed = (found: typeof lines): string => found.map(({ text }) => `${text}\n`).join('');
  return {
    indexes: listed(
      lines.filter(({ kind, text }) => kind === 'option' && text.startsWith('--') && text !== '--require-hashes'),
    ),
    own: listed(lines.filter(({ kind }) => kind === 'local')),
    users: usersIn(all),
  };
}

/** The text of a requirements file that installs a lock instead of what an app's files ask for. */
export function lockedRequirements({ indexes, own, users }: Kept, lock: string): string {
  return `${indexes}${own}${withCredentials(lock, users)}`;
}

function usersIn(texts: readonly string[]): Map<string, string> {
  const users = new Map<string, string>();
  for (const text of texts) {
    for (const [, scheme = '', user = '', rest = ''] of text.matchAll(/((?:git\+)?https?:\/\/)([^\s/@]+)@([^\s#]+)/gi))
      users.set(`${scheme}${rest.replace(/@[^/]*$/, '')}`.toLowerCase(), user);
  }
  return users;
}

/** Gives the URLs of a lock the user names and passwords that the app's files name for them. */
function withCredentials(lock: string, users: ReadonlyMap<string, string>): string {
  if (users.size === 0) return lock;
  return lock.replace(/( @ (?:git\+)?https?:\/\/)([^\s#@]+)/gi, (whole, start: string, rest: string) => {
    const user = users.get(`${start.slice(' @ '.length)}${rest}`.toLowerCase());
    return user === undefined ? whole : `${start}${user}@${rest}`;
  });
}
