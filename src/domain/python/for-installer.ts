import { posix } from 'node:path';
import { pipLines, type PipLine } from './pip-lines.js';

/** What requirements ask of an installer beside their packages, all files together. */
export interface Wishes {
  prereleases: boolean;
  trustedHosts: string[];
  /** Folders of the project with packages, by their paths in it. */
  folders: string[];
  /** True where they name more than one index. */
  manyIndexes: boolean;
  /** The config vars that they name, such as `INDEX_TOKEN` in `https://${INDEX_TOKEN}@host/simple`. */
  variables: string[];
  /** What only pip can do of it; undefined where uv does all. */
  pip: string | undefined;
}

/** What asks for nothing beside its packages. */
export function noWishes(): Wishes {
  return { prereleases: false, trustedHosts: [], folders: [], manyIndexes: false, variables: [], pip: undefined };
}

/** Where a requirements file is read. */
export interface Place {
  /** Its path in the project. */
  path: string;
  /** The name under which the installer finds an included file. */
  nameOf: (target: string) => string;
  /** Whether a folder is in the project, by its path there. */
  hasFolder: (path: string) => boolean;
}

/**
 * Writes a requirements file in words that pip and uv understand alike, with every line at its number, and notes what uv
 * would pass over: it ignores `--pre`, `--trusted-host` and `--prefer-binary` in files, and refuses editables of git.
 * What is editable is installed as a copy, since an environment outlives the files that it is made from.
 */
export function forInstaller(text: string, place: Place, wishes: Wishes): string {
  const lines: string[] = [];
  for (const name of text.matchAll(/\$\{([A-Z0-9_]+)\}/g)) add(wishes.variables, name[1] ?? '');
  for (const line of pipLines(text)) {
    while (lines.length < line.number - 1) lines.push('');
    lines.push(...written(line, place, wishes));
  }
  // All at once: there may be a hundred thousand of them.
  wishes.trustedHosts = [...new Set(wishes.trustedHosts)];
  wishes.folders = [...new Set(wishes.folders)];
  wishes.variables = [...new Set(wishes.variables)];
  return lines.map((line) => `${line}\n`).join('');
}

function written(line: PipLine, place: Place, wishes: Wishes): string[] {
  const { requirement, options } = line;
  if (requirement !== '') {
    const vcs = /(?:^|[@\s])(hg|svn|bzr)\+/i.exec(requirement)?.[1];
    if (vcs !== undefined) wishes.pip ??= `${vcs}+`;
    const kept = options.filter(({ name }) => ['--hash', '--global-option', '--config-settings'].includes(name));
    for (const { name } of kept) if (name !== '--hash') wishes.pip ??= name;
    return [[requirement, ...kept.map(({ name, value }) => `${name}=${quoted(value)}`)].join(' ')];
  }
  const first = (name: string): string | undefined => options.find((one) => one.name === name)?.value;
  const editable = first('--editable');
  if (editable !== undefined) return [copied(editable, wishes)];
  for (const name of ['--requirement', '--constraint']) {
    const target = first(name);
    if (target !== undefined) return [`${name} ${place.nameOf(target)}`];
  }
  return options.flatMap(({ name, value }) => {
    switch (name) {
      case '--pre':
        wishes.prereleases = true;
        return [];
      case '--trusted-host':
        add(wishes.trustedHosts, value);
        return [];
      case '--extra-index-url':
        wishes.manyIndexes = true;
        return [`${name} ${value}`];
      case '--find-links':
        if (/^[a-z]+:\/\//i.test(value)) return [`${name} ${value}`];
        add(wishes.folders, folderOf(value, place));
        return [];
      // What is built last is built anyway only where there is no wheel.
      case '--prefer-binary':
      case '--use-feature':
      case '--hash':
        return [];
      default:
        return [value === '' ? name : `${name} ${value}`];
    }
  });
}

/** What is editable, as a requirement of its own: pip's "egg" is the name of what has none in its URL. */
function copied(place: string, wishes: Wishes): string {
  const vcs = /^(\w+)\+[\w+]+:\/\//.exec(place)?.[1];
  if (vcs === undefined) return /^([./~]|\w+:)/.test(place) ? place : `./${place}`;
  if (vcs.toLowerCase() !== 'git') wishes.pip ??= `${vcs}+`;
  const [url = '', fragment = ''] = place.split(/#(.*)/s, 2);
  const parts = fragment.split('&');
  const egg = parts.find((part) => part.startsWith('egg='))?.slice('egg='.length);
  const rest = parts.filter((part) => part !== '' && !part.startsWith('egg=')).join('&');
  const address = rest === '' ? url : `${url}#${rest}`;
  return egg === undefined || egg === '' ? address : `${egg} @ ${address}`;
}

/** pip looks for a folder beside the file first, then in the folder that it runs in. */
function folderOf(value: string, { path, hasFolder }: Place): string {
  const local = value.replace(/^file:(\/\/)?(?=[^/])/, '');
  if (posix.isAbsolute(local)) return local;
  const beside = posix.join(posix.dirname(path), local);
  return hasFolder(beside) || local.startsWith('..') ? beside : posix.normalize(local);
}

function quoted(value: string): string {
  return /[\s"'\\]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value;
}

function add(list: string[], value: string): void {
  if (value !== '') list.push(value);
}
