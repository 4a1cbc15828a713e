import { printable } from '../app/app.js';
import { packageName } from './requirements.js';
import { poetryDependencies, poetryWanted, pythonOf, standardDependencies } from './pyproject.js';
import { fromPoetry, satisfies } from './specifier.js';
import { requirementLine, tableOf, tablesOf, textOf, textsOf, unsupported, type Translation } from './wanted.js';

const FILE = 'poetry.lock';

/** The most versions of one package, and the most markers of one, that are told apart. */
const MAX_VERSIONS = 32;
const MAX_MARKERS = 32;

interface Locked {
  name: string;
  table: Record<string, unknown>;
}

/** That a package is wanted, always or where a marker holds. */
type Condition = true | string;

interface Asked {
  /** The versions that are meant; undefined where that has no form that we know. */
  specifier: string | undefined;
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
  const held = byName(all);
  for (const name of asked?.keys() ?? []) {
    if (held.has(name)) continue;
    throw unsupported(FILE, `it lacks ${name}, which pyproject.toml requires. Run "poetry lock" and push it again`);
  }
  const grouped = all.some(({ table }) => Array.isArray(table.groups) || typeof table.category === 'string');
  if (!grouped && asked === undefined) throw unsupported(FILE, 'there is no pyproject.toml next to it');
  const conditions = grouped ? byGroup(all) : byWalk(held, asked ?? new Map());
  const indexes = new Set<string>();
  const lines = all.flatMap((one) => {
    const { name, table } = one;
    const condition = conditions.get(one);
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

/** An entry of pyproject.toml without a version that pip does not support: the lock has the exact one. */
function expressible(entry: unknown): unknown {
  const table = typeof entry === 'string' ? { version: entry } : tableOf(entry);
  const version = textOf(table.version);
  return version === undefined || fromPoetry(version) !== undefined ? entry : { ...table, version: '*' };
}

/** The names of the main dependencies, each with what is asked of it and where; it may stand there several times. */
function mainOf(pyproject: Record<string, unknown>): Map<string, Asked[]> {
  const found = new Map<string, Asked[]>();
  for (const text of standardDependencies(pyproject)) {
    const [, name, extras, specifier, marker] =
      /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*([^;]*)(?:;\s*(.*))?$/s.exec(text) ?? [];
    if (name === undefined) continue;
    const asked: Asked = {
      specifier: specifier?.replace(/[()\s]/g, ''),
      extras: extras?.split(',').map((one) => one.trim()) ?? [],
      condition: marker ?? true,
    };
    const before = found.get(packageName(name));
    if (before === undefined) found.set(packageName(name), [asked]);
    else before.push(asked);
  }
  for (const [name, value] of Object.entries(poetryDependencies(pyproject))) {
    if (name === 'python' || found.has(packageName(name))) continue;
    const wanted = (Array.isArray(value) ? value : [value]).flatMap(
      (one: unknown) => poetryWanted('pyproject.toml', name, expressible(one)) ?? [],
    );
    if (wanted.length === 0) continue;
    const asked = wanted.map(({ specifier, extras, markers }): Asked => {
      const all = (markers ?? []).filter((marker) => marker !== undefined).map((marker) => `(${marker})`);
      return { specifier, extras: [...(extras ?? [])], condition: all.length === 0 ? true : all.join(' and ') };
    });
    found.set(packageName(name), asked);
  }
  return found;
}

/** As Poetry 2 writes it: the groups of a package, and for each what must hold. Poetry before 1.5 had `category`. */
function byGroup(all: readonly Locked[]): Map<Locked, Condition> {
  const conditions = new Map<Locked, Condition>();
  for (const one of all) {
    const { table } = one;
    if (table.optional === true) continue;
    if (Array.isArray(table.groups) ? !table.groups.includes('main') : table.category !== 'main') continue;
    conditions.set(one, textOf(table.markers) ?? textOf(tableOf(table.markers).main) ?? true);
  }
  return conditions;
}

/** The packages by name: one may be locked in several versions, each for other surroundings. @throws Refusal */
function byName(all: readonly Locked[]): Map<string, Locked[]> {
  const found = new Map<string, Locked[]>();
  for (const one of all) {
    const same = found.get(one.name) ?? [];
    same.push(one);
    found.set(one.name, same);
    if (same.length > MAX_VERSIONS)
      throw unsupported(FILE, `it holds more than ${MAX_VERSIONS} versions of ${printable(one.name)}`);
  }
  return found;
}

/** As Poetry 1.5 to 1.8 wrote it: who needs whom, and where. */
function byWalk(
  held: ReadonlyMap<string, readonly Locked[]>,
  asked: ReadonlyMap<string, readonly Asked[]>,
): Map<Locked, Condition> {
  const extras = new Map<Locked, Set<string>>();
  // Of the markers on the way to a package the last one counts, so that there are only so many: at worst a package is
  // installed where it is not needed.
  const conditions = new Map<Locked, true | Set<string>>();
  const todo: Locked[] = [];
  const wantOne = (one: Locked, condition: true | ReadonlySet<string>, chosen: readonly string[]): void => {
    const before = conditions.get(one);
    const had = extras.get(one) ?? new Set();
    const after = eitherOf(before, condition);
    const grows =
      before === undefined || (after === true ? before !== true : before !== true && after.size > before.size);
    if (!grows && chosen.every((extra) => had.has(extra))) return;
    conditions.set(one, after);
    extras.set(one, new Set([...had, ...chosen]));
    todo.push(one);
  };
  const want = (
    name: string,
    condition: true | ReadonlySet<string>,
    { specifier, extras: chosen }: Omit<Asked, 'condition'>,
  ): void => {
    for (const one of meantBy(held.get(name) ?? [], specifier)) wantOne(one, condition, chosen);
  };
  for (const [name, each] of asked)
    for (const one of each) want(name, one.condition === true ? true : new Set([one.condition]), one);
  for (let one = todo.pop(); one !== undefined; one = todo.pop()) {
    const { table } = one;
    const condition = conditions.get(one) ?? true;
    const chosen = [...(extras.get(one) ?? [])]
      .flatMap((extra) => textsOf(tableOf(table.extras)[extra]))
      .map((text) => packageName(/^[\w.-]+/.exec(text)?.[0] ?? ''));
    for (const [key, value] of Object.entries(tableOf(table.dependencies))) {
      for (const entry of Array.isArray(value) ? (value as unknown[]) : [value]) {
        const edge = typeof entry === 'string' ? { version: entry } : tableOf(entry);
        if (edge.optional === true && !chosen.includes(packageName(key))) continue;
        const marker = textOf(edge.markers);
        // Whether an extra is chosen was decided just now.
        const here = marker === undefined || marker.includes('extra ') ? condition : new Set([marker]);
        want(packageName(key), here, {
          specifier: fromPoetry(textOf(edge.version) ?? '*'),
          extras: textsOf(edge.extras),
        });
      }
    }
  }
  return new Map([...conditions].map(([one, each]) => [one, each === true || [...each].join(' or ')]));
}

/** That one of two conditions holds. Of very many it is taken for given that one does, as above at the price of a package. */
function eitherOf(a: true | ReadonlySet<string> | undefined, b: true | ReadonlySet<string>): true | Set<string> {
  if (a === true || b === true) return true;
  const both = new Set([...(a ?? []), ...b]);
  return both.size > MAX_MARKERS ? true : both;
}

/** A package as it is locked. Of one that is locked in several versions, each for other surroundings, those that fit. */
function meantBy(named: readonly Locked[], specifier: string | undefined): readonly Locked[] {
  if (named.length < 2 || specifier === undefined) return named;
  const fitting = named.filter(({ table }) => satisfies(textOf(table.version) ?? '', specifier));
  return fitting.length > 0 ? fitting : named;
}
