import { join } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { demandAllowed, type CagePolicy, type ReleaseCage } from '../domain/project/app-cage.js';
import { Refusal } from '../errors.js';
import { findDevices } from '../runtime/process/cage/devices.js';
import type { Confines } from '../runtime/process/cage/spec.js';
import type { Owners } from '../store/owners.js';
import type { Paths } from '../store/paths.js';

export interface AppConfinesOptions {
  paths: Paths;
  owners: Owners;
  /** The folder of the code that an app's Python runs first. */
  launcher: string;
  /** The system's Python that an environment was created from; undefined if unknown. */
  machinePython: (environment: string) => Promise<string | undefined>;
  /** Folders shared with all apps; file permissions still apply. */
  shared: readonly string[];
  /** Sees to it that it is known which cage works here. */
  settle: () => Promise<void>;
  /** What apps may ask for. */
  policy: () => CagePolicy;
}

/** Decides which files each app may use. */
export class AppConfines {
  readonly #options: AppConfinesOptions;

  constructor(options: AppConfinesOptions) {
    this.#options = options;
  }

  /**
   * Returns what an app may reach: its environment, all of its releases and the secrets of its processes, and its storage,
   * which it may write to. All releases, because an interpreter that is started ahead begins before its own release exists.
   * @param environment its folder
   * @param asked what its release asks for
   * @returns undefined where there is no cage
   * @throws Refusal `app-not-started`, `cage-not-allowed`, `cage-untried`
   */
  async of(app: string, environment: string, asked: ReleaseCage | undefined): Promise<Confines | undefined> {
    const { paths, launcher, owners, machinePython, shared, settle } = this.#options;
    await settle();
    const policy = this.#options.policy();
    // At each start, since the operator may have changed the settings.
    if (asked !== undefined) demandAllowed(asked, policy);
    if (policy.kind === 'none') return undefined;
    const { network, readOnly = [], devices = [] } = asked ?? {};
    const python = await machinePython(environment);
    if (python === undefined) {
      throw new Refusal(
        'unavailable',
        'app-not-started',
        `The Python interpreter of ${environment} is missing. Deploy the app again.`,
      );
    }
    const uid = await owners.settle(app);
    const storage = paths.storage(app);
    const secrets = paths.secretsOf(app);
    const tmp = join(storage, '.tmp');
    for (const folder of [secrets, tmp]) await owners.makeFolder(folder, uid);
    await ensureFolder(paths.releases(app));
    return {
      python,
      readOnly: [launcher, environment, paths.releases(app), secrets, ...readOnly],
      writable: [storage, ...shared],
      tmp,
      uid,
      network,
      devices: await findDevices(devices),
      parts: { environment, launcher, ordered: [paths.releases(app), secrets], storage },
    };
  }
}
