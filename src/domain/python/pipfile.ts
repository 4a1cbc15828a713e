import { packageName } from './requirements.js';
import { requirementLine, tableOf, tablesOf, textOf, textsOf, unsupported, type Translation } from './wanted.js';

/** What pipenv calls the index that everybody asks anyway; the operator's settings say where that is. */
const USUAL = 'pypi';

/** Conditions that a Pipfile may write as keys of their own (https://pipenv.pypa.io/en/latest/specifiers.html). */
const MARKERS = [
  'os_name',
  'sys_platform',
  'platform_machine',
  'platform_system',
  'platform_version',
  'python_version',
  'python_full_version',
  'implementation_name',
];

/** The main packages of a Pipfile. @throws Refusal `requirements-unsupported` */
export function translatePipfile(pipfile: Record<string, unknown>): Translation {
  return translate('Pipfile', tableOf(pipfile.packages), tablesOf(pipfile.source), tableOf(pipfile.requires));
}

/**
 * The main packages of a Pipfile.lock with their exact versions.
 * @param pipfile what it was made from, where that is there
 * @throws Refusal `requirements-unsupported`, also where it does not hold what the Pipfile names
 */
export function translatePipfileLock(
  lock: Record<string, unknown>,
  pipfile: Record<string, unknown> | undefined,
): Translation {
  const meta = tableOf(lock._meta);
  const packages = tableOf(lock.default);
  const held = new Set(Object.keys(packages).map(packageName));
  for (const name of Object.keys(tableOf(pipfile?.packages))) {
    if (held.has(packageName(name))) continue;
    throw unsupported(
      'Pipfile.lock',
      `it lacks ${name}, which the Pipfile requires. Run "pipenv lock" and push it again`,
    );
  }
  return translate('Pipfile.lock', packages, tablesOf(meta.sources), tableOf(meta.requires));
}

function translate(
  file: string,
  packages: Record<string, unknown>,
  sources: Record<string, unknown>[],
  requires: Record<string, unknown>,
): Translation {
  const lines = Object.entries(packages).map(([name, value]) => {
    const entry = typeof value === 'string' ? { version: value } : tableOf(value);
    const version = textOf(entry.version) ?? '';
    const markers = MARKERS.flatMap((marker) => {
      const condition = textOf(entry[marker]);
      return condition === undefined ? [] : `${marker} ${/^[<>=!~]/.test(condition) ? condition : `== "${condition}"`}`;
    });
    const place = textOf(entry.file);
    return requirementLine(file, name, {
      extras: textsOf(entry.extras),
      specifier: version === '*' ? '' : /^\d/.test(version) ? `==${version}` : version,
      git: textOf(entry.git),
      ref: textOf(entry.ref),
      subdirectory: textOf(entry.subdirectory),
      url: place !== undefined && place.includes('://') ? place : undefined,
      path: textOf(entry.path) ?? (place?.includes('://') === false ? place : undefined),
      markers: [textOf(entry.markers), ...markers],
    });
  });
  const indexes = sources
    .filter((source) => textOf(source.name) !== USUAL)
    .flatMap((source) => textOf(source.url) ?? [])
    .filter((url) => !/\s/.test(url));
  const text = textOf(requires.python_full_version) ?? textOf(requires.python_version);
  const python =
    text === undefined || !/^\d+(\.\d+)*$/.test(text)
      ? undefined
      : { text, specifier: `==${text.split('.').slice(0, 2).join('.')}.*` };
  return { lines: [...indexes.map((url) => `--extra-index-url ${url}`), ...lines], python, notes: [] };
}
