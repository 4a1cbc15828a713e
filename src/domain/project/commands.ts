/**
 * The commands that a build runs, as arguments; nothing here runs anything. No value from outside may be taken for an
 * option: commits are checked, and paths stand after `--` or are absolute.
 */

const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Settings under which git puts files on disk without running anything that the repository or the machine names. */
const PLAIN_GIT = [
  'core.hooksPath=/dev/null',
  'core.attributesFile=/dev/null',
  'core.fsmonitor=false',
  'core.autocrlf=false',
  'core.symlinks=true',
  'filter.lfs.smudge=',
  'filter.lfs.process=',
  'filter.lfs.required=false',
].flatMap((setting) => ['-c', setting]);

/** What git needs of the environment, and no more: none of the machine's own settings. */
export function gitEnvironment(path: string): Record<string, string> {
  return {
    PATH: path,
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    // It only ever reads our own repositories, and their files may belong to another user once a backup is restored.
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
  };
}

/** Reads a commit into the index that GIT_INDEX_FILE names. @throws Error where it is not a full commit id */
export function gitReadTree(repository: string, commit: string): string[] {
  if (!COMMIT.test(commit)) throw new Error(`not a full commit id: ${commit}`);
  return ['git', ...PLAIN_GIT, `--git-dir=${repository}`, 'read-tree', commit];
}

/** Writes every file of that index into an empty folder. */
export function gitCheckoutIndex(repository: string, folder: string): string[] {
  return [
    'git',
    ...PLAIN_GIT,
    `--git-dir=${repository}`,
    `--work-tree=${folder}`,
    'checkout-index',
    '--all',
    '--quiet',
  ];
}

/** Prints, as one line of JSON, what a Python is. Runs without site packages, so that it answers fast. */
export function pythonProbe(python: string): string[] {
  const script = [
    'import json, platform, sys, sysconfig',
    'facts = {"version": platform.python_version(), "implementation": sys.implementation.name,',
    '  "platform": sysconfig.get_platform(), "executable": sys.executable}',
    'print(json.dumps(facts))',
  ].join('\n');
  return [python, '-I', '-S', '-c', script];
}

/** Makes a virtual environment that may be moved. */
export function uvVenv(uv: string, python: string, folder: string): string[] {
  return [uv, 'venv', '--quiet', '--relocatable', '--no-project', '--python', python, folder];
}

/** What is installed into a virtual environment. */
export interface Installation {
  /** The environment's Python. */
  python: string;
  /** A requirements file. */
  requirements: string;
  /** More packages, by name. */
  more: readonly string[];
  /** False where nothing is built from source, so that no package's code runs. */
  builds: boolean;
}

/** Installs with uv. */
export function uvInstall(uv: string, what: Installation, options: readonly string[] = []): string[] {
  const { python, requirements, more, builds } = what;
  const wheels = builds ? [] : ['--no-build'];
  return [uv, 'pip', 'install', '--python', python, ...wheels, ...options, '-r', requirements, ...more];
}

/** Writes the exact versions that would be installed, a line each. @param files requirements files */
export function uvCompile(
  uv: string,
  what: { python: string; files: readonly string[]; to: string },
  options: readonly string[],
): string[] {
  const { python, files, to } = what;
  const plain = ['--quiet', '--no-header', '--no-annotate', '--no-strip-extras', '--no-strip-markers'];
  return [uv, 'pip', 'compile', ...plain, ...options, '--python', python, '--output-file', to, ...files];
}

/** Removes what the cache holds and nothing refers to. It waits for other uses of the cache. */
export function uvPrune(uv: string): string[] {
  return [uv, 'cache', 'prune', '--quiet'];
}

/**
 * Compiles the Python files of a folder, and runs none of them.
 * @param script the place of `compile.py`
 * @param store where it keeps what it has compiled
 */
export function pythonCompile(python: string, script: string, folder: string, cache: string): string[] {
  return [python, '-I', '-S', script, folder, cache];
}

/**
 * Writes the packages of a uv.lock as a requirements file, without asking any index.
 * @param member whose they are, of a workspace; those of the lock's own project unless told
 */
export function uvExport(
  uv: string,
  project: string,
  python: string,
  file: string,
  member?: { name: string; isPackage: boolean },
): string[] {
  return [
    uv,
    'export',
    '--quiet',
    '--frozen',
    '--offline',
    '--no-dev',
    ...(member?.isPackage === true ? [] : ['--no-emit-project']),
    '--no-header',
    '--no-annotate',
    '--format',
    'requirements.txt',
    '--project',
    project,
    '--python',
    python,
    '--output-file',
    file,
    ...(member === undefined ? [] : [`--package=${member.name}`]),
  ];
}

/** Lists the Pythons that are there, one a line. */
export function uvPythons(uv: string): string[] {
  return [uv, 'python', 'list', '--only-installed', '--no-python-downloads'];
}

/** Lists Debian's packages, one a line: status, name, architecture and what it provides. */
export function dpkgPackages(): string[] {
  return [
    'dpkg-query',
    '--show',
    '--showformat',
    '${db:Status-Status}\\t${Package}\\t${Architecture}\\t${Provides}\\n',
  ];
}

/** Options under which apt-get asks nobody, prints plain lines and waits for another one, for so long (s). */
const PLAIN_APT = ['--yes', '--quiet', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300'];

/** Installs Debian packages; files of the machine's own that differ from theirs stay as they are. */
export function aptInstall(names: readonly string[]): string[] {
  return [
    'apt-get',
    'install',
    ...PLAIN_APT,
    '--no-install-recommends',
    // Its "name-" removes a package, and so may one that conflicts with what the machine has.
    '--no-remove',
    // A name that it does not know would be a pattern of others: "." stands in many, and any character would match it.
    '-o',
    'APT::Cmd::Pattern-Only=true',
    '-o',
    'Dpkg::Options::=--force-confold',
    '--',
    ...names,
  ];
}

/** Updates the lists of Debian packages. */
export function aptUpdate(): string[] {
  return ['apt-get', 'update', ...PLAIN_APT];
}

/** Makes a virtual environment without uv: with Python's own. */
export function pythonVenv(python: string, folder: string): string[] {
  return [python, '-I', '-m', 'venv', folder];
}

/** Installs with pip. What it would compile, it would compile one file after another, packages' tests included. */
export function pipInstall(
  { python, requirements, more, builds }: Installation,
  options: readonly string[] = [],
): string[] {
  return [
    python,
    '-I',
    '-m',
    'pip',
    'install',
    '--no-input',
    '--no-compile',
    '--disable-pip-version-check',
    '--progress-bar',
    'off',
    ...(builds ? [] : ['--only-binary', ':all:']),
    ...options,
    '-r',
    requirements,
    ...more,
  ];
}
