import { machinePython } from '../environments/places.js';
import { AppConfines, type AppConfinesOptions } from '../serving/confines.js';
import { Processes, type ProcessesOptions } from '../serving/processes.js';
import type { Config } from '../settings.js';
import { Owners } from '../store/owners.js';
import type { Paths } from '../store/paths.js';

export interface OpenProcessesOptions
  extends
    Pick<ProcessesOptions, 'store' | 'runtime' | 'basePath' | 'url' | 'launcher'>,
    Pick<AppConfinesOptions, 'settle' | 'policy'> {
  config: Pick<
    Config,
    'path' | 'home' | 'memoryLimitMb' | 'taskLimit' | 'cpuLimit' | 'optionLimits' | 'limits' | 'drain' | 'cageFolders'
  >;
  paths: Paths;
  /** True where every pushed app is a user of its own. */
  changesUser: () => boolean;
  processConfig: ProcessesOptions['config'];
}

/** Creates what prepares the process of a release: with its limits, its config and what it is confined to. */
export function openProcesses(options: OpenProcessesOptions): Processes {
  const { config, changesUser, processConfig, ...rest } = options;
  const owners = new Owners(options.paths, changesUser);
  const confines = new AppConfines({ ...rest, owners, machinePython, shared: config.cageFolders });
  return new Processes({
    ...rest,
    ...{ path: config.path, home: config.home, optionLimits: config.optionLimits },
    ...{ memoryLimitMb: config.memoryLimitMb, taskLimit: config.taskLimit, cpuLimit: config.cpuLimit },
    confines: confines.of.bind(confines),
    startLimitMs: config.limits.startMs,
    sessionTtlMs: config.drain.ttlMs,
    config: processConfig,
  });
}
