import { dirname, join } from 'node:path';
import type { ThreadReader } from '../deploys/reader.js';
import { Ahead } from '../environments/ahead.js';
import { CachePruner } from '../environments/cache-pruner.js';
import { Compiler } from '../environments/compiler.js';
import { Environments, type EnvironmentsOptions } from '../environments/environments.js';
import { SystemPackages } from '../environments/system-packages.js';
import type { Logger } from '../logger.js';
import type { Config } from '../settings.js';
import type { Paths } from '../store/paths.js';
import type { Room } from '../store/room.js';

/** How long an install may be silent, in ms. */
const MAX_BUILD_IDLE = 10 * 60_000;

export interface BuildsOptions
  extends Pick<EnvironmentsOptions, 'tools' | 'cage' | 'env'>, Required<Pick<EnvironmentsOptions, 'python'>> {
  config: Pick<Config, 'limits' | 'path' | 'prebuild' | 'systemPackages'>;
  paths: Paths;
  /** The folder of the code that an app's Python runs first; what compiles environments lies beside it. */
  launcher: string;
  /** Reads what a project asks for, in a thread. */
  reader: Pick<ThreadReader, 'read'>;
  room: Pick<Room, 'demand'>;
  /** Told of each environment that was compiled. */
  onCompiled: (environment: string) => Promise<void>;
  logger: Logger;
}

/** What makes an environment, and keeps it fast to start. */
export interface Builds {
  environments: Environments;
  /** Compiles environments that serve. */
  compiler: Compiler;
  /** Removes what no build uses again. */
  cachePruner: CachePruner;
  /** Builds the first environment before anybody asks for it; undefined where that is not wanted. */
  ahead: Ahead | undefined;
  systemPackages: SystemPackages;
}

/** Creates what builds need. Nothing runs yet. */
export function openBuilds(options: BuildsOptions): Builds {
  const { config, paths, launcher, tools, python, cage, env, reader, room, onCompiled, logger } = options;
  if (tools.uv === undefined)
    logger.warn('uv was not found, so environments are built with venv and pip, which is slower.');
  const common = { root: paths.environments, tmp: paths.drafts, cache: paths.builds, cage, env };
  const demandRoom = (): Promise<void> => room.demand();
  const environments = new Environments({
    ...common,
    locks: paths.locks,
    tools,
    python,
    gather: (...what) => reader.read(what[0], 'requirements', ...what),
    logger,
    limits: { totalMs: config.limits.buildMs, idleMs: Math.min(config.limits.buildMs, MAX_BUILD_IDLE) },
  });
  const script = join(dirname(launcher), 'compile.py');
  const cachePruner = new CachePruner({ ...common, uv: tools.uv, python, logger });
  const onIdle = (): void => cachePruner.soon();
  const compiler = new Compiler({ ...common, script, demandRoom, onCompiled, onIdle, logger });
  const ahead = new Ahead({ root: paths.environments, environments, compiler, demandRoom, logger });
  return {
    environments,
    compiler,
    cachePruner,
    ahead: config.prebuild ? ahead : undefined,
    systemPackages: new SystemPackages({
      path: config.path,
      install: config.systemPackages === 'install',
      as: process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive'],
    }),
  };
}
