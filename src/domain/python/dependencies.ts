import { parse as parseToml, TomlError } from 'smol-toml';
import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import { tomlReason } from '../project/app-file.js';
import { below, DEPENDENCY_FILES, folderOf, listOf, type DependencyFile } from '../project/layout.js';
import { translateConda } from './conda.js';
import { translatePipfile, translatePipfileLock } from './pipfile.js';
import { translatePoetryLock } from './poetry-lock.js';
import { refuseOutside, refuseOutsideUv } from './outside.js';
import { indexesOfUv, namesDependencies, pythonOf, standardNames, translatePyproject } from './pyproject.js';
import { parsePythonWish, type PythonWish } from './python-version.js';
import { packageName, refuseOldStreamlit } from './requirements.js';
import { scriptBlock } from './script-block.js';
import { tableOf, tablesOf, textOf, textsOf, unsupported, type Translation } from './wanted.js';
import { memberOf, type Member } from './workspace.js';
import { readYaml } from './yaml.js';

/** The files of a folder of a project. */
export interface ProjectFiles {
  has: (file: string) => boolean;
  /** @throws Refusal `requirements-unreadable` */
  text: (file: string) => string;
}

/** What an app needs, and which of its files says so. */
export interface Dependencies {
  file: string;
  /** How that file is read: by pip and uv as it is, from the lines that it was translated to, or by uv alone. */
  format: 'requirements' | 'lines' | 'uv';
  /** Lines of requirements; for `uv` only those that uv does not write itself. */
  text: string;
  /** For `uv`, whose packages of the lock are meant: those of its own project unless told. */
  member?: Member | undefined;
  /** Which Python it asks for. */
  python: PythonWish | undefined;
  /** What its author should know: which file was taken, why, and which were not. */
  notes: string[];
}

/** What becomes of files of the machine that a project names and that are not in it. */
export type Outside = 'refused' | 'allowed';

/** Why a file is taken before the others, and which ones belong to it. */
const REASONS: Record<DependencyFile, { why: string; with?: DependencyFile }> = {
  'uv.lock': { why: 'it pins every version', with: 'pyproject.toml' },
  'poetry.lock': { why: 'it pins every version', with: 'pyproject.toml' },
  'pyproject.toml': { why: "it is the project's own list" },
  'requirements.txt': { why: "it is pip's own list" },
  'Pipfile.lock': { why: 'it pins every version', with: 'Pipfile' },
  Pipfile: { why: "it is pipenv's list" },
  'environment.yml': { why: 'it is the only list' },
  'environment.yaml': { why: 'it is the only list' },
};

/** A dependency file that was named, and where it was. */
export interface NamedList {
  /** Its path in the project. */
  file: string;
  /** For the end of a sentence. */
  where: string;
}

/** One folder of a project, and which of its files name dependencies. */
interface Place {
  folder: string;
  pyproject: Record<string, unknown> | undefined;
  /** Those that are there. */
  there: DependencyFile[];
  /** Those of them that name something, the first to be taken first. */
  usable: DependencyFile[];
  /** Why the others are of no use. */
  useless: ReadonlyMap<string, string>;
}

/**
 * Chooses the file that names an app's dependencies, and reads it.
 * @param preferred the one that a person named
 * @param outside whether it may name files of the machine that are not in the project
 * @param folders where it is looked for, one after the other; the project root unless told
 * @param main the main file, whose own list is the last resort; undefined where it cannot be read
 * @throws Refusal `no-requirements`, `requirements-unreadable`, `requirements-unsupported`, `requirements-outside`,
 *   `streamlit-too-old`, `python-invalid`, `python-too-old`
 */
export function chooseDependencies(
  files: ProjectFiles,
  preferred?: NamedList,
  outside: Outside = 'refused',
  folders: readonly string[] = [''],
  main?: string,
): Dependencies {
  const member = workspaceMember(files, folders[0] ?? '');
  if (preferred !== undefined) return chooseNamed(files, preferred, outside, member);
  const told: string[] = [];
  for (const folder of new Set(folders)) {
    const place = lookAt(files, folder);
    const [file] = place.usable;
    // A member has no lock of its own.
    const isShared = folder === '' ? file === 'uv.lock' : file === undefined || file === 'pyproject.toml';
    if (member !== undefined && isShared)
      return readFrom(files, lookAt(files, ''), { kind: 'uv.lock', path: 'uv.lock', member }, outside);
    if (file !== undefined) return readFrom(files, place, { kind: file, path: below(folder, file) }, outside);
    told.push(...place.there.map((one) => `${below(folder, one)} ${place.useless.get(one)}`));
  }
  const block = main === undefined ? undefined : scriptBlock(files.text(main));
  if (main !== undefined && block !== undefined) return readScript(main, block, outside);
  throw missing(nothing(told, folders));
}

