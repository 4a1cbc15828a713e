import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';
import { APP_FILE } from './app-file.js';
import { listOf } from './layout.js';

/** Paths that may be lists of packages, in a project whose list is not where it is looked for. */
const NAMES_LIST =
  /(^|\/)(requirements[^/]*\.txt|requirements\/[^/]+\.txt|pyproject\.toml|Pipfile|environment\.ya?ml)$/i;

/** The most lists that are offered. */
const MOST = 5;

/** Files that say to other tools what a project depends on, and what to do about each. */
const FOREIGN: readonly (readonly [file: RegExp, advice: string])[] = [
  [/^pylock(\.[^.]+)?\.toml$/i, 'is not read here; list the packages, with their versions, in a requirements.txt'],
  [/^pixi\.(toml|lock)$/i, 'is not read here; list its Python packages in a requirements.txt'],
  [/^(setup\.py|setup\.cfg)$/i, 'is read by an install of the project; add a requirements.txt with the line "."'],
  [/^conda-lock\.ya?ml$/i, 'is not read here; push the environment.yml that it was made from'],
  [/^pdm\.lock$/i, 'is not read here; push the pyproject.toml too, or a requirements.txt made with "pdm export"'],
];

/**
 * Adds to a refusal for want of a list of packages what the project has instead: lists elsewhere, which can be chosen, or
 * one of another tool.
 * @param paths the files of the project, without links
 * @throws Refusal that `choose` throws
 */
export function offeringLists<T>(paths: readonly string[], choose: () => T): T {
  try {
    return choose();
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'no-requirements') throw error;
    const choices = paths
      .filter((path) => printable(path) === path && NAMES_LIST.test(path) && listOf(path) !== undefined)
      .sort((a, b) => a.split('/').length - b.split('/').length || (a < b ? -1 : 1))
      .slice(0, MOST);
    const [first] = choices;
    const more =
      first === undefined
        ? adviceOn(paths)
        : `To use ${first}, push with -o dependencies=${first}, set it as the dependency file in the console, or set dependencies = "${first}" in ${APP_FILE}.`;
    if (more === undefined) throw error;
    throw new Refusal(error.kind, error.code, `${error.message} ${more}`, { field: error.field, choices });
  }
}

/** What to do about the list of another tool in the root; undefined where there is none. */
function adviceOn(paths: readonly string[]): string | undefined {
  for (const [file, advice] of FOREIGN) {
    const name = paths.find((path) => file.test(path));
    if (name !== undefined) return `${name} ${advice}.`;
  }
  return undefined;
}
