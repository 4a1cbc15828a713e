import { APP_FILE } from './app-file.js';
import { printable } from '../app/app.js';
import { listed } from '../../lib/words.js';

/** The names that are looked for first, in this order. */
const PREFERRED = ['app.py', 'streamlit_app.py'];

/** Python files at the top of a project that are never its app. */
const NEVER = new Set([
  '__init__.py',
  '__main__.py',
  'conf.py',
  'conftest.py',
  'dodo.py',
  'fabfile.py',
  'manage.py',
  'noxfile.py',
  'setup.py',
  'tasks.py',
  'toxfile.py',
  'versioneer.py',
]);

/** Folders whose files are never an app: pages of one, tests, what others have written. */
const NO_APPS = /(^|\/)(\.[^/]*|_[^/]*|pages|tests?|docs?|migrations|node_modules|site-packages|venv|env)\//;

/** What a script that starts Streamlit's server imports, or has a shell do. */
const STARTS_STREAMLIT =
  /^[ \t]*(?:import[ \t]+streamlit\.(?:web\.)?(?:cli|bootstrap)\b|from[ \t]+streamlit(?:\.web)?(?:\.(?:cli|bootstrap)[ \t]+import\b|[ \t]+import[ \t]+(?:cli|bootstrap)\b))|["']streamlit["'],\s*["']run["']|["']streamlit run /m;

/** Words in the names that people give to their apps. */
const LIKELY = /(^|[^a-z])(streamlit|app|dashboard|main|home|hello|index|start|ui|web)([^a-z]|$)/i;

/** The most candidates that are offered. */
const MOST = 5;

/** The file for Streamlit to run, or one sentence on why there is none, and the files that it could be. */
export type Entrypoint = { file: string } | { refusal: string; candidates: string[] };

/** A main file that was named, and where it was. */
export interface NamedMain {
  file: string;
  /** For the end of a sentence. */
  where: string;
}

/**
 * Chooses the file that Streamlit runs: `app.py`, else `streamlit_app.py`, else the only Python file at the top of the
 * project that may be an app.
 * @param paths every file of the project, with "/"
 * @param named the one that a person named, which is then the only one looked for
 * @param launcher a file at the top that starts the app, and is not the app itself
 */
export function chooseEntrypoint(paths: readonly string[], named?: NamedMain, launcher?: string): Entrypoint {
  const python = paths.filter((path) => path.endsWith('.py')).sort();
  const candidates = candidatesOf(python.filter((path) => path !== launcher));
  if (named !== undefined) {
    if (python.includes(named.file)) return { file: named.file };
    const instead = python.length === 0 ? 'It has no Python files.' : `Its Python files: ${someOf(python)}.`;
    return {
      refusal: `The main file ${printable(named.file)}, set in ${named.where}, is not in the project. ${instead}`,
      candidates,
    };
  }
  const top = python.filter((path) => !path.includes('/'));
  const preferred = PREFERRED.find((name) => top.includes(name));
  if (preferred !== undefined) return { file: preferred };
  const possible = top.filter((path) => path !== launcher && mayBeApp(path));
  if (possible.length === 1 && possible[0] !== undefined) return { file: possible[0] };

  const other = launcher === undefined ? '' : ` (${printable(launcher)} starts Streamlit itself)`;
  const looked = `No ${PREFERRED.join(' or ')} in the project root${other}`;
  if (possible.length > 1) {
    return {
      refusal: `${looked}, and ${someOf(possible)} could each be the app. Rename the right one to app.py, or ${howToName('…')}`,
      candidates,
    };
  }
  const below = candidates.filter((path) => PREFERRED.some((name) => path.endsWith(`/${name}`)));
  const offered = below.length > 0 ? below : candidates;
  if (offered[0] !== undefined) {
    const only =
      below.length > 0 || top.length === 0 ? `only ${someOf(offered)}` : `but ${someOf(offered)} may be the app`;
    return { refusal: `${looked}, ${only}. To deploy it, ${howToName(printable(offered[0]))}`, candidates: offered };
  }
  if (top.length > 0)
    return { refusal: `${looked}, and ${someOf(top)} cannot be the app. Add app.py.`, candidates: [] };
  const there = [...new Set(paths.map((path) => path.replace(/\/.*/s, '/')))].sort();
  if (there.length === 0) return { refusal: 'The project is empty. Add app.py and requirements.txt.', candidates: [] };
  return {
    refusal: `${looked}, and no other Python file that could be the app. The project has ${someOf(there)}. Add app.py.`,
    candidates: [],
  };
}

/**
 * Chooses another file where the only Python file was chosen and does nothing but start Streamlit, as launchers of desktop
 * programs do.
 * @param chosen what `chooseEntrypoint` chose of these paths, without a name
 * @param code of the chosen file
 */
export function withoutLauncher(chosen: Entrypoint, paths: readonly string[], code: string): Entrypoint {
  const isLauncher = 'file' in chosen && !isAppName(chosen.file) && STARTS_STREAMLIT.test(code);
  return isLauncher ? chooseEntrypoint(paths, undefined, chosen.file) : chosen;
}

/** True for a name that says by itself that the file is an app. */
export function isAppName(name: string): boolean {
  return PREFERRED.includes(name);
}

/** The files that may be the app, the likeliest first: by name, then by how deep they are. */
function candidatesOf(python: readonly string[]): string[] {
  const rank = (path: string): number => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return (isAppName(name) ? 0 : LIKELY.test(name) ? 1 : 2) * 100 + Math.min(99, path.split('/').length);
  };
  return python
    .filter(
      (path) => printable(path) === path && !NO_APPS.test(path) && mayBeApp(path.slice(path.lastIndexOf('/') + 1)),
    )
    .map((path) => ({ path, rank: rank(path) }))
    .sort((a, b) => a.rank - b.rank || (a.path < b.path ? -1 : 1))
    .slice(0, MOST)
    .map(({ path }) => path);
}

function howToName(file: string): string {
  return `push with -o main=${file}, set it as the main file in the console, or set main = "${file}" in ${APP_FILE}.`;
}

function mayBeApp(name: string): boolean {
  return !NEVER.has(name) && !/^[._]/.test(name) && !/^test_|_tests?\.py$|^tests?\.py$/.test(name);
}

function someOf(names: readonly string[]): string {
  return listed(names.map(printable), 5);
}
