import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isManyBehind } from '../gateway/hosts.js';
import { close, listen } from '../gateway/listener.js';
import type { Logger } from '../logger.js';
import { findChromium } from '../pictures/chromium.js';
import { Photographer } from '../pictures/photographer.js';
import { ownIdentity } from '../runtime/process/proc.js';
import type { Config } from '../settings.js';
import { ConfigFile } from '../store/config-file.js';
import { removeServerRecord, writeServerRecord } from '../store/lock.js';
import type { LogFolder } from '../store/log-folder.js';
import { Paths } from '../store/paths.js';
import { composeHost } from './compose.js';
import { takeData } from './data-folder.js';
import { openDoors } from './doors.js';
import { greet, offerExample } from './greeting.js';
import { Stop } from './stop.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** config.json, which names apps that run in place. */
export function configFile({ controller, data }: Config): ConfigFile {
  return new ConfigFile(controller.config, new Paths(data).lastConfig, controller.apps);
}

/**
 * The life of the server: takes the data folder, composes, listens, and waits until it is asked to stop.
 * @throws Refusal where the data folder or the port belongs to another server
 */
export async function serve(config: Config, logger: Logger, logFolder: LogFolder | undefined): Promise<void> {
  const paths = new Paths(config.data);
  await takeData(paths);
  const stop = new Stop();
  // Before anything is started that would be left behind.
  stop.hearSignals();
  // A port that is taken is reported before anything else is started: nothing would end it again.
  const nobody = {
    request: (_: unknown, response: { destroy(): void }): void => response.destroy(),
    upgrade: (_: unknown, socket: { destroy(): void }): void => socket.destroy(),
    closeSockets: (): void => undefined,
  };
  await close(await listen(config, nobody));
  const mark = createHash('sha256')
    .update(await realpath(paths.data))
    .digest('hex')
    .slice(0, 16);

  const base = { text: config.publicBase };
  const publicBase = (): string => base.text;
  const basePath = new URL(config.publicBase).pathname.replace(/\/$/, '');
  const composed = await composeHost({
    config,
    paths,
    launcher: join(ROOT, 'python/launch.py'),
    file: configFile(config),
    mark,
    publicBase,
    basePath,
    url: (app) => `${publicBase()}/apps/${app}/`,
    logger,
  });
  const doors = await openDoors({ config, paths, root: ROOT, composed, publicBase, basePath, stop, logFolder, logger });

  await doors.hooks.listen();
  const unfollow = logFolder?.follow(composed.store, paths, (text) => logger.warn(text));
  await composed.begin();
  const server = await listen(config, doors.entry, {
    ...config.connections,
    basePath,
    manyBehind: (address) => isManyBehind(address, publicBase()),
  });
  const { port } = server.address() as AddressInfo;
  if (config.port === 0 && config.publicBase.endsWith(':0')) {
    base.text = config.publicBase.replace(/:0$/, `:${port}`);
  }
  const local = `http://${config.localHost}:${port}${basePath}`;
  await writeServerRecord(paths.server, { ...ownIdentity(), url: publicBase(), local });
  const photographer = config.pictures
    ? new Photographer({
        apps: composed.host.apps,
        pictures: doors.pictures,
        chromium: () => findChromium(config.path),
        path: config.path,
        tmp: paths.tmp,
        mark: `${mark}/:picture`,
        local,
        logger,
      })
    : undefined;
  const from = join(ROOT, 'examples/hello');
  const offer = { from, url: publicBase(), ownToken: config.token === undefined };
  const example = await offerExample(paths, composed.git, offer, logger);
  greet(publicBase(), doors.sessions.makeCode().code, composed.store.list().length === 0 ? example : undefined);

  const { keepApps } = await stop.wanted();
  logger.info(keepApps ? 'Stopping; the apps go on.' : 'Stopping, with all apps.');
  await photographer?.close();
  await composed.rest();
  await doors.hooks.close();
  doors.entry.closeSockets();
  await close(server);
  await composed.end({ keepApps });
  unfollow?.();
  await logFolder?.close();
  await removeServerRecord(paths.server);
}
