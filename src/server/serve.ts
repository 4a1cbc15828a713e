import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { unsafeOrigin, withPort } from '../domain/access/origins.js';
import { TrustedProxies } from '../domain/access/visitor.js';
import { isManyBehind } from '../gateway/hosts.js';
import { close, listen } from '../gateway/listener.js';
import { protectServer } from '../lib/priority.js';
import { programFolder } from '../lib/program-folder.js';
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
import { canWrite, Later } from './later.js';
import { openMetrics } from './metrics.js';
import { Stop } from './stop.js';

/** A base URL with the port that was free, where any was asked for. */
function onPort(base: string, port: number): string {
  return new URL(base).port === '0' ? withPort(base, port) : base;
}

/** config.json, which names apps that run in place. */
export function configFile({ controller, data }: Config): ConfigFile {
  return new ConfigFile(controller.config, new Paths(data).lastConfig, controller.apps);
}

/**
 * The life of the server: takes the data folder, composes, listens, and waits until it is asked to stop.
 * @throws Refusal where the data folder or the port belongs to another server
 */
export async function serve(config: Config, logger: Logger, logFolder: LogFolder | undefined): Promise<void> {
  const root = programFolder();
  const paths = new Paths(config.data);
  const later = new Later(logger, () => canWrite(paths.data));
  const { mark } = await takeData(paths, later);
  protectServer();
  const stop = new Stop();
  // Before anything is started that would be left behind.
  stop.hearSignals();
  // A port that is taken is reported before anything else is started: nothing would end it again.
  const nobody = {
    request: (_: unknown, response: { destroy(): void }): void => response.destroy(),
    upgrade: (_: unknown, socket: { destroy(): void }): void => socket.destroy(),
    closeSockets: (): void => undefined,
  };
  const appsAddress = config.appsOrigin && {
    port: config.appsOrigin.port,
    bind: config.bind,
    setting: 'STREAMLIT_HOST_APPS_PORT',
  };
  await close(await listen(config, nobody));
  if (appsAddress !== undefined) await close(await listen(appsAddress, nobody));
  const bases = { platform: config.publicBase, apps: config.appsOrigin?.base };
  const publicBase = (): string => bases.platform;
  const appsBase = (): string => bases.apps ?? bases.platform;
  const basePath = new URL(config.publicBase).pathname.replace(/\/$/, '');
  const composed = await composeHost({
    config,
    paths,
    launcher: join(root, 'python/launch.py'),
    file: configFile(config),
    mark,
    later,
    basePath,
    url: (app) => `${appsBase()}/apps/${app}/`,
    logger,
  });
  const measuring = openMetrics({ paths, composed, logger });
  const doors = await openDoors({
    config,
    paths,
    root,
    composed,
    measuring,
    publicBase,
    basePath,
    appsBase,
    stop,
    logFolder,
    logger,
  });

  await later.attempt('accept pushes', () => doors.hooks.listen());
  const unfollow = logFolder?.follow(composed.store, paths, (text) => logger.warn(text));
  await later.attempt('record metrics', () => measuring.begin());
  await composed.begin();
  const proxies = new TrustedProxies(config.trustedProxies);
  const limits = {
    ...config.connections,
    basePath,
    manyBehind: (address: string) => isManyBehind(address, publicBase(), proxies),
  };
  const server = await listen(config, doors.entry, limits);
  const appsServer = appsAddress && doors.appsEntry && (await listen(appsAddress, doors.appsEntry, limits));
  const { port } = server.address() as AddressInfo;
  const { port: appsPort } = (appsServer ?? server).address() as AddressInfo;
  bases.platform = onPort(bases.platform, port);
  bases.apps &&= onPort(bases.apps, appsPort);
  const local = `http://${config.localHost}:${port}${basePath}`;
  await later.attempt('record the URL of this server', () =>
    writeServerRecord(paths.server, { ...ownIdentity(), url: publicBase(), local }),
  );
  const photographer = config.pictures
    ? new Photographer({
        apps: composed.host.apps,
        pictures: doors.pictures,
        chromium: () => findChromium(config.path),
        path: config.path,
        cage: composed.pictureCage,
        tmp: paths.tmp,
        mark: `${mark}/:picture`,
        local: withPort(local, appsPort),
        logger,
      })
    : undefined;
  const from = join(root, 'examples/hello');
  const offer = { from, url: publicBase(), ownToken: config.token === undefined };
  const example = await offerExample(paths, composed.git, offer, logger);
  greet(
    publicBase(),
    doors.sessions.makeCode({ name: 'admin' }).code,
    composed.store.list().length === 0 ? example : undefined,
    appsBase(),
  );

  if (config.unsafeOrigin) logger.warn(unsafeOrigin(publicBase()));

  const { keepApps } = await stop.wanted();
  logger.info(keepApps ? 'Stopping the server. Apps keep running.' : 'Stopping the server and all apps.');
  await later.close();
  await photographer?.close();
  await composed.rest();
  await doors.hooks.close();
  doors.entry.closeSockets();
  doors.appsEntry?.closeSockets();
  await Promise.all([close(server), ...(appsServer === undefined ? [] : [close(appsServer)])]);
  await measuring.close();
  await composed.end({ keepApps });
  unfollow?.();
  await logFolder?.close();
  // On a read-only disk it stays, and the next server finds that nobody has its pid.
  await removeServerRecord(paths.server).catch((error: unknown) =>
    logger.warn({ err: error }, 'the record of this server could not be removed'),
  );
}
