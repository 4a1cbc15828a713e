import { realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PythonFacts } from '../environments/pythons.js';
import { CommandFailed } from '../environments/run.js';
import type { BuildCage } from '../environments/workshop.js';
import { hasCode, Refusal } from '../errors.js';
import type { Logger } from '../logger.js';
import type { PictureCage } from '../pictures/chromium.js';
import { Cage } from '../runtime/process/cage/cage.js';
import type { Config } from '../settings.js';
import { BUILDER, PHOTOGRAPHER } from '../store/owners.js';
import type { Paths } from '../store/paths.js';

/** True where a Python is missing or does not work, as far as it said so itself. */
function isAbsent(error: unknown): boolean {
  const { cause } = error instanceof Refusal ? error : {};
  if (!(cause instanceof CommandFailed)) return cause instanceof SyntaxError;
  return cause.reason === 'missing' ? hasCode(cause.cause, 'ENOENT') : cause.exitCode !== null;
}

/** The cage that apps run in, and what sees to it that it is there. */
export interface OpenedCage {
  cage: Cage;
  /**
   * To be awaited before anything that belongs into the cage: it is chosen then if it was not before.
   * @throws Refusal `cage-untried` as long as there is no Python, `python-unusable`
   */
  settle: () => Promise<void>;
}

/**
 * Opens the cage that apps run in, and logs which one it is. Where no Python is found, it is chosen once there is one.
 * @throws Refusal `cage-unavailable`, `cage-untried`, `python-unusable`
 */
export async function openCage(options: {
  config: Pick<Config, 'cage' | 'path'> & Partial<Pick<Config, 'runtime'>>;
  paths: Paths;
  /** The place of what an app's Python runs first; a cage's last step lies beside it. */
  launcher: string;
  /** The machine's Python. @throws Refusal `python-unusable` */
  python: () => Promise<PythonFacts>;
  logger: Logger;
}): Promise<OpenedCage> {
  const { config, paths, launcher, logger } = options;
  const find = async (): Promise<string | undefined> => {
    const facts = await options.python().catch((error: unknown) => {
      // That it could not be asked now must not be taken for that there is none.
      if (config.cage === 'none' || isAbsent(error)) return undefined;
      throw error;
    });
    return facts?.executable;
  };
  const cage = await Cage.open({
    wish: config.cage,
    who: config.runtime === 'docker' ? 'Builds' : 'Apps',
    path: config.path,
    inner: join(dirname(launcher), 'cage.py'),
    // Under either of its names.
    data: [...new Set([paths.data, await realpath(paths.data)])],
    tmp: paths.tmp,
    elsewhere: [tmpdir(), '/dev/shm'],
    python: await find(),
  });
  const say = (): void => {
    if (cage.kind === 'none') logger.warn(cage.sentence);
    else logger.info(cage.sentence);
    // What is built and checked out here must be readable for the users that apps become; the data folder itself is not.
    if (cage.changesUser) process.umask(0o022);
  };
  say();
  let settling: Promise<void> | undefined;
  const settle = async (): Promise<void> => {
    await cage.choose(await find());
    if (cage.isOpen) throw new Refusal('unavailable', 'cage-untried', cage.sentence);
    say();
  };
  return {
    cage,
    settle: async () => {
      if (cage.isOpen) await (settling ??= settle().finally(() => (settling = undefined)));
    },
  };
}

/** What builds of pushed apps are put into; nothing where there is no cage. @param shared folders that all apps may use */
export function buildCage(cage: Cage, shared: readonly string[]): BuildCage | undefined {
  if (cage.kind === 'none') return undefined;
  return {
    wrap: cage.wrap.bind(cage),
    mounts: cage.kind === 'bubblewrap',
    uid: cage.changesUser ? BUILDER : undefined,
    shared,
  };
}

/** What the Chromium of the pictures is put into; nothing where there is no cage. */
export function pictureCage(cage: Cage): PictureCage | undefined {
  const { kind, python, changesUser } = cage;
  if (kind === 'none' || python === undefined) return undefined;
  // Landlock forbids the mounts that its own sandbox makes, and bubblewrap under a user forbids more user namespaces.
  return { wrap: cage.wrap.bind(cage), python, uid: changesUser ? PHOTOGRAPHER : undefined, sandbox: changesUser };
}
