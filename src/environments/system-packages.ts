import { aptInstall, aptUpdate, dpkgPackages } from '../domain/project/commands.js';
import { missingPackages, packagesNotInstalled } from '../domain/project/packages-txt.js';
import { Turns } from '../lib/turns.js';
import { asClause } from '../lib/words.js';
import { CommandFailed, runCommand } from './run.js';

/** The longest that apt-get may take for one step, in ms: it may have to wait for another one. */
const APT_LIMIT_MS = 15 * 60_000;
/** What apt-get says where its lists are missing or older than the archive. */
const OLD_LISTS =
  /Unable to locate package|has no installation candidate|404\s+Not Found|Unable to fetch some archives/;

export interface SystemPackagesOptions {
  /** PATH of dpkg-query and apt-get. */
  path: string;
  /** True where what is missing is installed; otherwise it is refused. */
  install: boolean;
  /** What apt-get is begun with where the server itself may not install: `sudo` and its options. */
  as: readonly string[];
}

/** The packages that an app needs of this machine, and where to report progress. */
export interface WantedPackages {
  names: readonly string[];
  signal?: AbortSignal | undefined;
  onLine: (line: string) => void | Promise<void>;
}

/** The Debian packages that apps name in packages.txt: looked for, and installed where the operator has allowed it. */
export class SystemPackages {
  readonly #options: SystemPackagesOptions;
  readonly #turns = new Turns();

  constructor(options: SystemPackagesOptions) {
    this.#options = options;
  }

  /**
   * Sees to it that the packages that an app names are installed.
   * @throws Refusal `packages-missing` that names those that are not, `packages-not-installed` where apt-get fails
   */
  async provide(wanted: WantedPackages): Promise<void> {
    const { names, signal, onLine } = wanted;
    if (names.length === 0) return;
    let missing: string[];
    try {
      missing = await this.#missing(names, signal);
    } catch (error) {
      if (!(error instanceof CommandFailed) || error.reason === 'aborted') throw error;
      return onLine(`packages.txt was not checked: ${asClause(error.message)}.`);
    }
    if (missing.length === 0) return onLine(`packages.txt: already installed: ${names.join(', ')}`);
    if (!this.#options.install) throw missingPackages(missing);
    // There is one set of packages for all apps.
    await this.#turns.take('', () => this.#install(wanted));
    // apt-get itself is never cut off, since a half-installed package is in everybody's way.
    signal?.throwIfAborted();
  }

  async #install({ names, signal, onLine }: WantedPackages): Promise<void> {
    signal?.throwIfAborted();
    const missing = await this.#missing(names, signal);
    if (missing.length === 0) return;
    await onLine(`packages.txt: installing ${missing.join(', ')}`);
    try {
      await this.#apt(aptInstall(missing), onLine).catch(async (error: unknown) => {
        if (!(error instanceof CommandFailed) || !error.lines.some((line) => OLD_LISTS.test(line))) throw error;
        await onLine('packages.txt: updating the package lists');
        await this.#apt(aptUpdate(), onLine);
        await this.#apt(aptInstall(missing), onLine);
      });
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      throw packagesNotInstalled(
        missing,
        error.lines.findLast((line) => line.startsWith('E: '))?.slice(3) ?? error.message,
        error,
      );
    }
  }

  async #apt(argv: readonly string[], onLine: WantedPackages['onLine']): Promise<void> {
    const { as, path } = this.#options;
    const env = { PATH: path, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' };
    await runCommand({ argv: [...as, ...argv], cwd: '/', env, timeoutMs: APT_LIMIT_MS, onLine });
  }

  async #missing(names: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
    const installed = await installedPackages(this.#options.path, signal);
    return names.filter((name) => !installed.has(name));
  }
}

/** Every name that an installed package answers to: its own, with and without its architecture, and what it provides. */
async function installedPackages(path: string, signal: AbortSignal | undefined): Promise<Set<string>> {
  const names = new Set<string>();
  const onLine = (line: string): void => {
    const [status, name, architecture, provides = ''] = line.split('\t');
    if (status !== 'installed' || name === undefined) return;
    names.add(name).add(`${name}:${architecture}`);
    for (const one of provides.split(',')) names.add(one.replace(/\(.*$/, '').trim());
  };
  await runCommand({
    argv: dpkgPackages(),
    cwd: '/',
    env: { PATH: path, LC_ALL: 'C.UTF-8' },
    timeoutMs: 60_000,
    signal,
    onLine,
  });
  return names;
}