/** A script's own list says what a pyproject.toml does, without the table around it. */
function readScript(path: string, block: string, outside: Outside): Dependencies {
  const { tool, ...project } = parse(path, block);
  const { lines, python, notes } = translatePyproject({ project, tool });
  const text = lines.map((line) => `${line}\n`).join('');
  if (outside === 'refused') refuseOutside(text, path);
  refuseOldStreamlit(text, path);
  return {
    file: path,
    format: 'lines',
    text,
    python: python && parsePythonWish(path, python.text, python.specifier),
    notes: [`Dependencies: the script block in ${path}`, ...notes],
  };
}

/** The member of the workspace at the top of a project that a folder belongs to. */
function workspaceMember(files: ProjectFiles, folder: string): Member | undefined {
  if (folder === '' || !files.has('uv.lock') || !files.has('pyproject.toml')) return undefined;
  return memberOf(parse('uv.lock', files.text('uv.lock')), folder);
}

function chooseNamed(
  files: ProjectFiles,
  { file: path, where }: NamedList,
  outside: Outside,
  member: Member | undefined,
): Dependencies {
  const kind = listOf(path);
  if (kind === undefined || !files.has(path)) {
    const sentence = `The dependency file ${printable(path)}, set in ${where}, is not in the project. Add it, or change the setting.`;
    throw missing(sentence);
  }
  const place = lookAt(files, folderOf(path));
  const why = path === below(place.folder, kind) ? place.useless.get(kind) : undefined;
  if (why !== undefined)
    throw missing(`The dependency file ${printable(path)}, set in ${where}, ${why}. Change the setting or the file.`);
  return readFrom(files, place, { kind, path, where, ...(path === 'uv.lock' && { member }) }, outside);
}

function lookAt(files: ProjectFiles, folder: string): Place {
  const list = below(folder, 'pyproject.toml');
  const pyproject = files.has(list) ? parse('pyproject.toml', files.text(list)) : undefined;
  const named = pyproject !== undefined && namesDependencies(pyproject);
  const there = DEPENDENCY_FILES.filter((file) => files.has(below(folder, file)));
  const useless = new Map<string, string>();
  if (pyproject === undefined) useless.set('uv.lock', 'has no pyproject.toml next to it');
  if (!named)
    useless.set(
      'pyproject.toml',
      dynamic(pyproject) ? 'lists its dependencies only at build time' : 'lists no dependencies',
    );
  // The lock belongs to the list in pyproject.toml; by itself it is the last resort.
  const rank = (file: DependencyFile): number =>
    file === 'poetry.lock' && !named ? there.length : there.indexOf(file);
  const usable = there.filter((file) => !useless.has(file)).sort((a, b) => rank(a) - rank(b));
  return { folder, pyproject, there, usable, useless };
}

function readFrom(
  files: ProjectFiles,
  { folder, pyproject, there, useless }: Place,
  { kind, path, where, member }: { kind: DependencyFile; path: string; where?: string; member?: Member | undefined },
  outside: Outside,
): Dependencies {
  const { lines, python, notes, format } = read({ kind, path, folder, member }, files, pyproject);
  const text = lines.map((line) => `${line}\n`).join('');
  if (outside === 'refused') refuseOutside(text, path);
  if (outside === 'refused' && format === 'uv') refuseOutsideUv(parse(path, files.text(path)), pyproject ?? {});
  refuseOldStreamlit(text, path);
  const wanted = python ?? (pyproject === undefined ? undefined : pythonOf(pyproject));
  const reason = REASONS[kind];
  const ignored = there
    .filter((one) => below(folder, one) !== path && one !== reason.with)
    .map((one) => (useless.has(one) ? `${one} (${useless.get(one)})` : one));
  const of = member === undefined ? '' : `, for ${printable(member.name)} in ${printable(member.folder)}`;
  const chosen = where === undefined ? reason.why : `set in ${where}`;
  const choice = ignored.length === 0 ? '' : ` (${chosen}); not used: ${ignored.join(', ')}`;
  return {
    file: path,
    format,
    text: format === 'requirements' ? files.text(path) : format === 'uv' ? text.replace(/^streamlit==.*\n/m, '') : text,
    python:
      wanted === undefined
        ? undefined
        : parsePythonWish(python === undefined ? below(folder, 'pyproject.toml') : path, wanted.text, wanted.specifier),
    notes: [`Dependencies: ${path}${of}${choice}`, ...notes],
    ...(member && { member }),
  };
}

