import { printable } from '../app/app.js';
import { fromPoetry } from './specifier.js';
import { packageName } from './requirements.js';
import {
  requirementLine,
  tableOf,
  tablesOf,
  textOf,
  textsOf,
  unsupported,
  type Translation,
  type Wanted,
} from './wanted.js';

const FILE = 'pyproject.toml';

/** True where a pyproject.toml says what the project depends on; many only hold the settings of tools. */
export function namesDependencies(pyproject: Record<string, unknown>): boolean {
  return (
    standardDependencies(pyproject).length > 0 ||
    Object.keys(poetryDependencies(pyproject)).some((name) => name !== 'python')
  );
}

/** What a pyproject.toml says of Python itself. */
export function pythonOf(pyproject: Record<string, unknown>): Translation['python'] {
  const standard = textOf(tableOf(pyproject.project)['requires-python']);
  if (standard !== undefined) return { text: standard, specifier: standard };
  const text = textOf(poetryDependencies(pyproject).python);
  const specifier = text === undefined ? undefined : fromPoetry(text);
  return text === undefined || specifier === undefined ? undefined : { text, specifier };
}

/** The dependencies of `[project]`, as they stand there. */
export function standardDependencies(pyproject: Record<string, unknown>): string[] {
  return textsOf(tableOf(pyproject.project).dependencies);
}

/** The names of those. */
export function standardNames(pyproject: Record<string, unknown>): string[] {
  return standardDependencies(pyproject).flatMap((text) => /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(text)?.[1] ?? []);
}

/** The addresses of the indexes that a project brings along for uv (https://docs.astral.sh/uv/concepts/indexes/). */
export function indexesOfUv(pyproject: Record<string, unknown>): string[] {
  return tablesOf(tableOf(tableOf(pyproject.tool).uv).index).flatMap(({ url }) =>
    typeof url === 'string' && !/\s/.test(url) ? url : [],
  );
}

/** `[tool.poetry.dependencies]`. */
export function poetryDependencies(pyproject: Record<string, unknown>): Record<string, unknown> {
  return tableOf(tableOf(tableOf(pyproject.tool).poetry).dependencies);
}

/**
 * A pyproject.toml as lines of a requirements file: `[project]` with uv's sources, else Poetry's own table
 * (https://packaging.python.org/en/latest/specifications/pyproject-toml/).
 * @throws Refusal `requirements-unsupported`
 */
export function translatePyproject(pyproject: Record<string, unknown>): Translation {
  const standard = standardDependencies(pyproject);
  const lines = standard.length > 0 ? fromStandard(pyproject, standard) : fromPoetryTable(pyproject);
  const groups = Object.keys({
    ...tableOf(tableOf(pyproject.project)['optional-dependencies']),
    ...tableOf(pyproject['dependency-groups']),
    ...tableOf(tableOf(tableOf(pyproject.tool).poetry).group),
  });
  const notes =
    groups.length === 0
      ? []
      : [`Only the main dependencies in ${FILE} are installed, not the groups ${groups.join(', ')}.`];
  return { lines, python: pythonOf(pyproject), notes };
}

/**
 * One entry of a table of Poetry: a version, or a table.
 * @returns undefined for one that is optional
 */
export function poetryWanted(file: string, name: string, value: unknown): Wanted | undefined {
  const entry = typeof value === 'string' ? { version: value } : tableOf(value);
  if (entry.optional === true) return undefined;
  const version = textOf(entry.version);
  const specifier = version === undefined ? '' : fromPoetry(version);
  if (specifier === undefined)
    throw unsupported(file, `pip does not support "${printable(version ?? '')}", the version of ${name}`);
  const python = textOf(entry.python);
  const platform = textOf(entry.platform);
  return {
    extras: textsOf(entry.extras),
    specifier,
    url: textOf(entry.url),
    git: textOf(entry.git),
    ref: textOf(entry.rev) ?? textOf(entry.tag) ?? textOf(entry.branch),
    subdirectory: textOf(entry.subdirectory),
    path: textOf(entry.path),
    markers: [
      textOf(entry.markers),
      python === undefined ? undefined : pythonMarker(file, name, python),
      platform === undefined ? undefined : `sys_platform == "${platform}"`,
    ],
  };
}

