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

/** The file that Streamlit shall run, or one sentence that says why there is none. */
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
    const instead = python.length === 0 ? 'there is no Python file' : `there is ${someOf(python)}`;
    return {
      refusal: `${APP_FILE} names ${printable(named)} as the main file, and that is not in the project; ${instead}: change that line.`,
    };
  }
  const top = python.filter((path) => !path.includes('/'));
  const preferred = PREFERRED.find((name) => top.includes(name));
  if (preferred !== undefined) return { file: preferred };
  const candidates = top.filter(mayBeApp);
  if (candidates.length === 1 && candidates[0] !== undefined) return { file: candidates[0] };

  const looked = `There is no ${PREFERRED.join(' or ')} at the top of the project`;
  if (candidates.length > 1) {
    return {
      refusal: `${looked}, and ${someOf(candidates)} could each be the app: rename the one to run to app.py, or name it in ${APP_FILE} (main = "…").`,
    };
  }
  const below = python.filter((path) => PREFERRED.some((name) => path.endsWith(`/${name}`)));
  if (below[0] !== undefined) {
    return {
      refusal: `${looked}, only ${someOf(below)}: push the folder that holds it as the project itself, or name it in ${APP_FILE} (main = "${printable(below[0])}").`,
    };
  }
  if (top.length > 0) return { refusal: `${looked}, and ${someOf(top)} is not an app: add app.py.` };
  const there = [...new Set(paths.map((path) => path.replace(/\/.*/s, '/')))].sort();
  if (there.length === 0) return { refusal: 'The project is empty: add app.py and requirements.txt.' };
  return {
    refusal: `${looked}, nor any other Python file that could be the app; there is ${someOf(there)}: add app.py.`,
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