function read(
  { kind, path, folder, member }: { kind: DependencyFile; path: string; folder: string; member?: Member | undefined },
  files: ProjectFiles,
  pyproject: Record<string, unknown> | undefined,
): Translation & { format: Dependencies['format'] } {
  const text = files.text(path);
  const companion = (name: DependencyFile): Record<string, unknown> | undefined => {
    const other = below(folder, name);
    return files.has(other) ? parse(other, files.text(other)) : undefined;
  };
  // A member's own list is read where the main file is beside it.
  const projectOf = (one: Member | undefined): Record<string, unknown> | undefined => {
    const list = below(one?.folder ?? '', 'pyproject.toml');
    return one === undefined ? pyproject : files.has(list) ? parse('pyproject.toml', files.text(list)) : undefined;
  };
  switch (kind) {
    case 'requirements.txt':
      return { lines: [text], notes: [], format: 'requirements' };
    case 'uv.lock':
      return { ...readUvLock(parse(path, text), pyproject ?? {}, projectOf(member) ?? {}), format: 'uv' };
    case 'poetry.lock':
      return { ...translatePoetryLock(parse(path, text), pyproject), format: 'lines' };
    case 'pyproject.toml':
      return { ...translatePyproject(pyproject ?? {}), format: 'lines' };
    case 'Pipfile.lock':
      return { ...translatePipfileLock(parse(path, text), companion('Pipfile')), format: 'lines' };
    case 'Pipfile':
      return { ...translatePipfile(parse(path, text)), format: 'lines' };
    default:
      return { ...translateConda(readYaml(path, text), path), format: 'lines' };
  }
}

/**
 * uv writes the lines itself, from its lock; here it is only looked at whether it can.
 * @param pyproject that of the lock, with the indexes
 * @param project that of the project whose packages are meant
 */
function readUvLock(
  lock: Record<string, unknown>,
  pyproject: Record<string, unknown>,
  project: Record<string, unknown>,
): Translation {
  const held = new Map(tablesOf(lock.package).map((one) => [packageName(textOf(one.name) ?? ''), textOf(one.version)]));
  const lacking = standardNames(project).find((name) => !held.has(packageName(name)));
  if (lacking !== undefined) {
    throw unsupported('uv.lock', `it lacks ${lacking}, which pyproject.toml requires. Run "uv lock" and push it again`);
  }
  const streamlit = held.get('streamlit');
  return {
    lines: [
      ...indexesOfUv(pyproject).map((url) => `--extra-index-url ${url}`),
      ...(streamlit === undefined ? [] : [`streamlit==${streamlit}`]),
    ],
    notes: [],
  };
}

function parse(file: string, text: string): Record<string, unknown> {
  const plain = text.replace(/^\uFEFF/, '');
  try {
    return tableOf(file.endsWith('Pipfile.lock') ? JSON.parse(plain) : parseToml(plain));
  } catch (error) {
    const reason = error instanceof TomlError ? `line ${error.line}: ${tomlReason(error)}` : 'invalid JSON';
    throw new Refusal('invalid', 'requirements-unreadable', `Cannot read ${file}: ${reason}.`, {
      field: file,
      cause: error,
    });
  }
}

function dynamic(pyproject: Record<string, unknown> | undefined): boolean {
  return textsOf(tableOf(pyproject?.project).dynamic).includes('dependencies');
}

function nothing(told: readonly string[], folders: readonly string[]): string {
  const places = [...new Set(folders)].map((folder) => (folder === '' ? 'the project root' : printable(`${folder}/`)));
  const where = places.join(' or ');
  const others =
    told.length === 0
      ? `No requirements.txt or other dependency file in ${where}.`
      : `No requirements.txt in ${where}, and ${told.map(printable).join(', ')}.`;
  return `${others} Add a requirements.txt that lists the packages the app imports, such as streamlit.`;
}

function missing(sentence: string): Refusal {
  return new Refusal('invalid', 'no-requirements', sentence, { field: 'requirements.txt' });
}
