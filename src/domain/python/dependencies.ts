import { parse as parseToml, TomlError } from 'smol-toml';
import { Refusal } from '../../errors.js';
import { APP_FILE, DEPENDENCY_FILES, tomlReason } from '../project/app-file.js';
import { translateConda } from './conda.js';
import { translatePipfile, translatePipfileLock } from './pipfile.js';
import { translatePoetryLock } from './poetry-lock.js';
import { refuseOutside, refuseOutsideUv } from './outside.js';
import { indexesOfUv, namesDependencies, pythonOf, standardNames, translatePyproject } from './pyproject.js';
import { parsePythonWish, type PythonWish } from './python-version.js';
import { packageName, refuseOldStreamlit } from './requirements.js';
import { tableOf, tablesOf, textOf, textsOf, unsupported, type Translation } from './wanted.js';
import { readYaml } from './yaml.js';

/** The files at the top of a project. */
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
  /** Which Python it asks for. */
  python: PythonWish | undefined;
  /** What its author should know: which file was taken, why, and which were not. */
  notes: string[];
}

/** What becomes of files of the machine that a project names and that are not in it. */
export type Outside = 'refused' | 'allowed';

type DependencyFile = (typeof DEPENDENCY_FILES)[number];

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

/**
 * Chooses the file that names an app's dependencies, and reads it.
 * @param preferred the one that streamlit-host.toml names
 * @param outside whether it may name files of the machine that are not in the project
 * @throws Refusal `no-requirements`, `requirements-unreadable`, `requirements-unsupported`, `requirements-outside`,
 *   `streamlit-too-old`, `python-invalid`, `python-too-old`
 */
export function chooseDependencies(
  files: ProjectFiles,
  preferred?: string,
  outside: Outside = 'refused',
): Dependencies {
  const pyproject = files.has('pyproject.toml') ? parse('pyproject.toml', files.text('pyproject.toml')) : undefined;
  const named = pyproject !== undefined && namesDependencies(pyproject);
  const there = DEPENDENCY_FILES.filter((file) => files.has(file));
  const useless = new Map<string, string>();
  if (pyproject === undefined) useless.set('uv.lock', 'has no pyproject.toml beside it');
  if (!named)
    useless.set(
      'pyproject.toml',
      dynamic(pyproject) ? 'lists its dependencies only at build time' : 'lists no dependencies',
    );
  // The lock belongs to the list in pyproject.toml; by itself it is the last resort.
  const rank = (file: DependencyFile): number =>
    file === 'poetry.lock' && !named ? there.length : there.indexOf(file);
  const usable = there.filter((file) => !useless.has(file)).sort((a, b) => rank(a) - rank(b));
  const told = there.filter((file) => useless.has(file)).map((file) => `${file} ${useless.get(file)}`);
  if (preferred !== undefined && !there.some((file) => file === preferred)) {
    throw missing(
      `The dependency file ${preferred}, set in ${APP_FILE}, is not in the project root. Add it, or change the setting.`,
    );
  }
  const why = useless.get(preferred ?? '');
  if (why !== undefined)
    throw missing(`The dependency file ${preferred}, set in ${APP_FILE}, ${why}. Change the setting or the file.`);
  const file = preferred === undefined ? usable[0] : usable.find((one) => one === preferred);
  if (file === undefined) throw missing(nothing(told));

  const { lines, python, notes, format } = read(file, files, pyproject);
  const text = lines.map((line) => `${line}\n`).join('');
  if (outside === 'refused') refuseOutside(text, file);
  if (outside === 'refused' && format === 'uv') refuseOutsideUv(parse(file, files.text(file)), pyproject ?? {});
  refuseOldStreamlit(text, file);
  const wanted = python ?? (pyproject === undefined ? undefined : pythonOf(pyproject));
  const reason = REASONS[file];
  const ignored = there
    .filter((one) => one !== file && one !== reason.with)
    .map((one) => (useless.has(one) ? `${one} (${useless.get(one)})` : one));
  const chosen = preferred === undefined ? reason.why : `set in ${APP_FILE}`;
  const choice = ignored.length === 0 ? '' : ` (${chosen}); not used: ${ignored.join(', ')}`;
  return {
    file,
    format,
    text: format === 'requirements' ? files.text(file) : format === 'uv' ? text.replace(/^streamlit==.*\n/m, '') : text,
    python:
      wanted === undefined
        ? undefined
        : parsePythonWish(python === undefined ? 'pyproject.toml' : file, wanted.text, wanted.specifier),
    notes: [`Dependencies come from ${file}${choice}.`, ...notes],
  };
}

function read(
  file: DependencyFile,
  files: ProjectFiles,
  pyproject: Record<string, unknown> | undefined,
): Translation & { format: Dependencies['format'] } {
  const text = files.text(file);
  const companion = (other: DependencyFile): Record<string, unknown> | undefined =>
    files.has(other) ? parse(other, files.text(other)) : undefined;
  switch (file) {
    case 'requirements.txt':
      return { lines: [text], notes: [], format: 'requirements' };
    case 'uv.lock':
      return { ...readUvLock(parse(file, text), pyproject ?? {}), format: 'uv' };
    case 'poetry.lock':
      return { ...translatePoetryLock(parse(file, text), pyproject), format: 'lines' };
    case 'pyproject.toml':
      return { ...translatePyproject(pyproject ?? {}), format: 'lines' };
    case 'Pipfile.lock':
      return { ...translatePipfileLock(parse(file, text), companion('Pipfile')), format: 'lines' };
    case 'Pipfile':
      return { ...translatePipfile(parse(file, text)), format: 'lines' };
    default:
      return { ...translateConda(readYaml(file, text), file), format: 'lines' };
  }
}

/** uv writes the lines itself, from its lock; here it is only looked at whether it can. */
function readUvLock(lock: Record<string, unknown>, pyproject: Record<string, unknown>): Translation {
  const held = new Map(tablesOf(lock.package).map((one) => [packageName(textOf(one.name) ?? ''), textOf(one.version)]));
  const lacking = standardNames(pyproject).find((name) => !held.has(packageName(name)));
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
    return tableOf(file === 'Pipfile.lock' ? JSON.parse(plain) : parseToml(plain));
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

function nothing(told: readonly string[]): string {
  const others =
    told.length === 0
      ? 'No requirements.txt or other dependency file in the project root.'
      : `No requirements.txt in the project root, and ${told.join(', ')}.`;
  return `${others} Add a requirements.txt that lists the packages the app imports, such as streamlit.`;
}

function missing(sentence: string): Refusal {
  return new Refusal('invalid', 'no-requirements', sentence, { field: 'requirements.txt' });
}
