import type { ConfigVars } from '../domain/config/vars.js';
import type { Dependencies, Outside } from '../domain/python/dependencies.js';
import type { PythonWish } from '../domain/python/python-version.js';

/** What a release needs of an environment. */
export interface EnvironmentRequest {
  /** The file that names the dependencies, with its lines; a requirements file unless told. */
  dependencies: Pick<Dependencies, 'file' | 'text' | 'member'> & { format?: Dependencies['format'] };
  /** Which Python the app asks for, where it does. */
  python?: PythonWish | undefined;
  /** The project's files. */
  sourceDir: string;
  /** What tells this state of the project from others (its commit), where requirements install the project itself. */
  localKey: string;
  /**
   * Whose project it is, and the path of its files in the folder in which the app runs: the code of a project that installs
   * itself is then read from there, by all of its releases. Not there where its files may change under an app that runs.
   */
  own?: { app: string; within: string } | undefined;
  /** When its packages were asked for again: an environment that was made for the same list before does not do. */
  fresh?: string | undefined;
  /** The app's config vars; its build gets those that its files name, and those of indexes. */
  vars?: ConfigVars | undefined;
  /** Whether it may name files of the machine that are not in the project; refused unless told. */
  outside?: Outside | undefined;
  /** True where nobody waits for it: it is given up as soon as another environment is built. */
  yields?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Called with what the install prints. While it takes its time, the install waits. */
  onLine: (line: string) => void | Promise<void>;
  /** Called with which Python is used and why, before anything is installed; `onLine` unless given. */
  onNote?: ((line: string) => void | Promise<void>) | undefined;
  /** Called with the process groups of the install. */
  onSpawn?: ((pid: number) => void) | undefined;
}
