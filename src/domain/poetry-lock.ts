import { packageName } from './requirements.js';
import { poetryDependencies, poetryWanted, pythonOf, standardDependencies } from './pyproject.js';
import { fromPoetry } from './specifier.js';
import { requirementLine, tableOf, tablesOf, textOf, textsOf, unsupported, type Translation } from './wanted.js';

const FILE = 'poetry.lock';

interface Locked {
  name: string;
  table: Record<string, unknown>;
}

/** That a package is wanted, always or where a marker holds. */
type Condition = true | string;

interface Asked {
  extras: string[];
  condition: Condition;
}

/**
 * The main packages of a poetry.lock with their exact versions. Newer ones say which packages those are; for the others
 * they are found by walking from what pyproject.toml names.
 * @param pyproject what it belongs to, where that is there
 * @throws Refusal `requirements-unsupported`, also where the lock does not hold what pyproject.toml names
 */
export function translatePoetryLock(
  lock: Record<string, unknown>,
  pyproject: Record<string, unknown> | undefined,
): Translation {
  const all = tablesOf(lock.package).map((table): Locked => ({ name: packageName(textOf(table.name) ?? ''), table }));
  const asked = pyproject === undefined ? undefined : mainOf(pyproject);
  for (const name of asked?.keys() ?? []) {
    if (all.some((one) => one.name === name)) continue;
    throw unsupported(
      FILE,
      `it does not hold ${name}, which pyproject.toml names: run "poetry lock" and push it again`,
    );
  }
  const grouped = all.some(({ table }) => Array.isArray(table.groups) || typeof table.category === 'string');
  if (!grouped && asked === undefined) throw unsupported(FILE, 'it needs its pyproject.toml beside it');
  const conditions = grouped ? byGroup(all) : byWalk(all, asked ?? new Map());
  const indexes = new Set<string>();
  const lines = all.flatMap(({ name, table }) => {
    const condition = conditions.get(name);
    if (condition === undefined) return [];
    const source = tableOf(table.source);
    const url = textOf(source.url);
    const type = textOf(source.type);
    if (type === 'legacy' && url !== undefined && !/\s/.test(url)) indexes.add(url);
    const markers = [condition === true ? undefined : condition];
    if (type === 'git')
      return requirementLine(FILE, name, {
        git: url,
        ref: textOf(source.resolved_reference),
        subdirectory: textOf(source.subdirectory),
        markers,
      });
    if (type === 'url') return requirementLine(FILE, name, { url, markers });
    if (type === 'directory' || type === 'file') return requirementLine(FILE, name, { path: url, markers });
    return requirementLine(FILE, name, { specifier: `==${textOf(table.version) ?? ''}`, markers });
  });
  const text = textOf(tableOf(lock.metadata)['python-versions']);
  const specifier = text === undefined ? undefined : fromPoetry(text);
  const python =
    (pyproject === undefined ? undefined : pythonOf(pyproject)) ??
    (text === undefined || specifier === undefined ? undefined : { text, specifier });
  return { lines: [...[...indexes].map((index) => `--extra-index-url ${index}`), ...lines], python, notes: [] };
}

/** The names of the main dependencies, each with its extras and where it is wanted. */
function mainOf(pyproject: Record<string, unknown>): Map<string, Asked> {
  const found = new Map<string, Asked>();
  for (const text of standardDependencies(pyproject)) {
    const [, name, extras, marker] =
      /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;\s*(.*))?$/s.exec(text) ?? [];
    if (name !== undefined)
      found.set(packageName(name), {
        extras: extras?.split(',').map((one) => one.trim()) ?? [],
        condition: marker ?? true,
      });
  }
  for (const [name, value] of Object.entries(poetryDependencies(pyproject))) {
    if (name === 'python' || found.has(packageName(name))) continue;
    const wanted = (Array.isArray(value) ? value : [value]).flatMap(
      (one: unknown) => poetryWanted('pyproject.toml', name, one) ?? [],
    );
    if (wanted.length === 0) continue;
    const markers = wanted.map((one) =>
      (one.markers ?? [])
        .filter((marker) => marker !== undefined)
        .map((marker) => `(${marker})`)
        .join(' and '),
    );
    const condition = markers.some((marker) => marker === '') ? true : markers.join(' or ');
    found.set(packageName(name), { extras: wanted.flatMap((one) => one.extras ?? []), condition });
  }
  return found;
}

/** As Poetry 2 writes it: the groups of a package, and for each what must hold. Poetry before 1.5 had `category`. */
function byGroup(all: readonly Locked[]): Map<string, Condition> {
  const conditions = new Map<string, Condition>();
  for (const { name, table } of all) {
    if (table.optional === true) continue;
    if (Array.isArray(table.groups) ? !table.groups.includes('main') : table.category !== 'main') continue;
    conditions.set(name, textOf(table.markers) ?? textOf(tableOf(table.markers).main) ?? true);
  }
  return conditions;
}

/** As Poetry 1.5 to 1.8 wrote it: who needs whom, and where. */
function byWalk(all: readonly Locked[], asked: ReadonlyMap<string, Asked>): Map<string, Condition> {
  const tables = new Map(all.map(({ name, table }) => [name, table]));
  const extras = new Map<string, Set<string>>();
  // Of the markers on the way to a package the last one counts, so that there are only so many: at worst a package is
  // installed where it is not needed.
  const conditions = new Map<string, true | Set<string>>();
  const todo: string[] = [];
  const want = (name: string, condition: true | ReadonlySet<string>, chosen: readonly string[]): void => {
    const before = conditions.get(name);
    const had = extras.get(name) ?? new Set();
    const after = before === true || condition === true ? true : new Set([...(before ?? []), ...condition]);
    const grows =
      before === undefined || (after === true ? before !== true : before !== true && after.size > before.size);
    if (!grows && chosen.every((extra) => had.has(extra))) return;
    conditions.set(name, after);
    extras.set(name, new Set([...had, ...chosen]));
    todo.push(name);
  };
  for (const [name, one] of asked) want(name, one.condition === true ? true : new Set([one.condition]), one.extras);
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const table = tables.get(name) ?? {};
    const condition = conditions.get(name) ?? true;
    const chosen = [...(extras.get(name) ?? [])]
      .flatMap((extra) => textsOf(tableOf(table.extras)[extra]))
      .map((text) => packageName(/^[\w.-]+/.exec(text)?.[0] ?? ''));
    for (const [key, value] of Object.entries(tableOf(table.dependencies))) {
      for (const edge of (Array.isArray(value) ? value : [value]).map(tableOf)) {
        if (edge.optional === true && !chosen.includes(packageName(key))) continue;
        const marker = textOf(edge.markers);
        // Whether an extra is chosen was decided just now.
        const here = marker === undefined || marker.includes('extra ') ? condition : new Set([marker]);
        want(packageName(key), here, textsOf(edge.extras));
      }
    }
  }
  return new Map([...conditions].map(([name, one]) => [name, one === true || [...one].join(' or ')]));
}
