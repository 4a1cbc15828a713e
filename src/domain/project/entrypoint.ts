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

/** The file for Streamlit to run, or one sentence on why there is none. */
export type Entrypoint = { file: string } | { refusal: string };

/**
 * Chooses the file that Streamlit runs: `app.py`, else `streamlit_app.py`, else the only Python file at the top of the
 * project that may be an app.
 * @param paths every file of the project, with "/"
 * @param named the one that streamlit-host.toml names, which is then the only one looked for
 */
export function chooseEntrypoint(paths: readonly string[], named?: string): Entrypoint {
  const python = paths.filter((path) => path.endsWith('.py')).sort();
  if (named !== undefined) {
    if (python.includes(named)) return { file: named };
    const instead = python.length === 0 ? 'It has no Python files.' : `Its Python files: ${someOf(python)}.`;
    return {
      refusal: `The main file ${printable(named)}, set in ${APP_FILE}, is not in the project. ${instead}`,
    };
  }
  const top = python.filter((path) => !path.includes('/'));
  const preferred = PREFERRED.find((name) => top.includes(name));
  if (preferred !== undefined) return { file: preferred };
  const candidates = top.filter(mayBeApp);
  if (candidates.length === 1 && candidates[0] !== undefined) return { file: candidates[0] };

  const looked = `No ${PREFERRED.join(' or ')} in the project root`;
  if (candidates.length > 1) {
    return {
      refusal: `${looked}, and ${someOf(candidates)} could each be the app. Rename the right one to app.py, or set main = "…" in ${APP_FILE}.`,
    };
  }
  const below = python.filter((path) => PREFERRED.some((name) => path.endsWith(`/${name}`)));
  if (below[0] !== undefined) {
    return {
      refusal: `${looked}, only ${someOf(below)}. Push that folder as the project root, or set main = "${printable(below[0])}" in ${APP_FILE}.`,
    };
  }
  if (top.length > 0) return { refusal: `${looked}, and ${someOf(top)} cannot be the app. Add app.py.` };
  const there = [...new Set(paths.map((path) => path.replace(/\/.*/s, '/')))].sort();
  if (there.length === 0) return { refusal: 'The project is empty. Add app.py and requirements.txt.' };
  return {
    refusal: `${looked}, and no other Python file that could be the app. The project has ${someOf(there)}. Add app.py.`,
  };
}

/** True for a name that says by itself that the file is an app. */
export function isAppName(name: string): boolean {
  return PREFERRED.includes(name);
}

function mayBeApp(name: string): boolean {
  return !NEVER.has(name) && !/^[._]/.test(name) && !/^test_|_tests?\.py$|^tests?\.py$/.test(name);
}

function someOf(names: readonly string[]): string {
  return listed(names.map(printable), 5);
}