function fromPoetryTable(pyproject: Record<string, unknown>): string[] {
  const sources = new Map(
    tablesOf(tableOf(tableOf(pyproject.tool).poetry).source).map((source) => [textOf(source.name), textOf(source.url)]),
  );
  const indexes = new Set<string>();
  const lines = Object.entries(poetryDependencies(pyproject)).flatMap(([name, value]) => {
    if (name === 'python') return [];
    return (Array.isArray(value) ? value : [value]).flatMap((one: unknown) => {
      const wanted = poetryWanted(FILE, name, one);
      const source = textOf(tableOf(one).source);
      if (wanted === undefined) return [];
      if (source !== undefined && source.toLowerCase() !== 'pypi')
        indexes.add(addressOf(source, sources.get(source), name));
      return [requirementLine(FILE, name, wanted)];
    });
  });
  return [...[...indexes].map((url) => `--extra-index-url ${url}`), ...lines];
}

/** The dependencies of `[project]`; where uv has a source for one, it comes from there (https://docs.astral.sh/uv/concepts/projects/dependencies/). */
function fromStandard(pyproject: Record<string, unknown>, dependencies: readonly string[]): string[] {
  const uv = tableOf(tableOf(pyproject.tool).uv);
  const sources = new Map(Object.entries(tableOf(uv.sources)).map(([name, value]) => [packageName(name), value]));
  const named = new Map(tablesOf(uv.index).map((index) => [textOf(index.name), textOf(index.url)]));
  const indexes = new Set(
    tablesOf(uv.index).flatMap((index) => (index.explicit === true ? [] : (textOf(index.url) ?? []))),
  );
  const lines = dependencies.map((text) => {
    const [, name, extras, specifier, marker] =
      /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?([^;]*)(?:;(.*))?$/s.exec(text) ?? [];
    if (name === undefined) throw unsupported(FILE, `"${printable(text)}" is not a valid requirement`);
    const conditions = specifier?.trim() ?? '';
    const source = sources.get(packageName(name));
    const entry = tableOf(source);
    const index = textOf(entry.index);
    const wanted: Wanted = {
      extras: extras?.split(',').map((extra) => extra.trim()),
      specifier: conditions.startsWith('@') ? ` ${conditions}` : conditions,
      markers: [marker?.trim()],
    };
    if (source === undefined) return requirementLine(FILE, name, wanted);
    if (index !== undefined) {
      indexes.add(addressOf(index, named.get(index), name));
      return requirementLine(FILE, name, wanted);
    }
    const place = { url: textOf(entry.url), git: textOf(entry.git), path: textOf(entry.path) };
    if (Array.isArray(source) || entry.marker !== undefined || Object.values(place).every((one) => one === undefined)) {
      throw unsupported(
        FILE,
        `the source of ${name} in [tool.uv.sources] needs a uv.lock. Run "uv lock" and push it too`,
      );
    }
    const ref = textOf(entry.rev) ?? textOf(entry.tag) ?? textOf(entry.branch);
    return requirementLine(FILE, name, { ...wanted, ...place, ref, subdirectory: textOf(entry.subdirectory) });
  });
  return [...[...indexes].map((url) => `--extra-index-url ${url}`), ...lines];
}

function addressOf(index: string, url: string | undefined, name: string): string {
  if (url === undefined || /\s/.test(url))
    throw unsupported(FILE, `${name} comes from the index "${index}", which has no URL in the file`);
  return url;
}

function pythonMarker(file: string, name: string, python: string): string | undefined {
  const specifier = fromPoetry(python);
  if (specifier === undefined)
    throw unsupported(file, `pip does not support "${printable(python)}", the Python version of ${name}`);
  const parts = specifier.split(',').filter((part) => part !== '');
  return parts
    .map((part) => {
      const [, operator = '', version = ''] = /^([<>=!~]+)(.*)$/.exec(part) ?? [];
      return `${version.replace('.*', '').split('.').length > 2 ? 'python_full_version' : 'python_version'} ${operator} "${version}"`;
    })
    .join(' and ');
}
